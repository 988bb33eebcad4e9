"""`python -m consumers.commands.kernels`: compiles the kernels of common pipelines ahead of time.

The image's build runs it, so that a start compiles nothing. It is no command of `streamfit`: on a
machine whose folders can be written, the first run keeps what it compiles.
"""

import time
from collections.abc import Iterator
from typing import Any

from rich.console import Console

from consumers.loop.warmup import warm_up
from consumers.settings import Settings, from_tables
from consumers.wiring import decoder_of, learning_of, schema_of

Step = dict[str, Any]
_SCALERS: tuple[Step, ...] = tuple(
    {"use": name} for name in ("StandardScaler", "MinMaxScaler", "MaxAbsScaler")
)
_SGD: Step = {"use": "SGDClassifier", "loss": "log_loss"}
# Parameters are looked at while a kernel runs, so that one of each estimator is enough.
_CLASSIFIERS: tuple[Step, ...] = (
    _SGD,
    {"use": "Perceptron"},
    {"use": "GaussianNB"},
    {"use": "BernoulliNB"},
    {"use": "MultinomialNB"},
    {"use": "ComplementNB"},
    {"use": "CategoricalNB", "min_categories": 2},
)
_OTHERS: tuple[Step, ...] = (
    {"use": "SGDRegressor"},
    {"use": "SGDOneClassSVM"},
    {"use": "MiniBatchKMeans", "n_clusters": 2},
)
_SPARSE_SCALERS: tuple[Step, ...] = (
    {"use": "StandardScaler", "with_mean": False},
    {"use": "MaxAbsScaler"},
)
_NUMBERS = ("a", "b")
_WORDS = ({"name": "words", "kind": "text"},)


def common() -> Iterator[Settings]:
    """Give the settings of pipelines that are worth a place in an image."""
    for classes in ((0, 1), (0, 1, 2)):
        for steps in ([one] for one in _CLASSIFIERS):
            yield _settings(steps, classes, _NUMBERS)
        for steps in ([scaler, _SGD] for scaler in _SCALERS):
            yield _settings(steps, classes, _NUMBERS)
        for steps in [[one] for one in _CLASSIFIERS[:2] + _CLASSIFIERS[3:6]]:
            yield _settings(steps, classes, _WORDS)
        for steps in ([scaler, _SGD] for scaler in _SPARSE_SCALERS):
            yield _settings(steps, classes, _WORDS)
    for predictor in _OTHERS:
        yield _settings([_SCALERS[0], predictor], None, _NUMBERS)
    yield _settings([_OTHERS[0]], None, _WORDS)


def _settings(
    steps: list[Step], classes: tuple[int, ...] | None, features: tuple[Any, ...]
) -> Settings:
    schema = {"label": "label", "features": list(features)}
    return from_tables(
        {
            "kafka": {"bootstrap_servers": "nobody"},
            "input": {"topic": "events", "group": "nobody"},
            "schema": {**schema, "classes": list(classes)} if classes else schema,
            "model": {"steps": steps},
            "output": {"topic": "predictions"},
            "checkpoint": {"store": "file:///nowhere"},
        }
    )


def main() -> None:
    """Compile them, and tell how long it took."""
    began = time.monotonic()
    pipelines = list(common())
    for settings in pipelines:
        schema = schema_of(settings)
        decoder_of(settings)  # compiles at its making
        warm_up(learning_of(settings), schema.n_features, sparse=schema.is_sparse)
    seconds = time.monotonic() - began
    Console().print(f"kernels of {len(pipelines)} pipelines are ready after {seconds:.1f} s")


if __name__ == "__main__":
    main()
