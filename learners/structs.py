"""msgspec types made from a schema: what a record must look like, checked while it is parsed."""

from typing import Annotated, Any

import msgspec

from learners.schema import Kind, Schema

# An id is echoed in every prediction; a longer one is a mistake, or an attack on the output topic.
MAX_ID_LENGTH = 1024

_ID = int | Annotated[str, msgspec.Meta(max_length=MAX_ID_LENGTH)]
# A category may be numbered: 3 and "3" are then the same one.
_FEATURES: dict[Kind, Any] = {Kind.NUMBER: float, Kind.CATEGORY: int | str, Kind.TEXT: str}
_Field = tuple[str, Any, Any]


def event_type(schema: Schema) -> type[msgspec.Struct]:
    """Make the struct that an object of named fields decodes into.

    Parameters
    ----------
    schema : Schema
        Its fields become attributes `id`, `time`, `label`, and then either `features` or
        `f0`, `f1`, ...

    Returns
    -------
    type
        A Struct; unknown fields beside the features, or in a flat row, are ignored.
    """
    fields = _head(schema, label_default=None)
    if schema.features_in:
        fields.append(("features", _nested(schema), msgspec.field(name=schema.features_in)))
    else:
        fields += _features(schema)
    # By keyword only: a field that may be left out can then stand before one that must be there.
    return msgspec.defstruct("Event", fields, kw_only=True, gc=False)


def row_type(schema: Schema) -> type[msgspec.Struct]:
    """Make the struct that an array of all fields decodes into.

    Parameters
    ----------
    schema : Schema
        Its fields become attributes `id`, `time`, `label`, `f0`, `f1`, ..., in this order,
        without those that are not declared.

    Returns
    -------
    type
        A Struct; an array of any other length is refused.
    """
    fields = _head(schema) + _features(schema)
    return msgspec.defstruct("Event", fields, array_like=True, forbid_unknown_fields=True, gc=False)


def _head(schema: Schema, label_default: Any = msgspec.NODEFAULT) -> list[_Field]:
    """Give what stands before the features."""
    fields: list[_Field] = []
    if schema.id is not None:
        fields.append(("id", _ID, msgspec.field(name=schema.id)))
    if schema.time is not None:
        fields.append(("time", int, msgspec.field(name=schema.time)))
    if schema.label is not None:
        label = _label_type(schema) | None
        given = msgspec.field(name=schema.label, default=label_default)
        fields.append(("label", label, given))
    return fields


def _features(schema: Schema) -> list[_Field]:
    return [
        (f"f{i}", _FEATURES[kind], msgspec.field(name=name))
        for i, (name, kind) in enumerate(schema.kind_of.items())
    ]


def _nested(schema: Schema) -> Any:
    """Features as an object with exactly these names, or as an array of exactly this length."""
    named = msgspec.defstruct("Features", _features(schema), forbid_unknown_fields=True, gc=False)
    kinds = tuple(_FEATURES[kind] for kind in schema.kind_of.values())
    array: Any = tuple.__class_getitem__(kinds)
    return named | array


def _label_type(schema: Schema) -> Any:
    if schema.classes is None:
        return float
    return int if isinstance(schema.classes[0], int) else str
