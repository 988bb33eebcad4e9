"""SIGTERM and SIGINT are a wish, whenever they come."""

import signal

import pytest

from consumers.loop.signals import StopWish

SIGNALS = [signal.SIGTERM, signal.SIGINT]


@pytest.mark.parametrize("number", SIGNALS)
def test_row_11_a_signal_asks_to_stop_and_raises_nothing(number: signal.Signals) -> None:
    calls: list[str] = []
    with StopWish() as wish:
        wish.stops(lambda: calls.append("stop"))
        assert calls == []
        signal.raise_signal(number)
        assert calls == ["stop"]


@pytest.mark.parametrize("number", SIGNALS)
def test_row_11_a_signal_before_there_is_anything_to_stop_is_not_forgotten(
    number: signal.Signals,
) -> None:
    calls: list[str] = []
    with StopWish() as wish:
        signal.raise_signal(number)
        wish.stops(lambda: calls.append("stop"))
        assert calls == ["stop"]


def test_row_12_a_second_signal_is_as_harmless_as_the_first() -> None:
    calls: list[str] = []
    with StopWish() as wish:
        wish.stops(lambda: calls.append("stop"))
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert set(calls) == {"stop"}


def test_the_handlers_before_it_are_back_after_it_even_after_an_error() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]

    def fail() -> None:
        with StopWish():
            assert [signal.getsignal(number) for number in SIGNALS] != before
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_row_12_a_signal_after_the_end_does_not_turn_an_orderly_end_into_another() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    try:
        with StopWish(at_the_end=True):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    finally:
        for number, handler in zip(SIGNALS, before, strict=True):
            signal.signal(number, handler)
