"""msgspec types made from a schema: what a record must look like, checked while it is parsed."""

from typing import Annotated, Any

import msgspec

from learners.schema import Schema

# An id is echoed in every prediction; a longer one is a mistake, or an attack on the output topic.
MAX_ID_LENGTH = 1024

_ID = int | Annotated[str, msgspec.Meta(max_length=MAX_ID_LENGTH)]


def event_type(schema: Schema) -> type[msgspec.Struct]:
    """Make the struct that a record's JSON decodes into.

    Parameters
    ----------
    schema : Schema
        Its fields become attributes `id`, `time`, `label`, and either `features` or `f0`, `f1`, ...

    Returns
    -------
    type
        A Struct; unknown fields beside the features, or in a flat row, are ignored.
    """
    fields: list[tuple[str, Any, Any]] = []
    if schema.id is not None:
        fields.append(("id", _ID, msgspec.field(name=schema.id)))
    if schema.time is not None:
        fields.append(("time", int, msgspec.field(name=schema.time)))
    if schema.features_in:
        fields.append(("features", _nested(schema), msgspec.field(name=schema.features_in)))
    else:
        fields += _features(schema)
    if schema.label is not None:
        label = _label_type(schema)
        fields.append(("label", label | None, msgspec.field(name=schema.label, default=None)))
    return msgspec.defstruct("Event", fields, gc=False)


def _features(schema: Schema) -> list[tuple[str, Any, Any]]:
    return [(f"f{i}", float, msgspec.field(name=name)) for i, name in enumerate(schema.features)]


def _nested(schema: Schema) -> Any:
    """Features as an object with exactly these names, or as an array of exactly this length."""
    named = msgspec.defstruct("Features", _features(schema), forbid_unknown_fields=True, gc=False)
    array: Any = tuple.__class_getitem__((float,) * len(schema.features))
    return named | array


def _label_type(schema: Schema) -> Any:
    if schema.classes is None:
        return float
    return int if isinstance(schema.classes[0], int) else str
