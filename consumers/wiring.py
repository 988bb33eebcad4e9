"""Makes what the settings ask for, as far as it takes no Kafka: the rest is in `connecting`.

No other module but these two names concrete classes.
"""

from consumers.checkpoints.recovery import Policies
from consumers.checkpoints.series import GLOBAL, Checkpoints, Meaning, Place
from consumers.checkpoints.store import open_store
from consumers.errors import SettingsError
from consumers.loop.failpoints import Reach, nothing
from consumers.loop.learning import Learning
from consumers.loop.limits import DeadLetterLimits
from consumers.settings import Settings
from learners.decoding import EventDecoder
from learners.drift.catalogue import DetectorSpec, DetectorSpecError
from learners.drift.monitor import DriftMonitor
from learners.factory import make_learner
from learners.formats import Format
from learners.guard import Guard
from learners.learner import Learner, Task
from learners.model_spec import ModelSpecError, StepSpec
from learners.schema import Kind, Schema
from metrics.prequential import make_scores


def schema_of(settings: Settings) -> Schema:
    """Give the schema that the settings declare."""
    schema = settings.schema_
    return Schema(
        features=schema.feature_names,
        features_in=schema.features_in,
        id=schema.id,
        time=schema.time,
        label=schema.label,
        classes=tuple(sorted(schema.classes)) if schema.classes else None,
        max_abs=settings.learning.max_abs,
        max_bytes=settings.limits.max_value_bytes,
        kinds=tuple(map(Kind, schema.kinds)),
        n_hashed=schema.hashed_features,
    )


def decoder_of(settings: Settings) -> EventDecoder:
    """Make the decoder that the settings ask for."""
    keep = settings.learning.on_unknown_label == "unlabelled"
    return EventDecoder(
        schema_of(settings), Format(settings.input.format), keep_unknown_labels=keep
    )


def learner_of(settings: Settings, *, try_out: bool = True) -> Learner:
    """Make a learner that has learned nothing, tried out where that has not been done yet.

    Raises
    ------
    SettingsError
        If the model cannot be built, or cannot learn what the schema gives.
    """
    schema = schema_of(settings)
    try:
        learner = make_learner(
            [StepSpec(step.use, step.params) for step in settings.model.steps],
            schema.classes,  # type: ignore[arg-type]  # of one kind, as the settings check
            schema.n_features,
            settings.learning.stride,
            Guard(settings.learning.max_weight),
            sparse=schema.is_sparse,
            try_out=try_out,
        )
    except ModelSpecError as error:
        raise SettingsError(str(error)) from None
    if schema.label is None and learner.task is not Task.UNSUPERVISED:
        raise SettingsError(
            "schema.label: missing; name the field that holds the label: without one, "
            f"{settings.model.steps[-1].use} learns nothing"
        )
    return learner


def drift_of(settings: Settings, task: Task) -> tuple[DetectorSpec, ...]:
    """Give the drift detectors that the settings ask for; none of them is made yet.

    Raises
    ------
    SettingsError
        If one cannot watch such a model, or is given what it cannot have.
    """
    try:
        return settings.drift.specs(task)
    except DetectorSpecError as error:
        raise SettingsError(str(error)) from None


def learning_of(settings: Settings, *, try_out: bool = True) -> Learning:
    """Make everything that learns, with nothing learned yet."""
    learner = learner_of(settings, try_out=try_out)
    limits = settings.limits
    return Learning(
        learner,
        make_scores(learner.task, max(1, len(settings.schema_.classes or ()))),
        DeadLetterLimits(
            limits.dead_letter_window, limits.dead_letter_count, limits.dead_letter_run
        ),
        DriftMonitor(drift_of(settings, learner.task)),
    )


def checkpoints_of(settings: Settings, scope: str = GLOBAL, reach: Reach = nothing) -> Checkpoints:
    """Open the checkpoints of the settings' group and topic.

    Parameters
    ----------
    settings : Settings
        They name the store.
    scope : str
        `global`, or the number of a partition.
    reach : callable
        Is told of each step of a save.
    """
    return Checkpoints(
        open_store(settings.checkpoint.store, reach),
        Place(settings.input.group, settings.input.topic, scope),
        Meaning(settings.meaning(), settings.meaning_hash()),
        keep=settings.checkpoint.keep,
        max_bytes=settings.checkpoint.max_bytes,
    )


def policies_of(settings: Settings) -> Policies:
    """Give what the settings say for offsets and checkpoints that do not fit."""
    learning = settings.learning
    return Policies(
        start=settings.input.start,
        on_reset=learning.on_reset,
        on_gap=learning.on_gap,
        on_damaged=learning.on_damaged,
    )
