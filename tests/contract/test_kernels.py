"""Every kernel of the registry against scikit-learn called row by row.

A new kernel needs no line here: what it is given follows from what scikit-learn says it takes.
"""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from learners.kernels.registry import all_kernels
from learners.outcome import joined
from tests.batches import assert_same_numbers, assert_same_predictions, cut, learn_in_parts
from tests.kernel_cases import Subject, cases, subjects
from tests.kernel_comparison import assert_close_numbers, assert_close_predictions

FEW = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


@pytest.fixture(params=subjects(), ids=lambda subject: subject.name, scope="module")
def subject(request: pytest.FixtureRequest) -> Subject:
    one: Subject = request.param
    return one


def test_each_kernel_is_held_against_scikit_learn() -> None:
    assert {id(subject.kernel) for subject in subjects()} == set(map(id, all_kernels()))


@FEW
@given(data=st.data())
def test_a_kernel_equals_scikit_learn_called_row_by_row(
    subject: Subject, data: st.DataObject
) -> None:
    case = data.draw(cases(subject))
    learner, general = case.compiled(), case.general()
    predictions = learn_in_parts(learner, case.batch, case.sizes)
    expected = general.test_then_train(case.batch)
    assert_close_predictions(case, predictions, expected)
    assert_close_numbers(learner.pipeline, general.pipeline)


@settings(FEW, max_examples=25)
@given(data=st.data())
def test_the_rows_that_scikit_learn_cannot_take_are_the_guilty_ones(
    subject: Subject, data: st.DataObject
) -> None:
    case = data.draw(cases(subject, guilty=True))
    learner, general = case.compiled(), case.general()
    predictions = learn_in_parts(learner, case.batch, case.sizes)
    expected = general.test_then_train(case.batch)
    assert_close_predictions(case, predictions, expected)
    assert_close_numbers(learner.pipeline, general.pipeline)


@settings(FEW, max_examples=12)
@given(data=st.data())
def test_cuts_stops_and_guilty_rows_leave_everything_else_bit_for_bit_the_same(
    subject: Subject, data: st.DataObject
) -> None:
    case = data.draw(cases(subject, guilty=True))
    whole = case.compiled()
    expected = learn_in_parts(whole, case.batch)

    stopped = case.compiled()
    parts = []
    for part in cut(case.batch, case.sizes):
        parts.append(stopped.test_then_train(part))
        snapshot = stopped.snapshot()
        stopped = case.compiled()
        stopped.restore(snapshot)

    clean = case.compiled()
    kept = learn_in_parts(clean, case.batch.take(expected.accepted), case.sizes)

    assert kept.accepted.all()
    assert_same_predictions(kept, expected.take(expected.accepted))
    for name in ("values", "accepted", "model_version"):
        together = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(together, getattr(expected, name))
    for learner in (stopped, clean):
        assert learner.model_version == whole.model_version
        assert_same_numbers(learner.pipeline, whole.pipeline)


@settings(FEW, max_examples=12)
@given(data=st.data())
def test_scikit_learn_goes_on_where_a_kernel_stopped(subject: Subject, data: st.DataObject) -> None:
    case = data.draw(cases(subject))
    first, rest = cut(case.batch, [len(case.batch) // 2])
    compiled, general, whole = case.compiled(), case.general(), case.general()
    predictions = [compiled.test_then_train(first)]
    general.restore(compiled.snapshot())
    predictions.append(general.test_then_train(rest))
    expected = whole.test_then_train(case.batch)
    assert_close_predictions(case, joined(predictions), expected)
    assert_close_numbers(general.pipeline, whole.pipeline)
