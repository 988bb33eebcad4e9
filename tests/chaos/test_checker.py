"""The checker finds nothing in honest runs, and every broken promise in others."""

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.changes import again, changed, letters, predictions, without
from tests.chaos.checker import Folds
from tests.chaos.evidence import Model, Record
from tests.chaos.honest import HonestRun, events, finish
from tests.chaos.inputs import Event
from tests.chaos.oracle import Fold
from tests.chaos.plays import found_in, has, played, raw

HERE = Path(__file__).parent
PROGRAM = {"consumers", "producers", "learners", "metrics", "streamfit"}


@pytest.mark.parametrize("crashes", [0, 4])
@pytest.mark.parametrize("partitions", [1, 3])
@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
@pytest.mark.parametrize("scope", ["global", "partition"])
def test_nothing_is_found_in_an_honest_run(
    scope: str, delivery: str, partitions: int, crashes: int
) -> None:
    evidence, run = played(scope, delivery, partitions, crashes)
    assert found_in(evidence, delivery, scope, history=run.history, faults=crashes) == []


def test_nothing_is_found_before_anything_was_committed() -> None:
    run = HonestRun(raw(), 2)
    run.read(0, 20)
    assert found_in(run.evidence(), complete=False) == []
    assert has(found_in(run.evidence()), "O5", "partition 0 is committed at 0, its input ends")


def test_several_checks_of_one_run_go_on_with_one_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    run, folds = HonestRun(raw(), 3), Folds(Model())
    learned: list[Event] = []
    advance = Fold.advance

    def counted(fold: Fold, event: Event) -> None:
        learned.append(event)
        advance(fold, event)

    monkeypatch.setattr(Fold, "advance", counted)
    for _ in range(4):
        for partition in range(3):
            run.read(partition, 6)
        run.commit()
        assert found_in(run.evidence(), complete=False, folds=folds) == []
    assert 60 <= len(learned) <= 60 + 4 * 6  # the events of an open version come again


def test_a_prediction_that_was_too_large_is_judged_among_the_dead_letters() -> None:
    run = HonestRun(raw(), 2)
    run.too_large = {"e7", "e20"}
    evidence = finish(run)
    assert found_in(evidence) == []
    index = [b'"e20"' in (letter.value or b"") for letter in evidence.dead_letters[0]].index(True)
    assert has(found_in(letters(changed, 0, index, probability=0.1)(evidence)), "O1", "scikit-lea")
    assert has(found_in(letters(without, 0, index)(evidence)), "O2", "neither in the predictions")


def test_a_stopped_process_that_sends_late_what_is_said_otherwise_by_now_is_no_violation() -> None:
    run = HonestRun(events(60), 2)
    run.read(0, 10)
    run.commit()
    zombie = _played_on(run, [1] * 10 + [0] * 10)
    run.crash()
    run.read(0, 5)
    run.read(1, 5)
    for output, late in zombie.items():  # into the middle of what its successor says
        log = run.predictions[output]
        log += [replace(each, offset=len(log) + i) for i, each in enumerate(late)]
    evidence = finish(run)
    assert found_in(evidence, faults=1) == []
    assert has(found_in(evidence, faults=0), "O1", "both have version")


def _played_on(run: HonestRun, turns: list[int]) -> dict[int, list[Record]]:
    """Give what a process would say next, and take it back."""
    before = {output: len(log) for output, log in run.predictions.items()}
    for partition in turns:
        run.read(partition)
    late = {output: log[before[output] :] for output, log in run.predictions.items()}
    for output, log in run.predictions.items():
        del log[before[output] :]
    return late


@pytest.mark.parametrize("scope", ["global", "partition"])
def test_under_exactly_once_nothing_is_repeated_whatever_the_faults(scope: str) -> None:
    evidence, _ = played(scope, "exactly_once")
    twice = predictions(again, 0, -3)(evidence)
    found = found_in(twice, "exactly_once", scope, faults=9)
    assert has(found, "O3", "stands 2 times")


def test_under_exactly_once_nothing_can_be_read_beyond_the_committed_offset() -> None:
    run = HonestRun(raw(), 2, delivery="exactly_once")
    run.read(0, 10)
    run.commit()
    run.read(0, 5)
    assert found_in(run.evidence(), complete=False) == []
    found = found_in(run.evidence(), "exactly_once", complete=False)
    assert has(found, "O3", "of record 0/10 can be read, but only 10 is committed")


def test_a_model_that_kept_what_a_crash_undid_is_found() -> None:
    run = HonestRun(raw(), 1)
    run.read(0, 20)
    run.commit()
    run.read(0, 10)
    run.next[0] = 20  # the offsets go back, the model does not
    evidence = finish(run)
    assert has(found_in(evidence, faults=1), "O1", "has model version")


def test_offsets_that_are_gone_on_with_one_too_high_are_found() -> None:
    run = HonestRun(raw(), 2)
    run.read(0, 20)
    run.commit()
    run.next[0] += 1
    found = found_in(finish(run))
    assert has(found, "O2", "record 0/20 is below the committed offset, and neither")


def test_a_model_that_begins_anew_in_silence_is_found() -> None:
    run = HonestRun(raw(), 1)
    run.read(0, 50)
    run.commit()
    run.models["global"].__init__()  # type: ignore[misc] # as a fresh start makes it
    found = found_in(finish(run))
    assert {each.rule for each in found} >= {"O1"}


def test_the_model_of_another_partition_is_found() -> None:
    run = HonestRun(raw(), 2, "partition")
    run.read(0, 20)
    run.read(1, 20)
    run.commit()
    run.models["0"], run.models["1"] = run.models["1"], run.models["0"]
    evidence = finish(run)
    assert has(found_in(evidence, scope="partition"), "O1", "scikit-learn says|model version")


def test_a_pointer_to_the_checkpoint_of_another_partition_is_found() -> None:
    evidence, _ = played("partition")
    places = {**evidence.committed, 0: replace(evidence.committed[1], offset=1)}
    found = found_in(replace(evidence, committed=places), scope="partition")
    assert has(found, "O1", "not where those of model 0 are kept")


def test_the_checker_shares_no_code_with_the_program() -> None:
    seen, waiting = set(), {"checker", "evidence"}
    while waiting:
        name = waiting.pop()
        seen.add(name)
        tree = ast.parse((HERE / f"{name}.py").read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or "."]
            else:
                continue
            assert not {module.partition(".")[0] for module in modules} & {*PROGRAM, ""}
            own = {m for m in modules if m.partition(".")[0] == "tests"}
            assert all(m.startswith("tests.chaos.") for m in own), own
            waiting |= {m.removeprefix("tests.chaos.") for m in own} - seen
    assert seen >= {"checker", "evidence", "oracle", "learning_rule"}


def test_nothing_of_the_program_is_loaded_with_the_checker() -> None:
    code = "import sys, tests.chaos.checker; print(*{n.partition('.')[0] for n in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not PROGRAM & set(done.stdout.split())
