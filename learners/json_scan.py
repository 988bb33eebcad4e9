"""The compiled scan of JSON objects into columns.

It knows plain JSON only, and stops at anything else: what is wrong with a record is told by
msgspec, which `learners.fields` asks. Which values are scanned, and when, is decided in
`learners.scanned`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from learners.events import Floats, Ints
from learners.json_numbers import MINUS, NOT_PLAIN, QUOTE, closing_quote, integer, number
from learners.kernels.compiling import compiled, inlined
from learners.structs import MAX_ID_LENGTH
from learners.words import byte_at, signed, word_at

Words = NDArray[np.uint64]

# What a name stands for, if not for the column of a feature.
ID, TIME, LABEL, FEATURES, _UNDECLARED = -1, -2, -3, -4, -5
# What a label is.
INTEGER, TEXT, TARGET = 0, 1, 2

_OPEN, _CLOSE, _COLON, _COMMA, _SPACE = (ord(letter) for letter in "{}:, ")
_LETTER_F, _LETTER_N, _LETTER_T = (ord(letter) for letter in "fnt")
_TAB, _NEWLINE, _RETURN = (ord(letter) for letter in "\t\n\r")
_NULL, _TRUE, _ALSE = (np.uint64(int.from_bytes(w, "little")) for w in (b"null", b"true", b"alse"))
_FOUR_BYTES = np.uint64(2**32 - 1)


class Plan(NamedTuple):
    """What a plain event looks like.

    Attributes
    ----------
    names : ndarray of shape (n_names, n_words)
        From `quoted`: those beside the features first, then those within.
    meanings : ndarray of shape (n_names,)
        The column of a feature, or `ID`, `TIME`, `LABEL`, `FEATURES`.
    n_beside : int
        How many names stand in the object itself.
    n_required : int
        How many must be there; all but the label and the field that holds the features.
    label_kind : int
        `INTEGER`, `TEXT` or `TARGET`.
    texts : ndarray of shape (n_classes, n_words)
        The classes, if they are text, from `quoted`.
    integers : ndarray of shape (n_classes,)
        The classes, if they are integers.
    """

    names: Words
    meanings: Ints
    n_beside: int
    n_required: int
    label_kind: int
    texts: Words
    integers: Ints


class Scanned(NamedTuple):
    """What stood in the events; each of shape (n_events,), but for the numbers.

    Attributes
    ----------
    numbers : ndarray of shape (n_events, n_features)
    indices : ndarray
        Of the labels' classes; -1 for none.
    targets : ndarray
        The labels if they are targets; NaN for none.
    id_starts, id_ends : ndarray
        Where the token of each id stands.
    time_ms : ndarray
    """

    numbers: Floats
    indices: Ints
    targets: Floats
    id_starts: Ints
    id_ends: Ints
    time_ms: Ints


def quoted(names: tuple[str, ...]) -> Words:
    """Put ASCII names into words that `_length_of` compares.

    Returns
    -------
    ndarray of shape (n_names, n_words)
        Of each its length with the quote behind it, then pairs of a word and the bits of it that
        count.
    """
    ends = [name.encode() + b'"' for name in names]
    n_words = max((len(end) + 7) // 8 for end in ends) if ends else 1
    words = np.zeros((len(ends), 1 + 2 * n_words), dtype=np.uint64)
    for row, end in zip(words, ends, strict=True):
        row[0] = len(end)
        row[1::2] = np.frombuffer(end.ljust(8 * n_words, b"\0"), np.uint64)
        row[2::2] = np.frombuffer((b"\xff" * len(end)).ljust(8 * n_words, b"\0"), np.uint64)
    return words


@compiled
def scan(buffer: NDArray[np.uint8], ends: Ints, plan: Plan, scanned: Scanned) -> bool:  # noqa: C901, PLR0912, PLR0915 - one loop: to hand arrays on costs more than an event
    """Scan objects into columns.

    Nothing but the end of the buffer bounds a value while it is read. One that is cut off is read
    into the next one, and then does not end where it should.

    Parameters
    ----------
    buffer : ndarray of shape (n_bytes,)
        The values, one after the other, and at least eight zeros.
    ends : ndarray of shape (n_events,)
        Where each value ends.
    plan : Plan
        What is plain.
    scanned : Scanned
        Is filled.

    Returns
    -------
    bool
        Whether all of them were plain; if not, what was filled means nothing.
    """
    names, meanings, n_beside, n_required, label_kind, texts, integers = plan
    numbers, indices, targets, id_starts, id_ends, time_ms = scanned
    begin: int = signed(buffer.ctypes.data)
    first_name: int = signed(names.ctypes.data)
    first_text: int = signed(texts.ctypes.data)
    first_integer: int = signed(integers.ctypes.data)
    name_size, text_size = 8 * names.shape[1], 8 * texts.shape[1]
    n_names = names.shape[0]
    last_seen = np.full(n_names, -1)
    at = begin
    for event in range(ends.shape[0]):
        found, place, beside_place = 0, -1, -1
        low, high = 0, n_beside
        at = _after_mark(at, _OPEN)
        while at != NOT_PLAIN:
            meaning = _UNDECLARED
            known, value = _value_of_name(at, first_name, name_size, place, low, high)
            if value != NOT_PLAIN:
                if last_seen[known] == event:
                    return False
                last_seen[known] = event
                place, meaning = known, meanings[known]
            elif low == 0:  # the nested features have no others among them
                value = _value_of_any(at)
            at = value
            if at == NOT_PLAIN:
                return False
            if meaning == FEATURES:
                at = _after_mark(at, _OPEN)
                beside_place, place = place, n_beside - 1
                low, high = n_beside, n_names
                continue
            if meaning >= 0:
                numbers[event, meaning], at = number(at)
                found += 1
            elif meaning == ID:
                id_starts[event] = at - begin
                at = _after_id(at)
                id_ends[event] = at - begin
                found += 1
            elif meaning == TIME:
                time_ms[event], at = integer(at)
                found += 1
            elif meaning == _UNDECLARED:
                at = _after_scalar(at)
            elif byte_at(at) == _LETTER_N:
                at = _after_null(at)
            elif label_kind == TEXT:
                indices[event], at = _class_of_text(at, first_text, text_size, texts.shape[0])
            elif label_kind == INTEGER:
                indices[event], at = _class_of_integer(at, first_integer, integers.shape[0])
            else:
                targets[event], at = number(at)
            if at == NOT_PLAIN:
                return False
            at = _after_blanks(at)
            if low > 0 and byte_at(at) == _CLOSE:
                at = _after_blanks(at + 1)
                low, high, place = 0, n_beside, beside_place
            if byte_at(at) != _COMMA:
                break
            at += 1
        if at == NOT_PLAIN or byte_at(at) != _CLOSE or low > 0 or found != n_required:
            return False
        at += 1
        end: int = begin + ends[event]
        while at < end and _is_blank(byte_at(at)):
            at += 1
        if at != end:
            return False
    return True


@inlined
def _is_blank(letter: int) -> bool:
    return letter in (_SPACE, _NEWLINE, _RETURN, _TAB)


@inlined
def _after_blanks(at: int) -> int:
    while byte_at(at) <= _SPACE and _is_blank(byte_at(at)):
        at += 1
    return at


@inlined
def _after_mark(at: int, mark: int) -> int:
    at = _after_blanks(at)
    return at + 1 if byte_at(at) == mark else NOT_PLAIN


@inlined
def _after_null(at: int) -> int:
    return at + 4 if word_at(at) & _FOUR_BYTES == _NULL else NOT_PLAIN


@inlined
def _after_scalar(at: int) -> int:
    letter = byte_at(at)
    if letter == QUOTE:
        end = closing_quote(at + 1)
        return end + 1 if end != NOT_PLAIN else NOT_PLAIN
    if letter == _LETTER_N:
        return _after_null(at)
    if letter == _LETTER_T:
        return at + 4 if word_at(at) & _FOUR_BYTES == _TRUE else NOT_PLAIN
    if letter == _LETTER_F:
        return at + 5 if word_at(at + 1) & _FOUR_BYTES == _ALSE else NOT_PLAIN
    return number(at)[1]


@inlined
def _after_id(at: int) -> int:
    if byte_at(at) != QUOTE:
        value, after = integer(at)
        # -0 is 0, and would no longer be written as it came.
        return after if value != 0 or byte_at(at) != MINUS else NOT_PLAIN
    end = closing_quote(at + 1)
    return end + 1 if end != NOT_PLAIN and end - at - 1 <= MAX_ID_LENGTH else NOT_PLAIN


@inlined
def _class_of_text(at: int, first: int, size: int, n_classes: int) -> tuple[int, int]:
    if byte_at(at) != QUOTE:
        return -1, NOT_PLAIN
    # As if the last class had just been found, so that the first is tried first.
    return _named(at + 1, first, size, -1, 0, n_classes)


@inlined
def _class_of_integer(at: int, first: int, n_classes: int) -> tuple[int, int]:
    label, at = integer(at)
    for index in range(n_classes):
        if signed(word_at(first + 8 * index)) == label:
            return index, at
    return -1, NOT_PLAIN


@inlined
def _value_of_name(
    at: int, first: int, size: int, place: int, low: int, high: int
) -> tuple[int, int]:
    """Find which name stands here, as `_named`, and the value behind its colon."""
    at = _after_mark(at, QUOTE)
    if at == NOT_PLAIN:
        return place, NOT_PLAIN
    place, at = _named(at, first, size, place, low, high)
    if at == NOT_PLAIN:
        return place, NOT_PLAIN
    at = _after_mark(at, _COLON)
    return place, _after_blanks(at) if at != NOT_PLAIN else NOT_PLAIN


@inlined
def _value_of_any(at: int) -> int:
    """Find the value behind the colon of whatever name stands here."""
    at = _after_mark(at, QUOTE)
    if at == NOT_PLAIN:
        return NOT_PLAIN
    end = closing_quote(at)
    if end == NOT_PLAIN:
        return NOT_PLAIN
    at = _after_mark(end + 1, _COLON)
    return _after_blanks(at) if at != NOT_PLAIN else NOT_PLAIN


@inlined
def _named(at: int, first: int, size: int, place: int, low: int, high: int) -> tuple[int, int]:
    """Find which of the names from `low` up to `high` stands here; the one after `place` first.

    Returns
    -------
    int, int
        Its place, and the address behind its quote; `NOT_PLAIN` if it is none of them.
    """
    for _ in range(high - low):
        place += 1
        if place == high:
            place = low
        length = _length_of(at, first + size * place)
        if length > 0:
            return place, at + length
    return place, NOT_PLAIN


@inlined
def _length_of(at: int, name: int) -> int:
    """Give the length of a name and its quote, both at an address, if it stands here; else 0."""
    length: int = signed(word_at(name))
    done = 0
    while done < length:
        name += 8
        word = word_at(name)
        name += 8
        if word_at(at + done) & word_at(name) != word:
            return 0
        done += 8
    return length
