"""The table of the settings file that says what an event looks like, and what fits its format."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictInt, StrictStr, model_validator
from pydantic_core import PydanticCustomError

from consumers.config.sections import FieldName, Int, Section, no_quotes


class FeatureTable(Section):
    """A feature that says what kind it is."""

    name: FieldName
    """The field."""
    kind: Literal["number", "category", "text"] = "number"
    """A number, or what is hashed: a category as a whole, text word by word."""


def _all_alike(classes: list[int | str]) -> list[int | str]:
    if len(set(classes)) < 2 or len(set(classes)) < len(classes):
        raise PydanticCustomError("classes", "needs two or more classes; name each once")
    if len({type(label) for label in classes}) > 1:
        raise PydanticCustomError("classes", "mixes numbers and text; write all of one kind")
    return classes


def _power_of_two(number: int) -> int:
    if number & (number - 1):
        raise PydanticCustomError("power", "is not a power of two; write for example 262144")
    return number


class SchemaSection(Section):
    """What an event looks like."""

    id: FieldName | None = None
    """Field of the id; left out: `topic/partition/offset`."""
    time: FieldName | None = None
    """Field of the time, ms since 1970, UTC; left out: the record's timestamp."""
    label: FieldName | None = None
    """Field of the label. An event without one, or with null, is predicted and not learned."""
    features_in: Annotated[str, AfterValidator(no_quotes)] = "features"
    """Field of the object or array that holds the features; `""`: they stand beside the other
    fields.
    """
    features: Annotated[list[FieldName | FeatureTable], Field(min_length=1)]
    """Features, in the order of the columns: a name for a number, else `{ name = "city", kind =
    "category" }`, or `kind = "text"`.
    """
    # A model has as many weights for each class; beyond, one model alone takes gigabytes.
    hashed_features: Annotated[Int, Field(ge=2, le=2**24), AfterValidator(_power_of_two)] = 2**18
    """Columns that categories and words are hashed to; a power of two. Without effect where all
    features are numbers.
    """
    classes: Annotated[list[StrictInt | StrictStr], AfterValidator(_all_alike)] | None = None
    """All classes, numbers or text; left out for regression."""

    @model_validator(mode="after")
    def _fields_are_told_apart(self) -> "SchemaSection":
        features = [*self.feature_names]
        beside = [self.features_in] if self.features_in else features
        fields = [f for f in (self.id, self.time, self.label) if f] + beside
        twice = sorted({n for names in (features, fields) for n in names if names.count(n) > 1})
        if twice:
            raise PydanticCustomError(
                "twice", "{names} stands for two things; name each once", {"names": twice}
            )
        return self

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in order."""
        return tuple(f if isinstance(f, str) else f.name for f in self.features)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kind of each feature, in order."""
        return tuple("number" if isinstance(f, str) else f.kind for f in self.features)

    def meaning(self) -> dict[str, Any]:
        """Give what decides what a model means.

        Hashed features are in it only where there are any: what is hashed of other models must
        stay what it was.
        """
        features: list[Any] = [
            name if kind == "number" else {"name": name, "kind": kind}
            for name, kind in zip(self.feature_names, self.kinds, strict=True)
        ]
        hashed = {"hashed_features": self.hashed_features} if {*self.kinds} != {"number"} else {}
        return {
            "features_in": self.features_in,
            "label": self.label,
            "features": features,
            "classes": sorted(self.classes) if self.classes else None,
            **hashed,
        }


def refuse_in_packed_numbers(schema: SchemaSection) -> None:
    """Refuse a schema that packed float64 has no room for.

    Raises
    ------
    PydanticCustomError
        Naming the key.
    """
    found = _beyond_numbers(schema)
    if found:
        text = "{key}: input.format = 'float64' packs numbers alone; {mend}"
        raise PydanticCustomError("packed", text, dict(zip(("key", "mend"), found, strict=True)))


def _beyond_numbers(schema: SchemaSection) -> tuple[str, str] | None:
    if schema.id:
        return "schema.id", "leave it out: the id is then topic/partition/offset"
    if schema.time:
        return "schema.time", "leave it out: the time is then the record's timestamp"
    other = "or use json, json_array or msgpack"
    if {*schema.kinds} != {"number"}:
        return "schema.features", f"give all of them the kind 'number', {other}"
    if any(isinstance(label, str) for label in schema.classes or ()):
        return "schema.classes", f"number the classes, such as [0, 1], {other}"
    if any(abs(label) > 2**53 for label in schema.classes or () if isinstance(label, int)):
        return "schema.classes", f"name none beyond 2^53, where float64 skips numbers, {other}"
    return None
