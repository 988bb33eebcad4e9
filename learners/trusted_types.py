"""Which types a checkpoint may hold, known without a list of them all.

skops trusts scikit-learn's own estimators, and finds them by importing all of scikit-learn.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from inspect import isabstract
from itertools import takewhile

import sklearn.utils
from sklearn.base import BaseEstimator

_NOT_PUBLIC = {"conftest", "experimental", "externals", "setup", "tests"}


@contextmanager
def unlisted() -> Iterator[None]:
    """Let skops, imported for the first time in the block, make no list: a sixth of a start's time.

    From then on it trusts no estimator by itself; `is_estimator` tells which it would have.
    """
    listing = sklearn.utils.all_estimators
    sklearn.utils.all_estimators = lambda *_, **__: []
    try:
        yield
    finally:
        sklearn.utils.all_estimators = listing


def is_estimator(name: str) -> bool:
    """Tell whether this is an estimator that scikit-learn offers; nothing else is imported.

    Parameters
    ----------
    name : str
        Module and class, as `"sklearn.linear_model._stochastic_gradient.SGDClassifier"`.
    """
    module, _, kind = name.rpartition(".")
    parts = list(takewhile(lambda part: not part.startswith("_"), module.split(".")))
    if parts[:1] != ["sklearn"] or kind.startswith("_") or not _NOT_PUBLIC.isdisjoint(parts):
        return False
    try:
        found = getattr(import_module(".".join(parts)), kind, None)
    except ImportError:
        return False
    return (
        isinstance(found, type)
        and issubclass(found, BaseEstimator)
        and found is not BaseEstimator
        and not isabstract(found)
        and f"{found.__module__}.{found.__qualname__}" == name
    )
