"""O1: each model is what scikit-learn makes of the valid input below the committed offset."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tests.chaos.evidence import Model
from tests.chaos.ledger import Ledger
from tests.chaos.oracle import TOLERANCE, Fold, Said
from tests.chaos.ordering import Told, Turn, fold_turn, other_choices, turns_of
from tests.chaos.outputs import Prediction
from tests.chaos.stored import Complain, Stored
from tests.chaos.units import Unit


class Folds:
    """Folds of several checks of one run: what one has learned, the next one goes on from.

    Parameters
    ----------
    model : Model
        What is learned.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._kept: dict[str, Fold] = {}

    def of(self, name: str, turns: list[Turn]) -> Fold:
        """Fold the turns of a model."""
        fold = self._kept.get(name)
        if fold is None or not _goes_on(fold, turns):
            fold = Fold(self._model)
        for turn in turns[fold.learned : -1]:
            fold_turn(fold, turn)
        self._kept[name] = fold.copy()  # the last turn may get more events
        fold_turn(fold, turns[-1])
        return fold


def _goes_on(fold: Fold, turns: list[Turn]) -> bool:
    start = 0
    for turn in turns[: fold.learned]:
        places = turn.places()
        if sorted(fold.done[start : start + len(places)]) != places:
            return False
        start += len(places)
    return fold.learned < len(turns) and start == len(fold.done)


def check_learning(
    unit: Unit, ledger: Ledger, folds: Folds, restarts: int, complain: Complain
) -> None:
    """Hold a model, and all that it said, against the fold.

    Parameters
    ----------
    unit : Unit
        The model.
    ledger : Ledger
        What became of each event.
    folds : Folds
        Of this run.
    restarts : int
        How often an event may have been told again.
    complain : callable
        Takes what is wrong.
    """
    told = _told(unit, ledger)
    complaints = _complaints(unit, told, folds)
    if complaints and restarts:
        others = (_complaints(unit, other, folds) for other in other_choices(told))
        complaints = [] if any(not other for other in others) else complaints
    for text in complaints:
        complain(text)


def _complaints(unit: Unit, told: Mapping[int, Sequence[Told]], folds: Folds) -> list[str]:
    found: list[str] = []
    turns = turns_of(told, found.append)
    if turns is None:
        return found
    fold = folds.of(unit.name, turns)
    found += _wrong_predictions(turns, fold, alone=len(unit.partitions) == 1)
    if unit.stored is not None:
        found += _differences_of(unit.stored, fold)
    return found


def _wrong_predictions(turns: Sequence[Turn], fold: Fold, *, alone: bool) -> Iterator[str]:
    told = {each.place: each for turn in turns for each in turn.events()}
    for place, said in zip(fold.done, fold.said, strict=True):
        # One partition has one order of learning: whoever says it again says the same.
        for copy in told[place].copies if alone else (told[place].counts,):
            if copy.version != said.version or not said.agrees(copy.value, copy.probability):
                yield _disagreement(copy, said)


def _told(unit: Unit, ledger: Ledger) -> dict[int, list[Told]]:
    told: dict[int, list[Told]] = {partition: [] for partition in unit.partitions}
    for place, event in ledger.events.items():
        copies = tuple(ledger.said.get(place, ()))
        counts = event.offset < unit.bounds.get(event.partition, 0)
        if counts and copies and place not in ledger.refused:
            told[event.partition].append(Told(event, copies, copies[-1]))
    return told


def _disagreement(copy: Prediction, said: Said) -> str:
    right = f"{said.value!r} at version {said.version}, probabilities {dict(said.probabilities)}"
    return (
        f"prediction at {copy.record.partition}/{copy.record.offset} of event "
        f"{copy.place[0]}/{copy.place[1]} is {copy.value!r} at version {copy.version}, "
        f"probability {copy.probability}; scikit-learn says {right}"
    )


def _differences_of(stored: Stored, fold: Fold) -> Iterator[str]:
    where = f"checkpoint {stored.pointer.key}"
    if stored.learner["model_version"] != fold.learned:
        yield (
            f"{where}: model version {stored.learner['model_version']}, but {fold.learned} "
            "labelled events are below the committed offsets"
        )
    found = [step for _, step in stored.pipeline.steps]
    if [type(step) for step in found] != [type(step) for step in fold.steps]:
        yield f"{where}: another pipeline: {stored.pipeline}"
        return
    for step, right in zip(found, fold.steps, strict=True):
        for difference in differences(vars(step), vars(right)):
            yield f"{where}: {type(step).__name__}.{difference}"
    rows, right_rows = stored.learner["open_rows"], fold.open_rows
    if not _alike(rows, np.concatenate(right_rows) if right_rows else []):
        yield f"{where}: the open stride has {len(rows)} rows, not the {len(right_rows)} right ones"


def differences(found: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[str]:
    """Tell which of an estimator's learned numbers are not the right ones.

    Parameters
    ----------
    found, right : mapping of str to Any
        Attributes of two estimators of one class.
    """
    for name in sorted({name for name in (*found, *right) if name.endswith("_")}):
        if (name in found) != (name in right):
            yield f"{name} is {'not there' if name in right else 'there, and should not be'}"
        elif _is_numeric(right[name]) and not _alike(found[name], right[name]):
            yield f"{name} is {_short(found[name])}, scikit-learn has {_short(right[name])}"


def _is_numeric(value: Any) -> bool:
    return value is None or np.asarray(value).dtype.kind in "fiubU"


def _alike(found: Any, right: Any) -> bool:
    found, right = np.asarray(found), np.asarray(right)
    if not found.size + right.size:
        return True
    if found.shape != right.shape:
        return False
    if right.dtype.kind != "f":
        return bool(np.array_equal(found, right))
    gap = np.abs(found - right)  # NaN and infinity are never alike
    return bool((gap <= TOLERANCE * np.maximum(1.0, np.abs(right))).all())


def _short(value: Any) -> str:
    return np.array2string(np.asarray(value), precision=12, threshold=8).replace("\n", "")
