"""Which types a checkpoint may hold, known without lists of them all.

skops trusts scikit-learn's own estimators and scipy's own functions. To list them, it imports all
of scikit-learn, and looks for each function in every module there is.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from inspect import isabstract
from itertools import takewhile
from typing import Any

import numpy as np
import sklearn.utils
from scipy import special
from sklearn.base import BaseEstimator

# No estimator: skops trusts it where it can be imported, and all of `sklearn.ensemble` comes with
# it. No model that learns from a stream has one.
_BINNING = "sklearn.ensemble._hist_gradient_boosting.binning"
_NOT_PUBLIC = {"conftest", "experimental", "externals", "setup", "tests"}


@contextmanager
def unlisted() -> Iterator[None]:
    """Let skops, first imported in the block, make no lists: a fifth of a start's time.

    From then on it trusts none of these by itself; `is_trusted` tells which it would have.
    """
    modules: dict[str, Any] = sys.modules
    listing = sklearn.utils.all_estimators
    is_blocked = modules.setdefault(_BINNING, None) is None
    sklearn.utils.all_estimators = lambda *_, **__: []
    special.__dir__ = list
    try:
        yield
    finally:
        del special.__dir__
        sklearn.utils.all_estimators = listing
        if is_blocked:
            del modules[_BINNING]


def is_trusted(name: str) -> bool:
    """Tell whether skops, with its lists, would trust this; nothing that is not is imported.

    Parameters
    ----------
    name : str
        Module and class, or function.
    """
    return _is_estimator(name) or _is_function(name)


def _is_estimator(name: str) -> bool:
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


def _is_function(name: str) -> bool:
    module, _, function = name.rpartition(".")
    found = getattr(special, function, None)
    is_special = module.startswith("scipy.special.") and isinstance(found, np.ufunc)
    return is_special and getattr(sys.modules.get(module), function, None) is found
