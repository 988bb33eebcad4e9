"""Turns validation errors into lines for people: the key, the value, the problem and the mend."""

import difflib
import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from consumers.config.passthrough import is_secret
from consumers.config.shown import without_credentials

_MAX_SHOWN = 60
# Names that pydantic puts into the place of an error for the kinds a value may have.
_BRANCHES = ("str", "int", "float", "bool", "SecretStr", "FromFile", "FeatureTable")
# What the design has room for and this version does not carry out.
_NOT_BUILT = (
    "labels",
    "registry",
    "merged",
    "river",
    "input.labels",
    "input.deduplicate",
    "input.schema_registry",
    "schema.weight",
)


def explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Give one line for each thing that is wrong, each key once."""
    found: dict[str, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False, include_context=True):
        # The last part of a key that is unknown was written by the user, whatever it looks like.
        named = 1 if detail["type"] == "extra_forbidden" else 0
        place = detail["loc"]
        key = dotted(place[: len(place) - named], *map(_on_one_line, place[len(place) - named :]))
        found.setdefault(key, []).append(detail)
    # A value that may be of several kinds is complained of once for each: the innermost tells most.
    inner = [key for key in found if not any(_is_below(other, key) for other in found)]
    return [_line(key, found[key], model) for key in inner]


def dotted(location: Sequence[int | str], *names: str) -> str:
    """Write a place as `model.steps[1].loss`; what pydantic adds for unions is left out."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part not in _BRANCHES and (part.isidentifier() or "." in part):
            path += f".{part}" if path else part
    return ".".join([path, *names] if path else names) if names else path


def _on_one_line(name: object) -> str:
    return str(name) if str(name).isprintable() else repr(name)


def _is_below(key: str, section: str) -> bool:
    return bool(section) and key.startswith((f"{section}.", f"{section}["))


def _line(key: str, details: Sequence[ErrorDetails], model: type[BaseModel]) -> str:
    detail = details[0]
    kind = detail["type"]
    if kind == "missing":
        return f"{key}: missing; {_addition(key)}"
    if kind == "extra_forbidden" and key.startswith(_NOT_BUILT):
        return f"{key}{_shown(key, detail['input'])}: not available yet; remove it"
    if kind == "extra_forbidden":
        return f"{key}{_shown(key, detail['input'])}: unknown key; {_near(key, model)}"
    message = _message(details)
    if not key or kind == "librdkafka_refused":
        return f"{key}: {message}" if key else message
    mend = "" if ";" in message else f"; set {key} to a fitting value"
    return f"{key}{_shown(key, detail['input'])}: {message}{mend}"


def _addition(key: str) -> str:
    section, _, name = key.rpartition(".")
    if not section:
        return f"add a table [{key}]"
    variable = f"STREAMFIT_{key.replace('.', '__').upper()}"
    beside = f", or set {variable}" if section.isidentifier() else ""
    return f"add `{name} = ...` to [{section}]{beside}"


def _message(details: Sequence[ErrorDetails]) -> str:
    messages = [detail["msg"] for detail in details]
    wanted = "Input should be "
    ours = [message for message in messages if not message.startswith(wanted)]
    kinds = [message.removeprefix(wanted) for message in messages]
    message = ours[0] if ours else wanted + " or ".join(kinds)
    message = re.sub(r"a valid dictionary( or instance of \w+)?", "a table", message)
    # 1e300 is written out by pydantic, digit by digit.
    message = re.sub(r"\d{20,}", lambda digits: f"{float(digits[0]):g}", message)
    return message[:1].lower() + message[1:]


def _shown(key: str, value: Any) -> str:
    text = repr(without_credentials(value) if isinstance(value, str) else value)
    # A whole table in a wrong place may hold a password, and so may what should be a table.
    if isinstance(value, dict):
        return ""
    if is_secret(key) or is_secret(text) or key in {"kafka", "kafka.librdkafka"}:
        return " = '***'"
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
    field = fields.get(section)
    kind: Any = field.annotation if field else None
    is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
    return sorted(kind.model_fields) if is_model else []
