"""Named places at which a test lets the process die."""

import os
import signal

import pytest

from consumers.errors import SettingsError
from consumers.loop.failpoints import NAMES, failpoints, nothing


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Give the signals that would have been sent to this process."""
    signals: list[int] = []

    def kill(pid: int, number: int) -> None:
        assert pid == os.getpid()
        signals.append(number)

    monkeypatch.setattr(os, "kill", kill)
    return signals


def test_without_a_plan_nothing_is_counted() -> None:
    assert failpoints("") is nothing
    nothing("learned")


def test_the_nth_time_counts_and_no_other(sent: list[int]) -> None:
    reach = failpoints("learned:3=kill")
    found = []
    for _ in range(5):
        reach("learned")
        reach("decoded")
        found.append(len(sent))
    assert found == [0, 0, 1, 1, 1]
    assert sent == [signal.SIGKILL]


def test_several_plans_are_joined_by_commas(sent: list[int]) -> None:
    reach = failpoints("saved:1=stop, saved:2=kill,gc:1=stop")
    for name in ("saved", "saved", "gc"):
        reach(name)
    assert sent == [signal.SIGSTOP, signal.SIGKILL, signal.SIGSTOP]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_can_be_planned(sent: list[int], name: str) -> None:
    failpoints(f"{name}:1=kill")(name)
    assert sent == [signal.SIGKILL]


@pytest.mark.parametrize(
    "plan",
    [
        *("learned", "learned:3", "learned=kill", "learned:0=kill", "learned:-1=kill"),
        *("learned:x=kill", "learned:1=explode", "nowhere:1=kill", "learned:1=kill,", ","),
        *("learned:1=kill;saved:1=kill", "Learned:1=kill"),
    ],
)
def test_a_plan_that_cannot_be_read_names_the_mend(plan: str) -> None:
    with pytest.raises(SettingsError) as caught:
        failpoints(plan)
    text = str(caught.value)
    assert text.startswith("STREAMFIT_FAILPOINT: ")
    assert "<name>:<n>=<action>" in text
    assert "offsets_sent" in text
    assert "kill, stop" in text
    assert caught.value.exit_code == 2
