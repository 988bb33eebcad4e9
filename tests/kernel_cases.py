"""Made-up pipelines and events for every kernel, drawn from what scikit-learn says it takes."""

import warnings
from dataclasses import dataclass, replace
from functools import cache
from numbers import Integral
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.base import is_classifier, is_regressor
from sklearn.utils import all_estimators
from sklearn.utils._param_validation import Interval, Options, StrOptions

from learners.compiled import CompiledLearner
from learners.events import EventBatch, Floats
from learners.factory import make_learner
from learners.general import GeneralLearner
from learners.guard import Guard
from learners.kernels.kernel import TransformerKernel
from learners.kernels.registry import Kernel, all_kernels
from learners.model_spec import ModelSpecError, StepSpec
from learners.pipeline import build_pipeline
from tests.batches import batch_of

N_CATEGORIES = 4
_REALS = (
    0.0,
    1e-7,
    1e-4,
    0.01,
    0.15,
    0.3,
    0.5,
    0.9,
    1.0,
    2.5,
    99.9999999999,
)  # the last nearly undoes a step of 0.01
_INTEGERS = (0, 1, 2, 3, 5, 20)
_RANGES = ((0, 1), (-1.0, 1.0), (0.5, 2.0), (-3, -2.5))
# Pinned, without effect on single rows, or only loud.
_LEFT_OUT = {"shuffle", "early_stopping", "random_state", "reassignment_ratio"} | {
    *("copy", "verbose", "n_jobs", "warm_start", "max_iter", "tol", "validation_fraction"),
    *("n_iter_no_change", "init_size", "n_init", "batch_size", "max_no_improvement"),
}


@dataclass(frozen=True)
class Subject:
    """A kernel with one of scikit-learn's estimators that it takes."""

    kernel: Kernel
    estimator: Any

    @property
    def name(self) -> str:
        return type(self.estimator).__name__

    @property
    def is_transformer(self) -> bool:
        return isinstance(self.kernel, TransformerKernel)


@cache
def subjects() -> tuple[Subject, ...]:
    """Give each kernel with each estimator that it takes."""
    names = [name for name, cls in all_estimators() if hasattr(cls, "partial_fit")]
    estimators = [one for one in map(_built, names) if one is not None]
    return tuple(
        Subject(kernel, one) for kernel in all_kernels() for one in estimators if kernel.takes(one)
    )


def _built(name: str) -> Any:
    """Build an estimator as a settings file would; None if it is not for streams."""
    needed = {"min_categories": N_CATEGORIES} if name == "CategoricalNB" else {}
    for after in ([], [StepSpec("SGDClassifier", {})]):
        try:
            return build_pipeline([StepSpec(name, needed), *after])[0]
        except ModelSpecError:
            pass
    return None


@dataclass(frozen=True)
class Case:
    """A pipeline, events for it, and how they are cut."""

    steps: list[StepSpec]
    classes: tuple[int, ...] | None
    batch: EventBatch
    sizes: list[int]
    guard: Guard

    def compiled(self) -> CompiledLearner:
        sparse = not isinstance(self.batch.X, np.ndarray)
        n_features = self.batch.X.shape[1]
        learner = make_learner(self.steps, self.classes, n_features, 1, self.guard, sparse=sparse)
        assert isinstance(learner, CompiledLearner)
        return learner

    def general(self) -> GeneralLearner:
        return GeneralLearner(self.compiled().pipeline, self.classes, 1, self.guard)


@st.composite
def cases(draw: st.DrawFn, subject: Subject, *, guilty: bool = False) -> Case:
    """Draw a case in which the subject's estimator is a step."""
    first, predictor = _chain(draw, subject)
    tags = predictor.estimator.__sklearn_tags__().input_tags
    sparse = all(one.kernel.run_sparse for one in [*first, predictor]) and draw(st.booleans())
    n_classes = draw(st.integers(2, 4))
    X = _features(draw, tags, wild=bool(first), sparse=sparse)
    if guilty:
        _spoil(draw, X)
    y, classes = _labels(draw, predictor.estimator, len(X), n_classes)
    labelled = np.array(draw(st.lists(st.booleans(), min_size=len(X), max_size=len(X))))
    labelled |= draw(st.booleans())
    batch = batch_of(X, y, labelled)
    if sparse:
        batch = replace(batch, X=_in_csr(draw, X))
    case = Case(
        steps=[
            StepSpec(one.name, _parameters(draw, one, n_classes, own=one is subject, sparse=sparse))
            for one in [*first, predictor]
        ],
        classes=classes,
        batch=batch,
        sizes=draw(st.lists(st.integers(1, 15), max_size=5)),
        guard=Guard(draw(st.sampled_from([1.0, 1e12]))) if guilty else Guard(np.inf),
    )
    assume(_has_kernels(case))
    return case


def _has_kernels(case: Case) -> bool:
    """Tell whether the drawn parameters go together, and the kernels take them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            case.compiled()
    except (ModelSpecError, UserWarning, AssertionError):
        return False
    return True


def _chain(draw: st.DrawFn, subject: Subject) -> tuple[list[Subject], Subject]:
    """Draw the steps around a subject: at most two transformers, and a predictor."""
    others = [one for one in subjects() if one.is_transformer]
    if subject.is_transformer:
        # Its steps are bounded, so that rounding does not grow however large the features are.
        predictor = next(one for one in subjects() if one.name == "SGDClassifier")
        return [subject, *draw(st.lists(st.sampled_from(others), max_size=1))], predictor
    tags = subject.estimator.__sklearn_tags__().input_tags
    if tags.positive_only or tags.categorical:
        return [], subject
    return draw(st.lists(st.sampled_from(others), max_size=2)), subject


def _features(draw: st.DrawFn, tags: Any, *, wild: bool, sparse: bool) -> Floats:
    n_features, n_rows = draw(st.integers(1, 6)), draw(st.integers(2, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if tags.categorical:
        return rng.integers(0, N_CATEGORIES, (n_rows, n_features)).astype(float)
    X: Floats = rng.normal(size=(n_rows, n_features))
    if wild:  # a scaler must stand what its predictor never sees
        X *= 10.0 ** rng.integers(-6, 7, n_features)
        X += rng.choice([0.0, 0.0, 1e6, -1e6], n_features)
    X[:, rng.random(n_features) < 0.2] = draw(
        st.sampled_from([0.0, 3.0, 1e6 + 0.1 if wild else 0.1])
    )
    if sparse:
        X[rng.random(X.shape) < 0.6] = 0.0
    return np.abs(np.round(X, draw(st.integers(0, 3)))) if tags.positive_only else X


def _spoil(draw: st.DrawFn, X: Floats) -> None:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    # Where terms of a dot product are infinite, its value depends on the order of adding them.
    largest = 1e308 if X.shape[1] == 1 else 1e290
    bad = (rng.random(len(X)) < 0.2)[:, None] & (X != 0.0)
    X[bad] = draw(st.sampled_from([-1.0, 1e30, 1e155, largest]))


def _labels(
    draw: st.DrawFn, estimator: Any, n_rows: int, n_classes: int
) -> tuple[NDArray[Any], tuple[int, ...] | None]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if is_classifier(estimator):
        return rng.integers(0, n_classes, n_rows), tuple(range(n_classes))
    if is_regressor(estimator):
        return rng.normal(size=n_rows) * draw(st.sampled_from([0.1, 1.0, 30.0])), None
    return np.zeros(n_rows, np.int64), None


def _in_csr(draw: st.DrawFn, X: Floats) -> csr_array:
    """Give rows in CSR, maybe with many more columns between their own."""
    n_features = draw(st.sampled_from([X.shape[1], 300]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    columns = np.sort(rng.choice(n_features, X.shape[1], replace=False))
    stored = csr_array(X)
    indptr, indices = stored.indptr.astype(np.int32), columns[stored.indices].astype(np.int32)
    return csr_array((stored.data, indices, indptr), shape=(len(X), n_features))


def _parameters(
    draw: st.DrawFn, one: Subject, n_classes: int, *, own: bool, sparse: bool
) -> dict[str, Any]:
    """Draw some parameters of the estimator under test; others have their defaults."""
    chosen: dict[str, Any] = {}
    if own:
        parameters = one.estimator.get_params()
        for name, constraints in one.estimator._parameter_constraints.items():
            values = [value for rule in constraints for value in _values(name, rule, n_classes)]
            known = name in parameters and name not in _LEFT_OUT and len(values) > 0
            if known and draw(st.integers(0, 2)):
                chosen[name] = draw(st.sampled_from(values))
    if sparse and hasattr(one.estimator, "with_mean"):
        chosen["with_mean"] = False  # centred rows are dense
    if hasattr(one.estimator, "min_categories"):
        chosen["min_categories"] = N_CATEGORIES
    return chosen


def _values(name: str, constraint: Any, n_classes: int) -> list[Any]:
    """Give some of the values that a constraint allows."""
    if isinstance(constraint, Interval):
        numbers = _INTEGERS if constraint.type is Integral else _REALS
        return [number for number in numbers if number in constraint]
    if isinstance(constraint, (StrOptions, Options)):
        return sorted(constraint.options - {"balanced"}, key=str)
    if name in ("class_prior", "priors") and constraint == "array-like":
        return [[0.5 ** min(k + 1, n_classes - 1) for k in range(n_classes)]]
    weights = [{"0": 2.5}, {str(k): k + 0.5 for k in range(n_classes)}]
    known: list[tuple[Any, list[Any]]] = [
        ("boolean", [True, False]),
        (None, [None]),
        (dict, weights),
        (tuple, [*_RANGES]),
    ]
    return next((values for kind, values in known if constraint == kind), [])
