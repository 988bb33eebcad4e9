"""From the settings' words to a learner: the one place that picks the compiled or general path.

>>> make_learner([StepSpec("SGDClassifier", {"loss": "log_loss"})], (0, 1), n_features=3).path
'compiled'
"""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from learners.compiled import CompiledLearner, has_kernels
from learners.events import Features
from learners.general import GeneralLearner
from learners.guard import Guard
from learners.learner import Learner, Task
from learners.model_spec import ModelSpecError, StepSpec
from learners.pipeline import build_pipeline, task_of
from learners.rows import stacked
from learners.scikit_rows import ROW_ERRORS, is_within, learn, transform_row

Classes = tuple[int, ...] | tuple[str, ...]
_GUARD = Guard()
# TypeError: what an estimator raises on CSR that it cannot take.
_TRIAL_ERRORS = (*ROW_ERRORS, TypeError)


def make_learner(
    steps: Sequence[StepSpec],
    classes: Classes | None,
    n_features: int,
    stride: int = 1,
    guard: Guard = _GUARD,
    *,
    sparse: bool = False,
    try_out: bool = True,
) -> Learner:
    """Make a learner that knows nothing yet: compiled where each step has a kernel, else general.

    Parameters
    ----------
    steps : sequence of StepSpec
        Transformers, then one predictor.
    classes : tuple of int or tuple of str, or None
        None where the predictor is not a classifier.
    n_features, stride : int
        Features of an event; labelled events between two updates, 1 being exact.
    guard, sparse : Guard, bool
        Limit on the weights; whether events come in CSR.
    try_out : bool
        Whether a copy learns two rows first, so that what scikit-learn finds wrong only while it
        learns is told; once is enough, and with many classes it takes a while.

    Raises
    ------
    ModelSpecError
        If the pipeline cannot be built, cannot learn from a stream, or does not fit the classes.
    """
    if stride < 1:
        raise ModelSpecError("learning.stride", stride, "is not allowed", "it must be 1 or more")
    pipeline = build_pipeline(steps)
    ordered = _ordered(pipeline, classes, steps[-1].use)
    if try_out:
        _try_out(pipeline, steps, ordered, _trial_rows(n_features, sparse=sparse))
    if stride == 1 and has_kernels(pipeline, sparse=sparse):
        return CompiledLearner(pipeline, ordered, guard)
    return GeneralLearner(pipeline, ordered, stride, guard)


def _ordered(pipeline: Pipeline, classes: Classes | None, use: str) -> Classes | None:
    """Give the classes as scikit-learn orders them, once they fit the pipeline."""
    _check_classes(task_of(pipeline), classes, use)
    ordered = None if classes is None else cast("Classes", tuple(sorted(classes)))
    _match_class_weight(pipeline[-1], ordered)
    return ordered


def _check_classes(task: Task, classes: Classes | None, use: str) -> None:
    key = "schema.classes"
    if task is not Task.CLASSIFICATION:
        if classes is not None:
            mend = "leave it out, or use a classifier such as SGDClassifier"
            raise ModelSpecError(key, list(classes), f"{use} does not predict classes", mend)
    elif classes is None:
        mend = "list all classes, such as [0, 1]"
        raise ModelSpecError(key, None, f"{use} is a classifier", mend)
    elif len(set(classes)) < max(2, len(classes)):
        problem = f"{use} needs two or more different classes"
        raise ModelSpecError(key, list(classes), problem, "list each class once")


def _match_class_weight(model: Any, classes: Classes | None) -> None:
    """Give weights the classes' own values as keys: in TOML every key is a string."""
    weights = getattr(model, "class_weight", None)
    if isinstance(weights, dict) and classes is not None:
        by_name = {str(value): value for value in classes}
        model.class_weight = {by_name.get(str(k), k): weight for k, weight in weights.items()}


def _trial_rows(n_features: int, *, sparse: bool) -> tuple[Features, Features]:
    """Give a row of zeros and one of ones; in CSR, which may be very wide, with a single one."""
    if not sparse:
        return np.zeros((1, n_features)), np.ones((1, n_features))
    one = csr_array((np.ones(1), np.zeros(1, np.int32), np.array([0, 1], np.int32)))
    one.resize((1, n_features))
    return csr_array((1, n_features)), one


def _try_out(
    pipeline: Pipeline,
    steps: Sequence[StepSpec],
    classes: Classes | None,
    rows: Sequence[Features],
) -> None:
    """Let a copy learn rows, one by one, and tell which step fails."""
    labels = np.array(classes if classes is not None else (0.0, 1.0))
    names = labels if classes is not None else None
    *transformers, model = [clone(step) for _, step in pipeline.steps]
    y = None if task_of(pipeline) is Task.UNSUPERVISED else labels
    at_once = int(getattr(model, "n_clusters", 1))
    with np.errstate(all="ignore"):
        for row, Z in enumerate(rows):
            for i, transformer in enumerate(transformers):
                try:
                    Z = transform_row([transformer], Z)  # noqa: PLW2901 - step by step
                except _TRIAL_ERRORS as error:
                    raise _unable(i, steps[i], error) from error
            try:
                learn(model, stacked([Z] * at_once), None if y is None else y[[row]], names)
            except _TRIAL_ERRORS as error:
                raise _unable(len(transformers), steps[-1], error) from error
    if not is_within(model, np.inf):
        raise _unable(len(transformers), steps[-1], ValueError("its weights are not finite"))


def _unable(index: int, step: StepSpec, error: Exception) -> ModelSpecError:
    problem = f"cannot learn row by row: {' '.join(str(error).split())}".rstrip(".")
    mend = "change its parameters, or use another estimator"
    return ModelSpecError(f"model.steps[{index}].use", step.use, problem, mend)
