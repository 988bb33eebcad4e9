"""The tables of the settings file, each key with its bounds and default.

That of the schema stands in `schema_section`, that of drift in `drift_section`, that of metrics
in `metrics_section`.
"""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from consumers.config.durations import parse_duration
from consumers.config.passthrough import Options, plain
from consumers.config.sizes import LEAST_MEMORY, parse_size


def only_built(*built: str) -> AfterValidator:
    """Accept only the choices that this version carries out."""

    def check(value: str) -> str:
        if value not in built:
            raise PydanticCustomError(
                "not_available_yet",
                "not available yet; use {choices}",
                {"choices": " or ".join(map(repr, built))},
            )
        return value

    return AfterValidator(check)


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("not_a_number", "true and false are not numbers here")
    return value


def no_quotes(name: str) -> str:
    """Refuse the name of a field that JSON would write in another way."""
    # JSON writes these as escapes, and a parser that compares names as they stand cannot find them.
    if any(character in '"\\' or character < " " for character in name):
        raise PydanticCustomError(
            "field_name", "holds a quote, backslash or control character; rename the field"
        )
    return name


# The environment and --set give text, so digits in text count as a number.
Int = Annotated[int, BeforeValidator(_no_bool)]
Float = Annotated[float, BeforeValidator(_no_bool)]
Name = Annotated[str, Field(min_length=1)]
FieldName = Annotated[Name, AfterValidator(no_quotes)]
Topic = Annotated[str, Field(min_length=1, max_length=249, pattern=r"^[A-Za-z0-9._-]+$")]
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]


class Section(BaseModel):
    """A table of the settings file: unknown keys are errors, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class KafkaSection(Section):
    """How to reach Kafka."""

    bootstrap_servers: Name
    """Brokers to begin with, as `host:port` with commas between."""
    librdkafka: Options = {}
    """Any option of librdkafka by its own name. Those that the guarantees rest on are refused. A
    value may be `{ file = "/run/secrets/password" }`, which is read when a client is made.
    """

    def client_config(self) -> dict[str, str | int | float | bool]:
        """Options of any client of this cluster."""
        return {"bootstrap.servers": self.bootstrap_servers, **plain(self.librdkafka)}


class InputSection(Section):
    """Where events come from."""

    topic: Topic
    """Topic of the events."""
    group: Name
    """Consumer group. Offsets and checkpoints belong to it: another group is another model."""
    start: Literal["earliest", "latest"] = "earliest"
    """Where a model begins that has neither committed offsets nor checkpoints."""
    instance: Name | None = None
    """Fixed name of this replica. Kafka keeps its place for the session timeout, so a restart
    rejoins at once, and a standby waits as long.
    """
    format: Literal["json", "json_array", "msgpack", "float64"] = "json"
    """How events are written: an object, an array in the order of the schema, the object in
    MessagePack, or packed little-endian numbers.
    """


class StepSection(BaseModel):
    """One step of the model: a scikit-learn class by name; all other keys are its parameters."""

    model_config = ConfigDict(extra="allow", frozen=True)

    use: Name
    """Name of a scikit-learn class that has `partial_fit`. Every other key of the table is a
    parameter of it, by scikit-learn's name; `"none"` stands for None.
    """

    @property
    def params(self) -> dict[str, Any]:
        """Parameters of the estimator, by their scikit-learn names."""
        return dict(self.__pydantic_extra__ or {})


class ModelSection(Section):
    """The pipeline."""

    steps: Annotated[list[StepSection], Field(min_length=1)]
    """The steps in order, each a table `[[model.steps]]`."""


class LearningSection(Section):
    """How the model learns, and what to do when something does not fit."""

    scope: Annotated[
        Literal["global", "partition", "merged"], only_built("global", "partition")
    ] = "global"
    """One model of all partitions, or a model for each partition."""
    stride: Annotated[Int, Field(ge=1)] = 1
    """Labelled events between two updates of the model. 1 is exact; more is faster on the general
    path, and less right.
    """
    max_batch: Annotated[Int, Field(ge=1, le=100_000)] = 8192
    """Most records of one read; fewer where they would take more than a quarter of a second. It
    changes no result, only speed and memory.
    """
    max_abs: Annotated[Float, Field(gt=0, le=1e300)] = 1e15
    """Features larger than this, either sign, make a record a dead letter."""
    max_weight: Annotated[Float, Field(gt=0, le=1e300)] = 1e12
    """An event that drives a weight beyond this, either sign, is undone and becomes a dead letter.
    """
    on_reset: Literal["fail", "follow_kafka", "follow_checkpoint"] = "fail"
    """Offsets and checkpoints do not belong together: stop; keep the model and read from Kafka's
    offsets on; or from the checkpoint's own.
    """
    on_gap: Literal["fail", "skip"] = "fail"
    """Records were removed before they were read: stop, or go on behind them and count them."""
    on_damaged: Literal["fail", "previous"] = "fail"
    """The committed checkpoint is missing or damaged: stop, or go on at the one before it."""
    on_unknown_label: Literal["dead_letter", "unlabelled"] = "dead_letter"
    """A label that `schema.classes` does not name: refuse the record, or predict it and do not
    learn it.
    """


class LimitsSection(Section):
    """When to stop rather than go on."""

    dead_letter_window: Annotated[Int, Field(ge=1, le=1_000_000)] = 10_000
    """Records over which `dead_letter_count` counts."""
    dead_letter_count: Annotated[Int, Field(ge=0)] = 500
    """More dead letters than this among the last `dead_letter_window` records stop the run."""
    dead_letter_run: Annotated[Int, Field(ge=1)] = 100
    """So many dead letters in a row stop the run."""
    max_value_bytes: Annotated[Int, Field(ge=1)] = 1_000_000
    """Larger values are dead letters, and are not parsed."""
    max_uncheckpointed: Annotated[Int, Field(ge=1)] = 1_000_000
    """Records learned while the store is away; then reading waits for it."""
    max_memory: Annotated[int, BeforeValidator(parse_size), Field(ge=LEAST_MEMORY)] = 400_000_000
    """Bounds the process without its models; 300 MB of it are for Python and the libraries, the
    rest for what is fetched ahead and not yet acknowledged."""
    stall_after: Duration = timedelta(seconds=60)
    """A partition that lags and stands still for so long turns `/readyz` red."""


class OutputSection(Section):
    """Where predictions and dead letters go."""

    topic: Topic
    """Topic of the predictions."""
    dead_letter_topic: Topic | None = None
    """Topic of the dead letters; left out: the input topic with `.dlq` behind it."""
    delivery: Literal["at_least_once", "exactly_once"] = "at_least_once"
    """Whether predictions may repeat after a fault, or are one transaction with the offsets."""


def _an_address(store: str) -> str:
    if not re.match(r"[a-z0-9]+://.", store):
        raise PydanticCustomError(
            "store", "is not an address; write file:///folder with an absolute path"
        )
    return store


class CheckpointSection(Section):
    """Where and how often checkpoints are written."""

    store: Annotated[str, AfterValidator(_an_address)]
    """Where checkpoints are kept: `file:///folder`, `s3://bucket/folder`, or what else fsspec
    knows.
    """
    every: Duration = timedelta(seconds=1)
    """Length of an epoch: how often model and offsets become permanent. At most `3m` under
    `exactly_once`.
    """
    keep: Annotated[Int, Field(ge=1)] = 5
    """Checkpoints of the lineage that are kept: how far `models rollback` can go back."""
    max_bytes: Annotated[Int, Field(ge=1)] = 2**30
    """No larger checkpoint is read or written."""
