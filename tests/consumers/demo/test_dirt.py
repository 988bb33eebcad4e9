"""The demo's broken records: each is refused, and they are spread evenly."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.demo.dirt import BROKEN, mixed
from learners.decoding import JsonDecoder
from learners.schema import Schema

FEATURES = (
    *("date", "day", "period", "nswprice", "nswdemand"),
    *("vicprice", "vicdemand", "transfer"),
)
SCHEMA = Schema(features=FEATURES, id="id", label="label", classes=("DOWN", "UP"))


def records(count: int) -> Iterator[tuple[bytes, bytes]]:
    return ((b"good", str(i).encode()) for i in range(count))


def test_each_broken_record_is_refused_for_another_reason() -> None:
    from tests.records import records_of  # noqa: PLC0415 - one test alone decodes

    rejections = JsonDecoder(SCHEMA).decode(records_of(BROKEN)).rejections
    assert [rejection.row for rejection in rejections] == list(range(len(BROKEN)))
    assert len({(r.stage, r.reason, r.detail) for r in rejections}) == len(BROKEN)
    assert {str(r.stage) for r in rejections} == {"decode", "schema", "label"}


@given(st.integers(1, 200), st.integers(0, 300))
def test_so_many_are_added_and_no_good_one_is_lost_or_moved(total: int, count: int) -> None:
    found = list(mixed(records(total), total, count))
    assert [value for key, value in found if key == b"good"] == [v for _, v in records(total)]
    broken = [value for key, value in found if key == b"broken"]
    assert broken == [BROKEN[i % len(BROKEN)] for i in range(count)]


@pytest.mark.parametrize(("total", "count"), [(100, 4), (45_312, 20)])
def test_they_are_evenly_spread(total: int, count: int) -> None:
    keys = [key for key, _ in mixed(records(total), total, count)]
    places = [-1, *(i for i, key in enumerate(keys) if key == b"broken"), len(keys)]
    gaps = [after - before for before, after in pairwise(places)]
    assert max(gaps) - min(gaps) <= 2
