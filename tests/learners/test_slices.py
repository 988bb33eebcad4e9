"""Many values in one buffer: they are what a list of them would be."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from learners.slices import ROOM, Slices, taken

VALUES = st.lists(st.binary(max_size=20), max_size=20)


@given(VALUES, st.data())
def test_slices_are_what_a_list_would_be(values: list[bytes], data: st.DataObject) -> None:
    slices = Slices.of(values)
    assert slices == values
    assert len(slices) == len(values)
    assert [slices[i] for i in range(len(values))] == values
    cut = data.draw(st.slices(len(values)).filter(lambda cut: cut.step in (None, 1)))
    assert slices[cut] == values[cut]
    rows = data.draw(st.lists(st.integers(0, max(0, len(values) - 1)), max_size=9 * bool(values)))
    positions = np.array(rows, dtype=np.int64)
    assert taken(slices, positions) == taken(values, positions) == [values[row] for row in rows]


@given(VALUES, st.data())
def test_with_room_they_stand_one_after_the_other_and_zeros_behind(
    values: list[bytes], data: st.DataObject
) -> None:
    rows = data.draw(st.lists(st.integers(0, max(0, len(values) - 1)), max_size=9 * bool(values)))
    for slices in (
        Slices.of(values),
        Slices.of(values)[: len(values) // 2],
        Slices.of(values).take(np.array(rows, dtype=np.int64)),
    ):
        buffer, ends = slices.with_room()
        assert buffer.tobytes() == b"".join(slices) + bytes(ROOM)
        assert ends.tolist() == np.cumsum([len(value) for value in slices]).tolist()
        assert buffer.flags.writeable


def test_a_buffer_that_has_room_is_given_as_it_is() -> None:
    buffer = np.frombuffer(bytearray(b"onetwo" + bytes(ROOM)), np.uint8)
    whole = Slices.joined(buffer, np.array([3, 6]))
    assert np.shares_memory(whole.with_room()[0], buffer)
    # What follows is no zero, or too little: the one value must not run into the next.
    assert whole[:1].with_room()[0].tobytes() == b"one" + bytes(ROOM)
    assert whole[1:].with_room()[0].tobytes() == b"two" + bytes(ROOM)
    short = Slices.joined(buffer[: 6 + ROOM - 1], np.array([3, 6]))
    assert short.with_room()[0].tobytes() == b"onetwo" + bytes(ROOM)
