"""Numbers and text of JSON at an address, for compiled code; all else is not plain.

Everything here stops at a zero byte, of which there must be eight behind the last value.
"""

import numpy as np

from learners.decimals import nearest
from learners.kernels.compiling import inlined
from learners.words import byte_at, signed, word_at, zeros_below

QUOTE, MINUS, PLUS, DOT, ZERO, LETTER_E = (ord(letter) for letter in '"-+.0e')
NOT_PLAIN = 0
"""No address: what stood there is not plain."""

# The most decimal digits that always fit into 64 bits, and into 63 bits with room to spare.
_MOST_DIGITS, _MOST_OF_INTEGER = 19, 18
_LOWER_CASE = 0x20
_TENS = np.array([10**power for power in range(9)], dtype=np.uint64)
_0 = np.uint64(0)
_8, _16, _32 = np.uint64(8), np.uint64(16), np.uint64(32)


def _eight(byte: int) -> np.uint64:
    """Give a word of eight times the same byte."""
    return np.uint64(int.from_bytes(bytes([byte]) * 8))


_HIGH, _LOW = _eight(0x80), _eight(0x7F)
_DIGITS, _NO_DIGIT, _NIBBLES = _eight(ZERO), _eight(0x80 - 10), _eight(0x0F)
_QUOTES, _BACKSLASHES, _NO_CONTROL = _eight(QUOTE), _eight(ord("\\")), _eight(0x80 - 0x20)
_BY_TEN, _BY_HUNDRED, _BY_MYRIAD = np.uint64(10), np.uint64(100), np.uint64(10_000)
_PAIRS, _FOURS = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)
_WHOLE = np.uint64(0xFFFFFFFF)


@inlined
def number(at: int) -> tuple[float, int]:
    """Read a number.

    Returns
    -------
    float, int
        The nearest float64, and the address behind it; `NOT_PLAIN` for none, for more than 19
        digits and for one so large or small that rounding it is not sure.
    """
    is_negative = byte_at(at) == MINUS
    first = at + 1 if is_negative else at
    after, mantissa = _digits(first, _0)
    n_digits = after - first
    if n_digits == 0 or (n_digits > 1 and byte_at(first) == ZERO):
        return np.nan, NOT_PLAIN
    is_integer = True
    power = 0
    if byte_at(after) == DOT:
        is_integer = False
        after, mantissa = _digits(after + 1, mantissa)
        power = first + n_digits + 1 - after
        n_digits -= power
        if power == 0:
            return np.nan, NOT_PLAIN
    if byte_at(after) | _LOWER_CASE == LETTER_E:
        is_integer = False
        exponent, after = _exponent(after + 1)
        power += exponent
    if n_digits > _MOST_DIGITS and n_digits - _zeros_before(first) > _MOST_DIGITS:
        return np.nan, NOT_PLAIN
    value = nearest(mantissa, power)
    if np.isnan(value):
        return np.nan, NOT_PLAIN
    # The integer -0 is 0.
    return -value if is_negative and not (is_integer and mantissa == _0) else value, after


@inlined
def integer(at: int) -> tuple[int, int]:
    """Read an integer of at most 18 digits; give it and the address behind it, or `NOT_PLAIN`."""
    is_negative = byte_at(at) == MINUS
    first = at + 1 if is_negative else at
    after, mantissa = _digits(first, _0)
    n_digits = after - first
    starts_with_zero = n_digits > 1 and byte_at(first) == ZERO
    if n_digits == 0 or n_digits > _MOST_OF_INTEGER or starts_with_zero:
        return 0, NOT_PLAIN
    value = signed(mantissa)
    return -value if is_negative else value, after


@inlined
def closing_quote(at: int) -> int:
    """Find the quote that ends ASCII text without a backslash; `NOT_PLAIN` for other text."""
    found = _no_plain_text(word_at(at))
    while found == _0:
        at += 8
        found = _no_plain_text(word_at(at))
    at += zeros_below(found) >> 3
    return at if byte_at(at) == QUOTE else NOT_PLAIN


@inlined
def _no_plain_text(word: np.uint64) -> np.uint64:
    """Mark quotes, backslashes, control characters and what is not ASCII."""
    printable = ((word & _LOW) + _NO_CONTROL) & ~word
    return (~printable & _HIGH) | _zeros(word ^ _QUOTES) | _zeros(word ^ _BACKSLASHES)


@inlined
def _zeros(word: np.uint64) -> np.uint64:
    """Mark each byte that is zero by its highest bit."""
    return ~(((word & _LOW) + _LOW) | word) & _HIGH


@inlined
def _digits(at: int, mantissa: np.uint64) -> tuple[int, np.uint64]:
    """Read digits, eight at a time, into a mantissa; beyond 19 of them, it is no good."""
    while True:
        word = word_at(at)
        count = _digits_in(word)
        if count == 0:
            return at, mantissa
        mantissa = mantissa * _TENS[count] + _value_of(word, count)
        at += count
        if count < 8:
            return at, mantissa


@inlined
def _exponent(at: int) -> tuple[int, int]:
    sign = byte_at(at)
    first = at + 1 if sign in (MINUS, PLUS) else at
    word = word_at(first)
    count = _digits_in(word)
    if count in (0, 8):  # there may be more
        return 0, NOT_PLAIN
    size = signed(_value_of(word, count))
    return -size if sign == MINUS else size, first + count


@inlined
def _digits_in(word: np.uint64) -> int:
    """Count the digits that a word begins with."""
    digits = word ^ _DIGITS
    others = (((digits & _LOW) + _NO_DIGIT) | digits) & _HIGH
    return zeros_below(others) >> 3


@inlined
def _value_of(word: np.uint64, count: int) -> np.uint64:
    """Give the number that the first digits of a word make, of which there are 1 to 8.

    They are moved behind zeros, then put together to pairs, fours and eights, all at once.
    """
    value = (word << np.uint64(64 - 8 * count)) & _NIBBLES
    value = (value * _BY_TEN + (value >> _8)) & _PAIRS
    value = (value * _BY_HUNDRED + (value >> _16)) & _FOURS
    return (value * _BY_MYRIAD + (value >> _32)) & _WHOLE


@inlined
def _zeros_before(at: int) -> int:
    """Count the zeros before the first digit that is none, of a number from its first digit on."""
    count = 0
    while True:
        letter = byte_at(at)
        if letter == ZERO:
            count += 1
        elif letter != DOT:
            return count
        at += 1
