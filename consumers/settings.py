"""The settings as a whole: where they come from, in which order, and what their meaning hashes to.

The environment is read here and nowhere else. What each key means stands in `sections`.
"""

import hashlib
import os
import tomllib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from consumers.config.complaints import explain
from consumers.config.drift_section import DriftSection
from consumers.config.log_section import LogSection
from consumers.config.metrics_section import MetricsSection
from consumers.config.overrides import parse_overrides
from consumers.config.schema_section import SchemaSection, refuse_in_packed_numbers
from consumers.config.sections import (
    CheckpointSection,
    InputSection,
    KafkaSection,
    LearningSection,
    LimitsSection,
    ModelSection,
    OutputSection,
)
from consumers.config.tracing_section import TracingSection
from consumers.errors import SettingsError

PREFIX = "STREAMFIT_"
# The tests' own variables: they are not settings.
NOT_SETTINGS = ("STREAMFIT_TEST_", "STREAMFIT_FAILPOINT")
# A fifth of what brokers allow a transaction (transaction.max.timeout.ms, 15 min by default).
LONGEST_TRANSACTION = timedelta(minutes=3)


class Settings(BaseSettings):
    """Everything that can be set, from a file, the environment and the command line."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_prefix_target="all",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
    )

    kafka: KafkaSection
    input: InputSection
    schema_: SchemaSection = Field(alias="schema")
    model: ModelSection
    output: OutputSection
    checkpoint: CheckpointSection
    learning: LearningSection = LearningSection()
    drift: DriftSection = DriftSection()
    limits: LimitsSection = LimitsSection()
    metrics: MetricsSection = MetricsSection()
    log: LogSection = LogSection()
    tracing: TracingSection = TracingSection()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 no .env file is read
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 secrets name their file
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: the command line, then the environment, then the file."""
        assert isinstance(init_settings, InitSettingsSource)  # noqa: S101 a fact for mypy
        layers = init_settings.init_kwargs
        return (
            InitSettingsSource(settings_cls, layers["overrides"]),
            env_settings,
            InitSettingsSource(settings_cls, layers["file"]),
        )

    @model_validator(mode="after")
    def _events_fit_their_format(self) -> "Settings":
        if self.input.format == "float64":
            refuse_in_packed_numbers(self.schema_)
        return self

    @model_validator(mode="after")
    def _topics_are_told_apart(self) -> "Settings":
        for key, topic in self.topics.items():
            others = [
                other for other, name in self.topics.items() if name == topic and other != key
            ]
            if others:
                raise PydanticCustomError(
                    "same_topic",
                    "{key} and {other} are both {topic}; name three topics",
                    {"key": key, "other": others[0], "topic": repr(topic)},
                )
        return self

    @model_validator(mode="after")
    def _delivery_can_be_kept(self) -> "Settings":
        if self.output.delivery != "exactly_once":
            return self
        if self.learning.on_damaged == "previous":
            raise PydanticCustomError(
                "repeats_predictions",
                "learning.on_damaged = 'previous' repeats predictions, which exactly_once must "
                "not; set it to 'fail', or output.delivery to 'at_least_once'",
            )
        if self.checkpoint.every > LONGEST_TRANSACTION:
            raise PydanticCustomError(
                "transaction_too_long",
                "checkpoint.every: with exactly_once an epoch is a transaction, and brokers allow "
                "15 minutes for 5 of them; set it to 3m or less",
            )
        return self

    @property
    def topics(self) -> dict[str, str]:
        """Key to each topic that a run needs."""
        return {
            "input.topic": self.input.topic,
            "output.topic": self.output.topic,
            "output.dead_letter_topic": self.dead_letter_topic,
        }

    @property
    def dead_letter_topic(self) -> str:
        """Topic of the dead letters; the input topic with `.dlq` behind it if not set."""
        return self.output.dead_letter_topic or f"{self.input.topic}.dlq"

    def meaning(self) -> dict[str, Any]:
        """Give the part of the settings that decides what a model means.

        The format of the input is not in it: equal events make an equal model, however they are
        written, so that a topic may change its format and the model goes on.
        """
        learning = self.learning.model_dump(
            include={"stride", "max_abs", "max_weight", "on_unknown_label"}
        )
        steps = [{"use": step.use, **step.params} for step in self.model.steps]
        return {
            "schema": self.schema_.meaning(),
            "model": {"steps": steps},
            "learning": learning,
        }

    def meaning_hash(self) -> str:
        """Hash of `meaning`, hexadecimal."""
        meaning = _with_plain_numbers(self.meaning())
        return hashlib.sha256(msgspec.json.encode(meaning, order="sorted")).hexdigest()


def failpoint() -> str:
    """Give what the environment says of failpoints; empty outside tests."""
    return os.environ.get("STREAMFIT_FAILPOINT", "")


def _with_plain_numbers(value: Any) -> Any:
    """Write 1.0 as 1: how a number was written means nothing."""
    if isinstance(value, dict):
        return {key: _with_plain_numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_plain_numbers(each) for each in value]
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return int(value) if whole else value


def load(path: Path | None, overrides: Sequence[str] = ()) -> Settings:
    """Read a settings file, then the environment, then `--set` overrides over it.

    Parameters
    ----------
    path : Path or None
        A TOML file; None if everything comes from elsewhere.
    overrides : sequence of str
        `section.key=value`, the strongest.

    Raises
    ------
    SettingsError
        With one line for each thing that is wrong.
    """
    return from_tables(_read(path) if path else {}, overrides)


def from_tables(tables: Mapping[str, Any], overrides: Sequence[str] = ()) -> Settings:
    """Make settings from tables as a TOML file would give them; the environment holds over them.

    Raises
    ------
    SettingsError
        With one line for each thing that is wrong.
    """
    stray = _stray_variables(os.environ)
    if stray:
        raise SettingsError(*stray)
    layers: dict[str, Any] = {"file": dict(tables), "overrides": parse_overrides(overrides, tables)}
    try:
        return Settings(**layers)
    except ValidationError as error:
        raise SettingsError(*explain(error, Settings)) from None
    except ValueError as error:  # an environment variable that should hold JSON and does not
        raise SettingsError(f"environment: {error}; write lists and tables as JSON") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"{path}: no such file; `streamfit init {path}` writes a starter"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read ({error}); name a TOML file") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not TOML: {error}; mend the line it names") from None


def _stray_variables(environment: Mapping[str, str]) -> list[str]:
    sections = {(field.alias or name) for name, field in Settings.model_fields.items()}
    problems = []
    for variable in sorted(environment):
        if not variable.startswith(PREFIX) or variable.startswith(NOT_SETTINGS):
            continue
        section = variable.removeprefix(PREFIX).split("__")[0].lower()
        if section not in sections:
            problems.append(
                f"{variable}: unknown section {section!r}; write {PREFIX}<SECTION>__<KEY> "
                f"with one of {', '.join(sorted(sections))}"
            )
    return problems
