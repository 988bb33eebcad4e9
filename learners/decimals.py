"""Decimal numbers to the nearest float64, for compiled code.

Where mantissa and power of ten are exact in float64, one operation rounds right (Clinger, 'How to
read floating point numbers accurately', PLDI 1990). Else the mantissa is multiplied with 128 bits
of the power of five, which tells the nearest float64 but where what was cut off could matter
(Lemire, 'Number parsing at a gigabyte per second', Software: Practice and Experience 51:8, 2021).
"""

import numpy as np
from numpy.typing import NDArray

from learners.kernels.compiling import inlined
from learners.words import float_of, signed, zeros_above

# Powers of ten beyond which every mantissa of 64 bits is zero, or infinite.
_LEAST, _MOST = -342, 308
# Whole numbers up to 2^53 are exact, but the product is as quick, and numbers of 16 digits are on
# either side of 2^53: to go now this way, now that one costs a tenth of a scan. Up to 10^22, powers
# of ten are exact.
_EXACT = np.uint64(2**32)
_EXACT_TENS = np.array([10.0**power for power in range(23)])

_0, _1, _2, _3 = (np.uint64(number) for number in range(4))
_9, _32, _63 = np.uint64(9), np.uint64(32), np.uint64(63)
_LOW_HALF = np.uint64(2**32 - 1)
_ALL = np.uint64(2**64 - 1)
# Of the upper word of a product, what stands below the 55 bits that rounding looks at.
_BELOW = np.uint64(2**9 - 1)
_FRACTION = np.uint64(2**52 - 1)
_IMPLICIT_BIT = np.uint64(52)


def _fives() -> NDArray[np.uint64]:
    """Give the upper 128 bits of each power of five, as two words.

    Those of a positive power are cut off, those of a negative one are rounded up.
    """
    words = np.empty((_MOST - _LEAST + 1, 2), dtype=np.uint64)
    for row, power in enumerate(range(_LEAST, _MOST + 1)):
        five = 5 ** abs(power)
        bits = five.bit_length()
        upper = five << 128 >> bits if power >= 0 else (1 << (bits + 127)) // five + 1
        words[row] = upper >> 64, upper & (2**64 - 1)
    return words


_FIVES = _fives()


@inlined
def nearest(mantissa: np.uint64, power: int) -> float:
    """Give the float64 that is nearest to `mantissa * 10**power`, of two the even one.

    Parameters
    ----------
    mantissa : uint64
    power : int64

    Returns
    -------
    float
        NaN where it is not sure, which is rare, or where the number is not a normal one.
    """
    if mantissa <= _EXACT and -22 <= power <= 22:
        exact: float = signed(mantissa)
        return float(exact * _EXACT_TENS[power] if power >= 0 else exact / _EXACT_TENS[-power])
    if mantissa == _0:
        return 0.0
    if power < _LEAST or power > _MOST:
        return np.nan
    return _by_product(mantissa, power)


@inlined
def _by_product(mantissa: np.uint64, power: int) -> float:
    """Take the nearest from the product of the mantissa and the power of five."""
    shift = zeros_above(mantissa)
    upper, lower = _product(mantissa << np.uint64(shift), power - _LEAST)
    if lower == _ALL and (power < -27 or power > 55):
        return np.nan  # what was cut off from the power of five could carry up to here
    top = upper >> _63
    # 54 bits: those of the float64, and one to round by.
    bits = upper >> (top + _9)
    # 217706 / 2^16 is the logarithm of 10 to the base 2, near enough for all these powers.
    exponent = ((217706 * power) >> 16) + 63 + signed(top) - shift + 1023
    if exponent <= 0:
        return np.nan
    # Halfway between two, which only a small power of five can be: to the even one.
    between = lower <= _1 and -4 <= power <= 23 and (bits & _3) == _1
    if between and (bits << (top + _9)) == upper:
        bits -= _1
    bits = (bits + (bits & _1)) >> _1
    exponent += signed(bits >> (_IMPLICIT_BIT + _1))  # rounded up to the next power of two
    if exponent >= 2047:
        return np.nan
    return float_of((np.uint64(exponent) << _IMPLICIT_BIT) | (bits & _FRACTION))


@inlined
def _product(mantissa: np.uint64, row: int) -> tuple[np.uint64, np.uint64]:
    """Multiply with a power of five as far as it takes to round; give the upper two words."""
    upper, lower = _multiplied(mantissa, _FIVES[row, 0])
    if (upper & _BELOW) == _BELOW:
        more, _ = _multiplied(mantissa, _FIVES[row, 1])
        lower += more
        if lower < more:
            upper += _1
    return upper, lower


@inlined
def _multiplied(a: np.uint64, b: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Give the upper and the lower word of a product of two words."""
    a_high, a_low = a >> _32, a & _LOW_HALF
    b_high, b_low = b >> _32, b & _LOW_HALF
    lowest = a_low * b_low
    cross = a_high * b_low + (lowest >> _32)
    other = a_low * b_high + (cross & _LOW_HALF)
    return a_high * b_high + (cross >> _32) + (other >> _32), a * b
