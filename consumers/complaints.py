"""Turns validation errors into lines for people: the key, the value, the problem and the mend."""

import difflib
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from consumers.passthrough import is_secret

_MAX_SHOWN = 60
# What the design has room for and this version does not carry out.
_NOT_BUILT = (
    "labels",
    "registry",
    "merged",
    "river",
    "drift",
    "input.labels",
    "input.deduplicate",
    "input.schema_registry",
    "schema.weight",
    "limits.max_memory",
    "limits.max_uncheckpointed",
    "limits.stall_after",
)


def explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Give one line for each thing that is wrong, each key once."""
    lines: dict[str, str] = {}
    for detail in error.errors(include_url=False, include_context=True):
        key = dotted(detail["loc"])
        lines.setdefault(key, _line(key, detail, model))
    return list(lines.values())


def dotted(location: Sequence[int | str]) -> str:
    """Write a place as `model.steps[1].loss`; what pydantic adds for unions is left out."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part.isidentifier() or "." in part:
            path += f".{part}" if path else part
    for branch in (".str", ".FeatureTable", ".bool", ".float", ".FromFile"):
        path = path.removesuffix(branch)
    return path


def _line(key: str, detail: ErrorDetails, model: type[BaseModel]) -> str:
    kind, message = detail["type"], detail["msg"]
    if kind == "missing":
        section, _, name = key.rpartition(".")
        if not section:
            return f"{key}: missing; add a table [{key}]"
        variable = f"STREAMFIT_{key.replace('.', '__').upper()}"
        return f"{key}: missing; add `{name} = ...` to [{section}], or set {variable}"
    if kind == "extra_forbidden" and key.startswith(_NOT_BUILT):
        return f"{key}{_shown(key, detail['input'])}: not available yet; remove it"
    if kind == "extra_forbidden":
        return f"{key}{_shown(key, detail['input'])}: unknown key; {_near(key, model)}"
    if not key or kind == "librdkafka_refused":
        return f"{key}: {message}" if key else message
    message = message[0].lower() + message[1:]
    mend = "" if ";" in message else f"; set {key} to a fitting value"
    return f"{key}{_shown(key, detail['input'])}: {message}{mend}"


def _shown(key: str, value: Any) -> str:
    if is_secret(key):
        return " = '***'"
    text = repr(value)
    if len(text) > _MAX_SHOWN:
        text = text[: _MAX_SHOWN - 3] + "..."
    return f" = {text}"


def _near(key: str, model: type[BaseModel]) -> str:
    section, _, name = key.rpartition(".")
    known = _keys(section, model)
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {section}{'.' if section else ''}{near[0]}?"
    return f"known here: {', '.join(known)}" if known else "remove it"


def _keys(section: str, model: type[BaseModel]) -> list[str]:
    fields = {(field.alias or name): field for name, field in model.model_fields.items()}
    if not section:
        return sorted(fields)
    field = fields.get(section.split(".", maxsplit=1)[0])
    kind: Any = field.annotation if field else None
    is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
    return sorted(kind.model_fields) if is_model else []
