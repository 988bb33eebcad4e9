"""Several observers as one."""

from typing import Any

from consumers.views.observers import Observers
from metrics.facts import (
    BatchFacts,
    EpochFacts,
    RebalanceEvent,
    RollbackReason,
    ScoreFacts,
    State,
    TransactionResult,
)
from metrics.observer import Observer


class Noting:
    """Notes whatever is told, with its own name."""

    def __init__(self, name: str, notes: list[tuple[Any, ...]]) -> None:
        self._name, self._notes = name, notes

    def __getattr__(self, told: str) -> Any:
        return lambda *args, **kwargs: self._notes.append((self._name, told, args, kwargs))


def test_everything_is_told_to_every_observer_in_order() -> None:
    notes: list[tuple[Any, ...]] = []
    observers: list[Any] = [Noting("first", notes), Noting("second", notes)]
    both: Observer = Observers(observers)
    tell: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
        "batch": ((BatchFacts(0, 0, 0, 0, 0, 0, {}, {}, {}, {}, None, 0, {}),), {}),
        "scores": ((ScoreFacts(0, 0, {}, {}),), {}),
        "epoch": ((EpochFacts(True, 1, 0.0, {}, 0, {}),), {}),
        "state": ((State.RUNNING,), {}),
        "rebalance": ((RebalanceEvent.LOST, [1]), {}),
        "transaction": ((TransactionResult.ABORTED,), {}),
        "rollback": ((RollbackReason.LOST,), {}),
        "paused": ((), {"on": True}),
    }
    assert set(tell) == {name for name in vars(Observer) if not name.startswith("_")}
    for name, (args, kwargs) in tell.items():
        getattr(both, name)(*args, **kwargs)
        expected = [(observer, name, args, kwargs) for observer in ("first", "second")]
        assert notes == expected
        notes.clear()
