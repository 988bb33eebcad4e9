"""Cases of naive Bayes for tests, and what it means that two models are close."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from learners.compiled import CompiledLearner
from learners.events import EventBatch, Floats
from learners.general import GeneralLearner
from learners.model_spec import StepSpec
from learners.pipeline import build_pipeline
from tests.batches import batch_of, numbers_of

TOLERANCE = 1e-9  # relative to max(1, |value|)
N_CATEGORIES = 4
IN_CSR = ["BernoulliNB", "MultinomialNB", "ComplementNB"]
ALL = ["GaussianNB", "CategoricalNB", *IN_CSR]


@dataclass(frozen=True)
class Case:
    use: str
    parameters: dict[str, Any]
    n_classes: int
    batch: EventBatch
    sizes: list[int]

    @property
    def classes(self) -> tuple[int, ...]:
        return tuple(range(self.n_classes))

    def model(self) -> Any:
        return build_pipeline([StepSpec(self.use, self.parameters)])[-1]

    def compiled(self) -> CompiledLearner:
        return CompiledLearner(build_pipeline([StepSpec(self.use, self.parameters)]), self.classes)

    def general(self) -> GeneralLearner:
        return GeneralLearner(build_pipeline([StepSpec(self.use, self.parameters)]), self.classes)


def priors(draw: st.DrawFn, n_classes: int) -> list[float] | str:
    weights = draw(st.lists(st.integers(1, 5), min_size=n_classes, max_size=n_classes))
    given = draw(st.booleans())
    return [weight / sum(weights) for weight in weights] if given else "none"


def parameters(
    draw: st.DrawFn, use: str, n_classes: int, n_features: int, *, guilty: bool
) -> dict[str, Any]:
    if use == "GaussianNB":
        # With these a prediction may not be a number.
        extremes = [0.0, 1e300] if guilty else []
        return {
            "var_smoothing": draw(st.sampled_from([1e-9, 1e-3, 1.0, *extremes])),
            "priors": priors(draw, n_classes),
        }
    chosen: dict[str, Any] = {
        "alpha": draw(st.sampled_from([0.02, 0.3, 1.0, 7.5])),
        "force_alpha": draw(st.booleans()),
        "fit_prior": draw(st.booleans()),
        "class_prior": priors(draw, n_classes),
    }
    if use == "CategoricalNB":
        chosen["min_categories"] = draw(
            st.sampled_from([N_CATEGORIES, [N_CATEGORIES + j % 3 for j in range(n_features)]])
        )
    elif use == "BernoulliNB":
        chosen["binarize"] = draw(st.sampled_from([0.0, 1.5, "none"]))
    elif draw(st.booleans()):
        chosen["alpha"] = [0.1 + j % 3 for j in range(n_features)]
    if use == "ComplementNB":
        chosen["norm"] = n_features > 1 and draw(st.booleans())
    return chosen


def features(
    draw: st.DrawFn, chosen: dict[str, Any], rng: np.random.Generator, shape: tuple[int, int]
) -> NDArray[Any]:
    if "min_categories" in chosen:
        return rng.integers(0, N_CATEGORIES, shape).astype(np.float64)
    if "var_smoothing" in chosen:
        shift = rng.choice([0.0, 0.0, 100.0, -1e6], shape[1])
        X: NDArray[Any] = rng.normal(size=shape) * 10.0 ** rng.integers(-3, 4, shape[1]) + shift
        X[:, rng.random(shape[1]) < 0.2] = draw(st.sampled_from([0.0, 3.0]))
        return X
    if chosen.get("binarize") == "none":
        return rng.integers(0, 2, shape).astype(np.float64)
    X = rng.poisson(0.7, shape).astype(np.float64)
    return X * rng.random(shape) if draw(st.booleans()) else X


@st.composite
def cases(
    draw: st.DrawFn, uses: list[str], *, guilty: bool = False, most_features: int = 10
) -> Case:
    use = draw(st.sampled_from(uses))
    n_classes, n_features = draw(st.integers(2, 10)), draw(st.integers(1, most_features))
    n_rows = draw(st.integers(2, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    chosen = parameters(draw, use, n_classes, n_features, guilty=guilty)
    X = features(draw, chosen, rng, (n_rows, n_features))
    if guilty:
        bad = rng.random((n_rows, n_features)) < draw(st.sampled_from([0.02, 0.2]))
        bad[0] = False
        X[bad] = rng.choice([1e30, 1e155, 1e308, -1.0, -1e30, 0.5, N_CATEGORIES], bad.sum())
    return Case(
        use=use,
        parameters=chosen,
        n_classes=n_classes,
        batch=batch_of(X, rng.integers(0, n_classes, n_rows), rng.random(n_rows) < 0.8),
        sizes=draw(st.lists(st.integers(1, 20), max_size=6)),
    )


def assert_close(value: Any, expected: Any) -> None:
    value, expected = np.asarray(value, np.float64), np.asarray(expected, np.float64)
    same = value == expected  # infinities, too
    with np.errstate(invalid="ignore"):
        bound = TOLERANCE * np.maximum(1.0, np.abs(expected))
        assert np.all(same | (np.abs(value - expected) <= bound))


def assert_same_prediction(value: int, probabilities: Floats, label: int, expected: Floats) -> None:
    assert_close(probabilities, expected)
    if value != label:
        assert abs(expected[value] - expected[label]) < TOLERANCE


def assert_close_models(mine: Any, theirs: Any) -> None:
    left, right = numbers_of(mine), numbers_of(theirs)
    assert left.keys() == right.keys()
    for name, value in left.items():
        assert type(value) is type(right[name]), name
        pairs = [(value, right[name])]
        if isinstance(value, list):
            pairs = list(zip(value, right[name], strict=True))
        for a, b in pairs:
            assert np.asarray(a).dtype == np.asarray(b).dtype, name
            assert np.shape(a) == np.shape(b), name
            if name in ("theta_", "var_", "class_count_", "feature_count_", "class_prior_"):
                np.testing.assert_array_equal(a, b)
            else:
                assert_close(a, b)
