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
from learners.decoding import JsonDecoder
from learners.factory import make_learner
from learners.guard import Guard
from learners.learner import Learner, Task
from learners.model_spec import ModelSpecError, StepSpec
from learners.schema import Schema
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
    )


def decoder_of(settings: Settings) -> JsonDecoder:
    """Make the decoder that the settings ask for."""
    keep = settings.learning.on_unknown_label == "unlabelled"
    return JsonDecoder(schema_of(settings), keep_unknown_labels=keep)


def learner_of(settings: Settings) -> Learner:
    """Make a learner that has learned nothing.

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
            len(schema.features),
            settings.learning.stride,
            Guard(settings.learning.max_weight),
        )
    except ModelSpecError as error:
        raise SettingsError(str(error)) from None
    if schema.label is None and learner.task is not Task.UNSUPERVISED:
        raise SettingsError(
            "schema.label: missing; name the field that holds the label: without one, "
            f"{settings.model.steps[-1].use} learns nothing"
        )
    return learner


def learning_of(settings: Settings) -> Learning:
    """Make everything that learns, with nothing learned yet."""
    learner = learner_of(settings)
    limits = settings.limits
    return Learning(
        learner,
        make_scores(learner.task, max(1, len(settings.schema_.classes or ()))),
        DeadLetterLimits(
            limits.dead_letter_window, limits.dead_letter_count, limits.dead_letter_run
        ),
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
