"""docs/reference/settings.md, made of the models that check a settings file."""

import ast
import inspect
import json
import textwrap
import types
import typing
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import annotated_types
from pydantic import BaseModel, BeforeValidator, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from consumers.config.durations import parse_duration
from consumers.config.passthrough import REFUSED
from consumers.config.schema_section import FeatureTable
from consumers.config.sections import StepSection
from consumers.config.sizes import parse_size
from consumers.settings import PREFIX, Settings, from_tables

HEAD = """\
# Settings

<!-- Written by `python -m tests.docs.reference`; meanings stand in consumers/config. -->

One TOML file. Each key can also be set by an environment variable, which wins over the file, or by
`--set table.key=value`, which wins over both. Lists and tables in a variable are JSON. Unknown keys
are errors. `streamfit init my.toml` writes a file with the keys that are commonly set.

- **Durations** are written `500ms`, `1s`, `2m`, `1h`, or as seconds.
- **Sizes** are written `400MB`, `1GiB`, or as bytes.
- **In the hash**: the key decides what a model means. Its value is in each checkpoint, and a run
  under another value is refused, naming what differs: see
  [changed settings](../how-to/upgrade.md#changed-settings).
- **Secrets** are options of librdkafka whose names say so; they are never shown. Leave them out of
  the file: `{ file = "/run/secrets/password" }` reads one from a file of its own.
"""
# What a key in a list of tables is called, and the environment variable it has not.
LISTED: dict[str, tuple[str, type[BaseModel]]] = {
    "model.steps": ("[[model.steps]]", StepSection),
    "schema.features": ("A feature as a table", FeatureTable),
}
# Values under which everything that may be in the hash is in it.
EXAMPLE: dict[str, Any] = {
    "kafka": {"bootstrap_servers": "localhost:9092"},
    "input": {"topic": "events", "group": "model"},
    "schema": {"features": [{"name": "city", "kind": "category"}], "classes": [0, 1]},
    "model": {"steps": [{"use": "SGDClassifier"}]},
    "output": {"topic": "predictions"},
    "checkpoint": {"store": "file:///var/lib/streamfit"},
}


def page() -> str:
    """Write the page."""
    hashed = _hashed()
    parts = [HEAD]
    for name, section in sections().items():
        parts.append(f"\n## [{name}]\n\n{_told(section)}\n")
        parts += [_key(f"{name}.{key}", section, key, hashed) for key in section.model_fields]
        for listed, (title, model) in LISTED.items():
            if listed.startswith(f"{name}."):
                parts.append(f"\n### {title}\n\n")
                parts += [_item(model, key) for key in model.model_fields]
    parts.append(_refused())
    return "".join(parts)


def sections() -> dict[str, type[BaseModel]]:
    """Give the tables of the settings, by name."""
    found = {}
    for name, field in Settings.model_fields.items():
        assert isinstance(field.annotation, type)
        found[field.alias or name] = field.annotation
    return found


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """Give what stands under each key of a model in its source."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for key, below in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(key, ast.AnnAssign) and isinstance(key.target, ast.Name):
            text = below.value if isinstance(below, ast.Expr) else None
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                found[key.target.id] = " ".join(text.value.split())
    return found


def without_meaning() -> list[str]:
    """Give the keys that say nowhere what they mean."""
    tables = {**sections(), **{name: model for name, (_, model) in LISTED.items()}}
    return [
        f"{name}.{key}"
        for name, model in tables.items()
        for key in model.model_fields
        if not meanings(model).get(key)
    ]


def _key(path: str, section: type[BaseModel], key: str, hashed: set[str]) -> str:
    facts = _facts(section.model_fields[key])
    facts.append(f"`{PREFIX}{path.replace('.', '__').upper()}`")
    if path in hashed:
        facts.append("in the hash")
    return f"\n### `{path}`\n\n{meanings(section)[key]}\n\n{' · '.join(facts)}\n"


def _item(model: type[BaseModel], key: str) -> str:
    facts = "; ".join(_facts(model.model_fields[key]))
    return f"- `{key}` ({facts}): {meanings(model)[key]}\n"


def _facts(field: FieldInfo) -> list[str]:
    bounds = " and ".join(_bounds(field))
    kind = _kind(field)
    facts = [f"{kind}, {bounds}" if bounds else kind]
    if field.is_required():
        facts.append("**required**")
    elif kind == "size":
        facts.append(f'default `"{field.default / 1e6:g}MB"`')
    elif field.default not in (None, PydanticUndefined):
        facts.append(f"default `{_written(field.default)}`")
    return facts


def _kind(field: FieldInfo) -> str:
    for rule in field.metadata:
        if isinstance(rule, BeforeValidator) and rule.func in (parse_duration, parse_size):
            return "duration" if rule.func is parse_duration else "size"
    return _named(field.annotation, field)


def _named(kind: Any, field: FieldInfo) -> str:
    if typing.get_origin(kind) is typing.Annotated:
        return _named(typing.get_args(kind)[0], field)
    if typing.get_origin(kind) is typing.Literal:
        return " or ".join(f"`{json.dumps(choice)}`" for choice in _built(kind))
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        inner = [_named(each, field) for each in typing.get_args(kind) if each is not type(None)]
        return " or ".join(dict.fromkeys(inner))
    if typing.get_origin(kind) is list:
        return f"list of {_named(typing.get_args(kind)[0], field)}"
    if typing.get_origin(kind) is dict:
        return "table"
    plain = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    plain |= {Path: "path", timedelta: "duration", SecretStr: "text"}
    return plain.get(kind, "table")


def _built(choices: Any) -> Iterator[str]:
    """Leave out the choices that are refused as not available yet."""
    for choice in typing.get_args(choices):
        if choice != "merged":
            yield choice


def _bounds(field: FieldInfo) -> Iterator[str]:
    for rule in field.metadata:
        if isinstance(rule, annotated_types.Ge):
            yield f"at least {_number(rule.ge)}"
        elif isinstance(rule, annotated_types.Gt):
            yield f"more than {_number(rule.gt)}"
        elif isinstance(rule, annotated_types.Le):
            yield f"at most {_number(rule.le)}"
        elif isinstance(rule, annotated_types.MaxLen):
            yield f"at most {rule.max_length} characters of `A-Za-z0-9._-`"


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _written(value: Any) -> str:
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        return f'"{seconds:g}s"'
    if isinstance(value, float):
        return f"{value:g}"
    if value == {}:
        return "{}"
    return json.dumps(value)


def _hashed() -> set[str]:
    meaning = from_tables(EXAMPLE).meaning()
    return {f"{table}.{key}" for table, keys in meaning.items() for key in keys}


def _told(section: type[BaseModel]) -> str:
    """Give what a table is for; where it takes other keys, also which."""
    text = inspect.cleandoc(section.__doc__ or "")
    paragraphs = text.split("\n\n")
    shown = paragraphs if section.model_config.get("extra") == "allow" else paragraphs[:1]
    return "\n\n".join(shown)


def _refused() -> str:
    rows = [f"| `{option}` | {reason} |" for option, reason in sorted(REFUSED.items())]
    head = "\n## Options of librdkafka that are refused\n\n| option | why |\n|---|---|\n"
    return head + "\n".join(rows) + "\n"
