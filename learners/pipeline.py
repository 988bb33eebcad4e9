"""scikit-learn pipelines from names and parameters; what does not fit is told before it learns.

How a pipeline learns is in `learners.general` and `learners.compiled`.
"""

import importlib
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.pipeline import Pipeline, make_pipeline

from learners.learner import Task
from learners.model_spec import ModelSpecError, StepSpec
from learners.parameters import check_values, python_params

__all__ = ["ModelSpecError", "StepSpec", "build_pipeline", "task_of"]

# Searched in this order. `all_estimators()` imports all of scikit-learn, which takes seconds.
_MODULES = (
    "preprocessing",
    "linear_model",
    "naive_bayes",
    "cluster",
    "neural_network",
    "decomposition",
    "feature_selection",
    "feature_extraction.text",
)
_TRANSFORMERS = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler")
_PREDICTORS = (
    "SGDClassifier",
    "SGDRegressor",
    "SGDOneClassSVM",
    "Perceptron",
    "GaussianNB",
    "BernoulliNB",
    "MultinomialNB",
    "ComplementNB",
    "CategoricalNB",
    "MLPClassifier",
    "MLPRegressor",
    "MiniBatchKMeans",
)
_NOT_ROW_BY_ROW = "has partial_fit but cannot learn from one row at a time"
_REFUSED = {
    "PassiveAggressiveClassifier": (
        "goes away in scikit-learn 1.10",
        'use SGDClassifier with learning_rate = "pa1" or "pa2", loss = "hinge", penalty = "none"',
    ),
    "PassiveAggressiveRegressor": (
        "goes away in scikit-learn 1.10",
        'use SGDRegressor with learning_rate = "pa1" or "pa2", loss = "epsilon_insensitive"',
    ),
    "Birch": ("cannot be stored in a checkpoint", "use MiniBatchKMeans"),
    "HashingVectorizer": ("takes text, not numbers", "leave it out"),
    "IncrementalPCA": (_NOT_ROW_BY_ROW, "leave it out"),
}


def build_pipeline(steps: Sequence[StepSpec]) -> Pipeline:
    """Make the pipeline that the settings describe.

    `shuffle` becomes False and `random_state` 0 where an estimator has them and they are left
    out, so that a run which was stopped goes on bit for bit.

    Parameters
    ----------
    steps : sequence of StepSpec
        Transformers, then one predictor.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Not fitted yet.

    Raises
    ------
    ModelSpecError
        If a step is unknown, cannot learn in parts, or has a parameter that is not allowed.

    Examples
    --------
    >>> build_pipeline([StepSpec("SGDClassifier", {"loss": "log_loss"})])[-1].shuffle
    False
    """
    if not steps:
        raise ModelSpecError("model.steps", [], "is empty", "name at least a predictor")
    estimators = [_build_step(f"model.steps[{i}]", step) for i, step in enumerate(steps)]
    *first, (last_index, last) = enumerate(estimators)
    for i, estimator in first:
        if not hasattr(estimator, "transform") or hasattr(estimator, "predict"):
            key = f"model.steps[{i}].use"
            problem = "only the last step may be a predictor"
            raise ModelSpecError(key, steps[i].use, problem, "put it last, or leave it out")
    if not hasattr(last, "predict"):
        key = f"model.steps[{last_index}].use"
        mend = f"add a predictor, such as {', '.join(_PREDICTORS[:4])}"
        raise ModelSpecError(key, steps[-1].use, "the last step must be a predictor", mend)
    return make_pipeline(*estimators)


def task_of(pipeline: Pipeline) -> Task:
    """Tell what the predictions of a pipeline are.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        Fitted or not.

    Returns
    -------
    Task
        By the kind of the last step.
    """
    if is_classifier(pipeline[-1]):
        return Task.CLASSIFICATION
    if is_regressor(pipeline[-1]):
        return Task.REGRESSION
    return Task.UNSUPERVISED


def _build_step(key: str, step: StepSpec) -> BaseEstimator:
    cls = _find_class(key, step.use)
    params = python_params(cls, key, step)
    try:
        estimator = cls(**params)
    except TypeError as error:  # a required parameter, such as the estimator that it wraps
        problem = f"needs parameters that settings cannot give ({error})"
        raise ModelSpecError(f"{key}.use", step.use, problem, _supported()) from error
    check_values(estimator, key, step)
    if not hasattr(estimator, "partial_fit"):
        problem = "has no partial_fit, so it cannot learn from a stream"
        raise ModelSpecError(f"{key}.use", step.use, problem, _supported())
    return estimator


def _find_class(key: str, name: str) -> Any:
    if name in _REFUSED:
        raise ModelSpecError(f"{key}.use", name, *_REFUSED[name])
    for module in _MODULES:
        cls = getattr(importlib.import_module(f"sklearn.{module}"), name, None)
        if isinstance(cls, type) and issubclass(cls, BaseEstimator) and not name.startswith("_"):
            return cls
    close = get_close_matches(name, (*_PREDICTORS, *_TRANSFORMERS), n=1, cutoff=0.5)
    mend = f"did you mean {close[0]}?" if close else _supported()
    raise ModelSpecError(f"{key}.use", name, "no such scikit-learn estimator", mend)


def _supported() -> str:
    return f"use for example {', '.join((*_TRANSFORMERS, *_PREDICTORS))}"
