from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn import config_context
from threadpoolctl import threadpool_limits

from learners.compiled import CompiledLearner, has_kernels
from learners.events import EventBatch, Floats
from learners.general import GeneralLearner
from learners.kernels.kernel import Matrix, Rows, SparseRows
from learners.kernels.mini_batch_kmeans import KERNEL
from learners.model_spec import StepSpec
from learners.pipeline import build_pipeline
from tests.batches import (
    assert_same_numbers,
    assert_same_predictions,
    batch_of,
    cut,
    learn_in_parts,
)

EXACT = ("cluster_centers_", "_counts", "n_steps_", "_n_since_last_reassign", "labels_")
FEW = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


@dataclass(frozen=True)
class Case:
    parameters: dict[str, Any]
    batch: EventBatch
    sizes: list[int]

    @property
    def n_clusters(self) -> int:
        return int(self.parameters["n_clusters"])

    def model(self) -> Any:
        return build_pipeline([StepSpec("MiniBatchKMeans", self.parameters)])[-1]

    def started(self, *, sparse: bool = False) -> Any:
        """Give a model that has its first centres from scikit-learn."""
        X = np.asarray(self.batch.X)[: self.n_clusters]
        return self.model().partial_fit(csr_array(X) if sparse else X)

    def compiled(self) -> CompiledLearner:
        return CompiledLearner(build_pipeline([StepSpec("MiniBatchKMeans", self.parameters)]))

    def general(self) -> GeneralLearner:
        return GeneralLearner(build_pipeline([StepSpec("MiniBatchKMeans", self.parameters)]))


@st.composite
def cases(draw: st.DrawFn, *, guilty: bool = False, most_features: int = 9) -> Case:
    n_clusters, n_features = draw(st.integers(1, 8)), draw(st.integers(1, most_features))
    n_rows = n_clusters + draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.normal(size=(n_rows, n_features)) * 10.0 ** rng.integers(-2, 3, n_features)
    X[rng.random(X.shape) < draw(st.sampled_from([0.0, 0.5, 0.9]))] = 0.0
    if draw(st.booleans()):  # alike rows become alike centres, and some clusters stay empty
        X[rng.random(n_rows) < 0.4] = X[0]
    if guilty:
        bad = np.asarray(rng.random(X.shape) < draw(st.sampled_from([0.02, 0.2])))
        bad[:n_clusters] = False
        # So large that a cluster of any size would become too large by them.
        X[bad] = rng.choice([1e15, 1e30, -1e155, 1e308], bad.sum())
    return Case(
        parameters={
            "n_clusters": n_clusters,
            "init": draw(st.sampled_from(["k-means++", "random"])),
            "batch_size": draw(st.sampled_from([1, 3, 1024])),
            "compute_labels": draw(st.booleans()),
            "n_init": 1,
            "random_state": draw(st.integers(0, 3)),
        },
        batch=batch_of(X),
        sizes=draw(st.lists(st.integers(1, 20), max_size=6)),
    )


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    # One thread: scikit-learn's, several, would wait for one another more than they work.
    with (
        threadpool_limits(1, user_api="openmp"),
        np.errstate(all="ignore"),
        config_context(skip_parameter_validation=True),
    ):
        yield


def is_close_call(model: Any, x: Floats) -> bool:
    """Tell whether two different centres are as near to a row as rounding goes."""
    centres = np.unique(model.cluster_centers_, axis=0)
    norms, products = (centres**2).sum(axis=1), centres @ x.ravel()
    distances = np.sort(norms - 2.0 * products)
    scale = norms.max() + np.abs(products).max()
    return bool(len(distances) > 1 and distances[1] - distances[0] <= 1e-9 * scale)


def assert_equal_models(mine: Any, theirs: Any) -> None:
    assert vars(mine).keys() == vars(theirs).keys()
    for name in EXACT:
        if hasattr(theirs, name):
            value, expected = getattr(mine, name), getattr(theirs, name)
            assert type(value) is type(expected), name
            assert np.asarray(value).dtype == np.asarray(expected).dtype, name
            np.testing.assert_array_equal(value, expected, err_msg=name)
    if hasattr(theirs, "inertia_"):
        assert type(mine.inertia_) is type(theirs.inertia_)
        scale = max(1.0, np.abs(theirs.cluster_centers_).max() ** 2)
        assert mine.inertia_ == pytest.approx(theirs.inertia_, rel=1e-9, abs=1e-12 * scale)


@FEW
@given(cases())
def test_clusters_equal_scikit_learn_called_row_by_row(case: Case) -> None:
    learner = case.compiled()
    n = len(case.batch)
    predictions = learn_in_parts(learner, case.batch, case.sizes)
    reference = case.started()
    for i in range(case.n_clusters, n):
        x = np.asarray(case.batch.X)[i : i + 1]
        assume(not is_close_call(reference, x))
        assert predictions.values[i] == reference.predict(x)[0]
        reference.partial_fit(x)
    assert predictions.accepted.all()
    assert learner.model_version == n
    assert_equal_models(learner.pipeline[-1], reference)


@FEW
@given(cases(most_features=30))
def test_clusters_in_csr_equal_scikit_learn_fed_csr(case: Case) -> None:
    X = csr_array(case.batch.X)
    reference = case.started(sparse=True)
    whole, parted = deepcopy(reference), deepcopy(reference)
    first, n = case.n_clusters, len(case.batch)
    values = run_in_csr(whole, X[first:])
    for i in range(first, n):
        assume(not is_close_call(reference, np.asarray(case.batch.X)[i]))
        assert values[i - first] == reference.predict(X[i : i + 1])[0]
        reference.partial_fit(X[i : i + 1])
    assert_equal_models(whole, reference)
    start = first
    for size in (*case.sizes, n):
        stop = min(start + size, n)
        np.testing.assert_array_equal(
            run_in_csr(parted, X[start:stop]), values[start - first : stop - first]
        )
        start = stop
    assert_same_numbers([parted], [whole])


def run_in_csr(model: Any, X: csr_array) -> NDArray[Any]:
    n = X.shape[0]
    # Other rows stand before these in the same arrays.
    matrix = Matrix(
        indptr=(X.indptr + 1).astype(np.int32),
        indices=np.append(0, X.indices).astype(np.int32),
        data=np.append(9.0, X.data),
        n_features=X.shape[1],
    )
    values = np.zeros(n, np.int64)
    rows = SparseRows(matrix, np.zeros(n, np.int64), np.ones(n, np.bool_), values, np.zeros((0, 0)))
    assert KERNEL.run_sparse is not None
    assert KERNEL.run_sparse(model, rows, np.inf) == n
    return values


@FEW
@given(cases(guilty=True))
def test_the_rows_that_the_general_path_refuses_are_the_guilty_ones(case: Case) -> None:
    general, learner = case.general(), case.compiled()
    expected = general.test_then_train(case.batch)
    predictions = learn_in_parts(learner, case.batch, case.sizes)
    np.testing.assert_array_equal(predictions.accepted, expected.accepted)
    np.testing.assert_array_equal(predictions.model_version, expected.model_version)
    assert 0 < learner.model_version == general.model_version


@FEW
@given(cases(guilty=True), st.lists(st.integers(1, 20), max_size=6))
def test_cuts_and_stops_of_clusters_leave_everything_bit_for_bit_the_same(
    case: Case, other_sizes: list[int]
) -> None:
    whole = case.compiled()
    expected = learn_in_parts(whole, case.batch)
    stopped = case.compiled()
    parts = []
    for part in cut(case.batch, other_sizes):
        parts.append(stopped.test_then_train(part))
        snapshot = stopped.snapshot()
        stopped = case.compiled()
        stopped.restore(snapshot)
    clean = case.compiled()
    kept = learn_in_parts(clean, case.batch.take(expected.accepted), case.sizes)
    assert kept.accepted.all()
    assert_same_predictions(kept, expected.take(expected.accepted))
    for name in ("values", "accepted"):
        found = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(found, getattr(expected, name))
    assert_same_numbers(stopped.pipeline, whole.pipeline)
    assert_same_numbers(clean.pipeline, whole.pipeline)


def test_a_row_between_two_centres_goes_to_the_first() -> None:
    model = Case({"n_clusters": 3, "init": "random"}, batch_of(np.eye(3)), []).started()
    model.cluster_centers_[:] = [[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 4.0, 0.0]]
    Z = np.array([[1.0, 1.0, 5.0], [0.0, 1.0, 0.0]])
    values = np.zeros(2, np.int64)
    rows = Rows(Z, values.copy(), np.zeros(2, np.bool_), values, np.zeros((0, 0)))
    before = deepcopy(model)
    assert KERNEL.run(model, rows, np.inf) == 2
    assert values.tolist() == model.predict(Z).tolist() == [0, 1]
    assert_same_numbers([model], [before])


def test_clusters_that_may_be_reassigned_have_no_kernel() -> None:
    pipeline = build_pipeline([StepSpec("MiniBatchKMeans", {})])
    assert has_kernels(pipeline)
    pipeline[-1].reassignment_ratio = 0.01
    assert not has_kernels(pipeline)
