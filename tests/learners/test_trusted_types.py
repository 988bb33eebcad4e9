"""What is trusted in a checkpoint without skops' own lists, against those lists."""

import subprocess
import sys

import pytest
import sklearn.utils
from skops.io._trusted_types import SCIPY_UFUNC_TYPE_NAMES, SKLEARN_ESTIMATOR_TYPE_NAMES

from learners.trusted_types import is_trusted, unlisted

# As `streamfit run` begins: in an interpreter of its own, since skops makes its list once.
BEGIN = """
import sklearn.utils, sys
listing = sklearn.utils.all_estimators
from learners.trusted_types import unlisted
with unlisted():
    from consumers.connecting import open_runner
    from consumers.monitoring import monitoring
import scipy.special, skops.io._trusted_types
assert sklearn.utils.all_estimators is listing
assert "gamma" in dir(scipy.special)
"""
HAS_IMPORTED_LITTLE = """
assert {"sklearn.gaussian_process", "sklearn.ensemble"}.isdisjoint(sys.modules)
assert skops.io._trusted_types.SCIPY_UFUNC_TYPE_NAMES == []
import sklearn.ensemble._hist_gradient_boosting.binning
"""
LOADS = """
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.linear_model import SGDClassifier
from learners.serialization import ModelFormatError, dump_pipeline, load_pipeline
import skops.io

pipeline = make_pipeline(StandardScaler(), SGDClassifier().fit([[0.0], [1.0]], ["a", "b"]))
loaded = load_pipeline(dump_pipeline(pipeline))
assert loaded[1].coef_ == pipeline[1].coef_
from scipy.special import gamma
right = load_pipeline(skops.io.dumps(make_pipeline(FunctionTransformer(gamma))))
assert right[0].func is gamma
for wrong in (FunctionTransformer(sys.exit), FunctionTransformer(listing)):
    try:
        load_pipeline(skops.io.dumps(make_pipeline(wrong)))
    except ModelFormatError:
        pass
    else:
        raise AssertionError(wrong)
"""


def in_a_process_of_its_own(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_all_that_skops_trusts_of_scikit_learn_are_estimators() -> None:
    assert len(SKLEARN_ESTIMATOR_TYPE_NAMES) > 190
    assert [name for name in SKLEARN_ESTIMATOR_TYPE_NAMES if not is_trusted(name)] == []


def test_all_that_skops_trusts_of_scipy_are_functions() -> None:
    assert len(SCIPY_UFUNC_TYPE_NAMES) > 200
    assert [name for name in SCIPY_UFUNC_TYPE_NAMES if not is_trusted(name)] == []


@pytest.mark.parametrize(
    "name",
    [
        "",
        "SGDClassifier",
        "os.system",
        "builtins.eval",
        "numpy.testing.assert_equal",
        "river.drift.ADWIN",
        "scipy.special.gamma",  # not where it is made
        "scipy.special._basic.factorial",  # no ufunc
        "scipy.special._ufuncs.nothing",
        "scipy.stats._stats_py.rankdata",
        "sklearn.base.BaseEstimator",
        "sklearn.base.ClassifierMixin",
        "sklearn.conftest.pytest_configure",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.linear_model.SGDClassifier",  # not where it is made
        "sklearn.linear_model._base.LinearClassifierMixin",
        "sklearn.linear_model._base.make_dataset",
        "sklearn.nowhere._at_all.SGDClassifier",
        "sklearn.tests.test_base.MyEstimator",
        "sklearn.utils._testing.MinimalClassifier",
        "sklearn.utils._testing.subprocess",
    ],
)
def test_nothing_else_is_one(name: str) -> None:
    assert name not in (*SKLEARN_ESTIMATOR_TYPE_NAMES, *SCIPY_UFUNC_TYPE_NAMES)
    assert not is_trusted(name)


def test_a_run_begins_without_importing_all_of_scikit_learn() -> None:
    in_a_process_of_its_own(HAS_IMPORTED_LITTLE)


def test_a_run_loads_estimators_and_nothing_that_is_not_listed() -> None:
    in_a_process_of_its_own(LOADS)


def test_the_list_is_put_back_where_the_import_fails() -> None:
    listing = sklearn.utils.all_estimators
    with pytest.raises(ImportError), unlisted():
        raise ImportError
    assert sklearn.utils.all_estimators is listing
