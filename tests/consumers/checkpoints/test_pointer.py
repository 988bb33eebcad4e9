"""The pointer as an offset's metadata string."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.checkpoints.pointer import Pointer, from_metadata

POINTER = Pointer("group/topic/global/0000000007-x", "ab" * 32, 7, 1234)


def test_a_pointer_comes_back_from_its_metadata() -> None:
    metadata = POINTER.to_metadata()
    assert from_metadata(metadata) == POINTER
    assert metadata.isascii()


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        "",
        " ",
        "x",
        "{}",
        "null",
        '{"key":"k","sha256":"s"}',
        '{"key":"k","sha256":"s","epoch":"1"}',
        '{"key":"k","sha256":"s","epoch":1}',
        '{"key":"k","sha256":"s","epoch":1,"size":null}',
        POINTER.to_metadata()[:-1],
        POINTER.to_metadata() * 2,
        "[" * 4000,
        '{"key":' + "[" * 4000,
        '{"more":' + "[" * 4000,
    ],
)
def test_the_metadata_of_somebody_else_is_no_pointer(metadata: str | None) -> None:
    assert from_metadata(metadata) is None


def test_row_49_a_pointer_of_a_newer_version_is_read_as_far_as_it_is_known() -> None:
    metadata = POINTER.to_metadata()[:-1] + ',"more":[1]}'
    assert from_metadata(metadata) == POINTER


@given(st.text())
def test_no_text_is_taken_for_a_pointer_or_raises(text: str) -> None:
    assert from_metadata(text) is None


def test_a_pointer_that_a_broker_would_not_store_is_an_error() -> None:
    key = "k" * (4000 - len(Pointer("", "ab" * 32, 7, 1234).to_metadata()))
    assert len(Pointer(key, "ab" * 32, 7, 1234).to_metadata()) == 4000
    with pytest.raises(ValueError, match="4001 characters"):
        Pointer(key + "k", "ab" * 32, 7, 1234).to_metadata()
