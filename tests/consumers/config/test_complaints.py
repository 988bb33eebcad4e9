"""Places and values in the lines about wrong settings."""

import pytest
from pydantic import ValidationError

from consumers.config.complaints import dotted, explain
from consumers.settings import Settings
from tests.settings_tables import tables


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (("input", "topic"), "input.topic"),
        (("model", "steps", 1, "use"), "model.steps[1].use"),
        (("schema", "features", 0, "FeatureTable", "kind"), "schema.features[0].kind"),
        (("schema", "features", 0, "constrained-str"), "schema.features[0]"),
        (("kafka", "librdkafka", "sasl.password", "function-after[f(), int]"), None),
        (("kafka", "librdkafka", "sasl.password", "int"), None),
    ],
)
def test_a_place_is_written_without_what_pydantic_adds(
    location: tuple[int | str, ...], expected: str | None
) -> None:
    assert dotted(location) == (expected or "kafka.librdkafka.sasl.password")


def test_a_long_value_is_cut() -> None:
    (line,) = lines({"input.start": "x" * 500})
    assert line.startswith("input.start = 'xxx")
    assert "xxx..." in line
    assert len(line) < 200


def test_no_line_holds_a_line_break_whatever_the_value() -> None:
    assert all("\n" not in line for line in lines({"input.start": "a\nb", "in\nput": {"x": 1}}))


def lines(changes: dict[str, object]) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Settings(file=tables(changes), overrides={})  # type: ignore[call-arg]  # the two layers
    return explain(caught.value, Settings)
