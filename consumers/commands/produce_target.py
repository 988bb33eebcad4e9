"""Where `produce` sends events and what they look like: from the settings file, or the options."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consumers.errors import SettingsError
from consumers.settings import Settings, load
from producers.mapping import ColumnMapping, EventFields


@dataclass(frozen=True, slots=True)
class Target:
    """A topic and the shape of its events.

    Attributes
    ----------
    config : dict
        librdkafka options of the cluster.
    topic : str
        Where events go.
    fields : EventFields
        What an event's fields are called.
    features : tuple of str or None
        Features that the settings ask for; None without a settings file.
    """

    config: dict[str, Any]
    topic: str
    fields: EventFields
    features: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """What the command line says of the target; each wins over the settings file."""

    bootstrap_servers: str | None = None
    topic: str | None = None
    features_in: str | None = None
    overrides: tuple[str, ...] = ()


def find_target(path: Path | None, options: TargetOptions) -> Target:
    """Put the settings file and the options together.

    Raises
    ------
    SettingsError
        If the file is wrong, or broker or topic is said nowhere.
    """
    if path is not None:
        return _from_settings(load(path, [*options.overrides, *_as_overrides(options)]))
    if options.overrides:
        raise SettingsError("--set: there is no settings file to change; give one before SOURCE")
    missing = [
        f"--{name}: missing; give it, or a settings file before SOURCE"
        for name, value in (
            ("bootstrap-servers", options.bootstrap_servers),
            ("topic", options.topic),
        )
        if not value
    ]
    if missing:
        raise SettingsError(*missing)
    fields = EventFields()
    if options.features_in is not None:
        fields = EventFields(features_in=options.features_in)
    config = {"bootstrap.servers": options.bootstrap_servers}
    return Target(config, str(options.topic), fields, None)


def choose_columns(
    columns: tuple[str, ...], wanted: ColumnMapping, target: Target
) -> ColumnMapping:
    """Fill in what the command line left open.

    The id, the time and the label come from the column named like the event's field, if there is
    one. The features are those of the settings, or, where a column holds them all, that one;
    without settings all columns that are left.

    Raises
    ------
    SettingsError
        If the settings ask for an id or a time that no column gives: every event would be refused.
    """
    fields = target.fields

    def same_name(field: str | None) -> str | None:
        return field if field in columns else None

    mapping = ColumnMapping(
        id=wanted.id or same_name(fields.id),
        time=wanted.time or same_name(fields.time),
        label=wanted.label or same_name(fields.label),
        features=wanted.features or _features(columns, target),
        fields=fields,
    )
    if target.features is not None:
        _check_required(columns, mapping)
    return mapping


def _features(columns: tuple[str, ...], target: Target) -> tuple[str, ...] | None:
    if target.features is not None and target.fields.features_in in columns:
        return (target.fields.features_in,)
    return target.features


def _check_required(columns: tuple[str, ...], mapping: ColumnMapping) -> None:
    for key, option, field, column in (
        ("schema.id", "--id", mapping.fields.id, mapping.id),
        ("schema.time", "--time", mapping.fields.time, mapping.time),
    ):
        if field is not None and column is None:
            raise SettingsError(
                f"{key} = {field!r}: no column of the data gives it; name one with {option} "
                f"({', '.join(columns)}), or leave {key} out of the settings"
            )


def _as_overrides(options: TargetOptions) -> Sequence[str]:
    pairs = (
        ("kafka.bootstrap_servers", options.bootstrap_servers),
        ("input.topic", options.topic),
        ("schema.features_in", options.features_in),
    )
    return [f"{key}={value}" for key, value in pairs if value is not None]


def _from_settings(settings: Settings) -> Target:
    if settings.input.format != "json":
        raise SettingsError(
            f"input.format = {settings.input.format!r}: this command sends JSON objects only; "
            "add --set input.format=json and let the consumer read them so, or send it yourself"
        )
    try:
        config = settings.kafka.client_config()
    except OSError as error:
        raise SettingsError(
            f"kafka.librdkafka: {error.filename}: cannot be read ({error.strerror})"
        ) from None
    schema = settings.schema_
    return Target(
        config=dict(config),
        topic=settings.input.topic,
        fields=EventFields(schema.id, schema.time, schema.label, schema.features_in),
        features=schema.feature_names,
    )
