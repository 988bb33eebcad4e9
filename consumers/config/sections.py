"""The tables of the settings file, each key with its bounds and default.

That of the schema stands in `schema_section`, that of drift in `drift_section`.
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
    librdkafka: Options = {}

    def client_config(self) -> dict[str, str | int | float | bool]:
        """Options of any client of this cluster."""
        return {"bootstrap.servers": self.bootstrap_servers, **plain(self.librdkafka)}


class InputSection(Section):
    """Where events come from."""

    topic: Topic
    group: Name
    start: Literal["earliest", "latest"] = "earliest"
    instance: Name | None = None
    format: Literal["json", "json_array", "msgpack", "float64"] = "json"


class StepSection(BaseModel):
    """One step of the model: a scikit-learn class by name; all other keys are its parameters."""

    model_config = ConfigDict(extra="allow", frozen=True)

    use: Name

    @property
    def params(self) -> dict[str, Any]:
        """Parameters of the estimator, by their scikit-learn names."""
        return dict(self.__pydantic_extra__ or {})


class ModelSection(Section):
    """The pipeline."""

    steps: Annotated[list[StepSection], Field(min_length=1)]


class LearningSection(Section):
    """How the model learns, and what to do when something does not fit."""

    scope: Annotated[
        Literal["global", "partition", "merged"], only_built("global", "partition")
    ] = "global"
    stride: Annotated[Int, Field(ge=1)] = 1
    max_batch: Annotated[Int, Field(ge=1, le=100_000)] = 2048
    max_abs: Annotated[Float, Field(gt=0, le=1e300)] = 1e15
    max_weight: Annotated[Float, Field(gt=0, le=1e300)] = 1e12
    on_reset: Literal["fail", "follow_kafka", "follow_checkpoint"] = "fail"
    on_gap: Literal["fail", "skip"] = "fail"
    on_damaged: Literal["fail", "previous"] = "fail"
    on_unknown_label: Literal["dead_letter", "unlabelled"] = "dead_letter"


class LimitsSection(Section):
    """When to stop rather than go on."""

    dead_letter_window: Annotated[Int, Field(ge=1, le=1_000_000)] = 10_000
    dead_letter_count: Annotated[Int, Field(ge=0)] = 500
    dead_letter_run: Annotated[Int, Field(ge=1)] = 100
    max_value_bytes: Annotated[Int, Field(ge=1)] = 1_000_000
    max_uncheckpointed: Annotated[Int, Field(ge=1)] = 1_000_000
    max_memory: Annotated[int, BeforeValidator(parse_size), Field(ge=LEAST_MEMORY)] = 400_000_000
    stall_after: Duration = timedelta(seconds=60)


class OutputSection(Section):
    """Where predictions and dead letters go."""

    topic: Topic
    dead_letter_topic: Topic | None = None
    delivery: Literal["at_least_once", "exactly_once"] = "at_least_once"


def _an_address(store: str) -> str:
    if not re.match(r"[a-z0-9]+://.", store):
        raise PydanticCustomError(
            "store", "is not an address; write file:///folder with an absolute path"
        )
    return store


class CheckpointSection(Section):
    """Where and how often checkpoints are written."""

    store: Annotated[str, AfterValidator(_an_address)]
    every: Duration = timedelta(seconds=1)
    keep: Annotated[Int, Field(ge=1)] = 5
    max_bytes: Annotated[Int, Field(ge=1)] = 2**30


class MetricsSection(Section):
    """Where metrics and health are served."""

    host: Name = "127.0.0.1"
    port: Annotated[Int, Field(ge=0, le=65_535)] = 9108
