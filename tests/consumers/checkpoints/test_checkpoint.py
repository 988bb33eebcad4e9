"""The checkpoint's format: everything is checked before anything is deserialised."""

import io
import json
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.checkpoints.checkpoint import (
    FORMAT,
    Content,
    Manifest,
    digest,
    manifest_of,
    pack,
    parts_of,
    unpack,
    versions,
)
from consumers.checkpoints.pointer import Pointer
from consumers.errors import CheckpointError, DamagedCheckpointError

CONTENT = Content(b"model" * 20, {"learner": b'{"n":1}', "scores": b"[0.1]"})


def manifest(**changed: Any) -> Manifest:
    fields: dict[str, Any] = {
        "format": FORMAT,
        "parts": {name: digest(part) for name, part in parts_of(CONTENT).items()},
        "settings_hash": "hash",
        "settings": {"learning": {"stride": 1}},
        "epoch": 2,
        "parent": Pointer("key", "sha", 1, 10),
        "topic": "events",
        "topic_id": None,
        "next_offsets": {"0": 7, "12": 3},
        "versions": versions(),
    }
    return Manifest(**{**fields, **changed})


PACKED = pack(manifest(), parts_of(CONTENT))


def zipped(parts: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return buffer.getvalue()


def manifest_json(**changed: Any) -> bytes:
    with zipfile.ZipFile(io.BytesIO(PACKED)) as archive:
        return json.dumps({**json.loads(archive.read("manifest.json")), **changed}).encode()


def test_what_was_packed_is_unpacked() -> None:
    found, content = unpack(PACKED, "key")
    assert found == manifest()
    assert found.offsets() == {0: 7, 12: 3}
    assert content == CONTENT


def test_the_same_content_gives_the_same_bytes() -> None:
    assert pack(manifest(), parts_of(CONTENT)) == PACKED


def test_the_model_lies_in_the_zip_as_it_is() -> None:
    with zipfile.ZipFile(io.BytesIO(PACKED)) as archive:
        assert archive.testzip() is None
        assert archive.read("model.skops") == CONTENT.model
        assert json.loads(archive.read("state.json")) == {"learner": {"n": 1}, "scores": [0.1]}


@pytest.mark.parametrize("size", [0, 1, 30, 100, len(PACKED) // 2, len(PACKED) - 1])
def test_row_36_a_truncated_checkpoint_is_refused(size: int) -> None:
    with pytest.raises(DamagedCheckpointError, match="checkpoint key: damaged"):
        unpack(PACKED[:size], "key")


@given(st.integers(0, 8 * len(PACKED) - 1))
def test_row_36_a_flipped_bit_is_refused_or_changes_nothing_that_is_read(bit: int) -> None:
    # Times and flags in a zip's headers may change without harm; the pointer's hash sees those.
    flipped = bytearray(PACKED)
    flipped[bit // 8] ^= 1 << bit % 8
    try:
        found = unpack(bytes(flipped), "key")
    except CheckpointError as error:
        assert str(error).startswith("checkpoint key: ")  # noqa: PT017 - either is right
    else:
        assert found == (manifest(), CONTENT)


@given(st.binary(max_size=200))
def test_row_36_no_bytes_raise_anything_else(data: bytes) -> None:
    with pytest.raises(DamagedCheckpointError, match="damaged"):
        unpack(data, "key")


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_row_36_no_parts_of_a_whole_zip_raise_anything_else(one: bytes, state: bytes) -> None:
    for head in (one, manifest_json(parts={"state.json": digest(state)})):
        with pytest.raises(CheckpointError):
            unpack(zipped({"manifest.json": head, "state.json": state}), "key")


WATCHED = Content(CONTENT.model, CONTENT.state, b"drift")


def packed_with_drift() -> bytes:
    parts = parts_of(WATCHED)
    return pack(manifest(parts={name: digest(part) for name, part in parts.items()}), parts)


def test_what_drift_detectors_have_seen_is_a_part_of_its_own() -> None:
    with zipfile.ZipFile(io.BytesIO(packed_with_drift())) as archive:
        assert archive.namelist() == ["manifest.json", "model.skops", "state.json", "drift.bin"]
        assert archive.read("drift.bin") == b"drift"
    assert unpack(packed_with_drift(), "key")[1] == WATCHED


def test_a_checkpoint_of_before_there_were_drift_detectors_is_read() -> None:
    with zipfile.ZipFile(io.BytesIO(PACKED)) as archive:
        assert archive.namelist() == ["manifest.json", "model.skops", "state.json"]
    assert unpack(PACKED, "key")[1].drift == b""


def test_row_36_drift_detectors_that_were_exchanged_are_refused() -> None:
    data = packed_with_drift()
    with pytest.raises(DamagedCheckpointError, match="damaged"):
        unpack(data.replace(b"drift", b"other"), "key")
    head = zipfile.ZipFile(io.BytesIO(data)).read("manifest.json")
    for drift in ({}, {"drift.bin": b"other"}):
        with pytest.raises(DamagedCheckpointError, match="sha256 differs"):
            unpack(zipped({"manifest.json": head, **parts_of(CONTENT), **drift}), "key")


def test_row_36_a_model_that_was_exchanged_is_refused() -> None:
    parts = {**parts_of(CONTENT), "model.skops": b"another"}
    with pytest.raises(DamagedCheckpointError, match="sha256 differs"):
        unpack(pack(manifest(), parts), "key")


@pytest.mark.parametrize("missing", ["manifest.json", "model.skops", "state.json"])
def test_row_36_a_missing_part_is_refused(missing: str) -> None:
    with zipfile.ZipFile(io.BytesIO(PACKED)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if name != missing}
    with pytest.raises(DamagedCheckpointError, match="damaged"):
        unpack(zipped(parts), "key")


def test_row_36_a_part_that_nobody_listed_is_refused() -> None:
    parts = {"manifest.json": manifest_json(), **parts_of(CONTENT), "more": b""}
    with pytest.raises(DamagedCheckpointError, match="damaged"):
        unpack(zipped(parts), "key")


@pytest.mark.parametrize(
    "head", [manifest_json(format=FORMAT + 1), b'{"format": 2, "all": "is", "parts": "other"}']
)
def test_row_49_a_newer_format_says_so_whatever_else_is_new_in_it(head: bytes) -> None:
    for read in (unpack, manifest_of):
        with pytest.raises(CheckpointError, match=r"format 2, this version reads 1; run") as caught:
            read(zipped({"manifest.json": head, **parts_of(CONTENT)}), "key")
        assert not isinstance(caught.value, DamagedCheckpointError)


def test_row_36_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    parts = {"manifest.json": manifest_json(), **parts_of(CONTENT), "model.skops": bytes(10**7)}
    with pytest.raises(DamagedCheckpointError, match=r"damaged .*compressed"):
        unpack(zipped(parts, zipfile.ZIP_DEFLATED), "key")


def test_row_36_a_compressed_part_is_none_of_ours_however_small() -> None:
    parts = {"manifest.json": manifest_json(), **parts_of(CONTENT)}
    unpack(zipped(parts), "key")
    with pytest.raises(DamagedCheckpointError, match="compressed"):
        unpack(zipped(parts, zipfile.ZIP_DEFLATED), "key")


def test_row_36_a_part_that_claims_to_be_larger_than_the_file_is_refused() -> None:
    claims = bytearray(PACKED)
    # The size in the central directory, 24 bytes into each entry.
    place = claims.rindex(b"PK\x01\x02") + 24
    claims[place : place + 4] = (2**32 - 2).to_bytes(4, "little")
    with pytest.raises(DamagedCheckpointError, match="damaged"):
        unpack(bytes(claims), "key")


def test_the_manifest_can_be_read_where_other_parts_are_damaged() -> None:
    damaged = PACKED.replace(CONTENT.model, b"M" * len(CONTENT.model))
    with pytest.raises(DamagedCheckpointError):
        unpack(damaged, "key")
    assert manifest_of(damaged, "key") == manifest()


@given(st.binary(max_size=200))
def test_row_36_no_bytes_make_reading_a_manifest_raise_anything_else(data: bytes) -> None:
    for bytes_ in (data, zipped({"manifest.json": data}), zipped({"other": data})):
        with pytest.raises(DamagedCheckpointError, match="damaged"):
            manifest_of(bytes_, "key")


def test_row_36_a_manifest_that_is_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(DamagedCheckpointError, match="compressed"):
        manifest_of(zipped({"manifest.json": bytes(10**7)}, zipfile.ZIP_DEFLATED), "key")


def test_versions_name_what_a_checkpoint_depends_on() -> None:
    assert versions().keys() == {"streamfit", "scikit-learn", "numpy", "skops"}
