"""Dead letters: everything as it came, and where and why beside it."""

import hashlib

import pytest

from learners.events import Headers
from learners.rejections import Reason, Rejection, Stage
from producers.dead_letters import KEPT_OF_A_CUT, MAX_BYTES, DeadLetter, dead_letter
from tests.records import records_of

REJECTION = Rejection(1, Stage.SCHEMA, Reason.WRONG_TYPE, "Expected `float`, got `str`: é")
BROKER_LIMIT = 1_048_588


def letter_of(
    value: bytes | None, key: bytes | None = b"key", headers: Headers | None = None
) -> DeadLetter:
    records = records_of(
        [b"other", value], keys=[b"other", key], partition=3, first=41, headers=headers
    )
    return dead_letter(records, REJECTION, "1.2.3")


def size(letter: DeadLetter) -> int:
    headers = sum(len(name) + len(content or b"") for name, content in letter.headers)
    return len(letter.key or b"") + len(letter.value or b"") + headers


def test_the_record_is_kept_and_its_fault_and_place_told() -> None:
    letter = letter_of(b"\xff\x00value")
    assert (letter.key, letter.value, letter.partition) == (b"key", b"\xff\x00value", 3)
    assert dict(letter.headers) == {
        "streamfit.error.stage": b"schema",
        "streamfit.error.reason": b"wrong_type",
        "streamfit.error.detail": "Expected `float`, got `str`: é".encode(),
        "streamfit.error.topic": b"events",
        "streamfit.error.partition": b"3",
        "streamfit.error.offset": b"42",
        "streamfit.error.timestamp": b"42000",
        "streamfit.error.version": b"1.2.3",
    }


def test_bad_input_31_headers_of_any_kind_stay_in_front_and_in_order() -> None:
    headers: Headers = [("a", b"\xff\xfe"), ("a", b"again"), ("b", None), ("é", "text")]
    letter = letter_of(b"x", headers=headers)
    assert letter.headers[:4] == headers
    assert letter.headers[4][0] == "streamfit.error.stage"


@pytest.mark.parametrize("key", [None, b""])
def test_a_missing_key_stays_missing(key: bytes | None) -> None:
    assert letter_of(b"x", key=key).key == key


@pytest.mark.parametrize("length", [0, 1, MAX_BYTES - len(b"key")])
def test_bad_input_26_a_value_within_the_limit_is_not_cut(length: int) -> None:
    letter = letter_of(b"v" * length)
    assert letter.value == b"v" * length
    assert not any("length" in name for name, _ in letter.headers)


@pytest.mark.parametrize("length", [MAX_BYTES, 10_000_000])
def test_bad_input_26_a_value_too_large_is_cut_with_its_length_and_hash(length: int) -> None:
    value = bytes(i % 251 for i in range(1000)) * (length // 1000)
    letter = letter_of(value)
    assert letter.value == value[:KEPT_OF_A_CUT]
    headers = dict(letter.headers)
    assert headers["streamfit.error.value.length"] == str(length).encode()
    assert headers["streamfit.error.value.sha256"] == hashlib.sha256(value).hexdigest().encode()
    assert letter.key == b"key"


def test_bad_input_26_a_key_too_large_is_cut_with_its_length_and_hash() -> None:
    key = b"k" * 1_000_000
    letter = letter_of(b"value", key=key)
    assert letter.key == key[:KEPT_OF_A_CUT]
    assert letter.value == b"value"
    headers = dict(letter.headers)
    assert headers["streamfit.error.key.length"] == b"1000000"
    assert headers["streamfit.error.key.sha256"] == hashlib.sha256(key).hexdigest().encode()


@pytest.mark.parametrize(
    ("value", "key", "count"),
    [(899_000, 899_000, 0), (600_000, 600_000, 0), (800_000, 10, 10_000), (10**7, 10**6, 10_000)],
)
def test_bad_input_26_value_key_and_headers_together_fit_into_a_message(
    value: int, key: int, count: int
) -> None:
    headers: Headers = [("header", b"twenty bytes of them")] * count
    letter = letter_of(b"v" * value, key=b"k" * key, headers=headers)
    assert size(letter) < BROKER_LIMIT - 16 * len(letter.headers)  # what framing takes
    assert letter.headers[:count] == headers
