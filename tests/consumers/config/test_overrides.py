"""`--set a.b=c`: paths into tables and lists, and what cannot be one."""

from typing import Any

import pytest

from consumers.config.overrides import parse_overrides
from consumers.errors import SettingsError
from consumers.settings import from_tables
from tests.settings_tables import tables


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("metrics.port=0", {"metrics": {"port": "0"}}),
        (" input.group = a=b ", {"input": {"group": "a=b"}}),
        ("input.group=", {"input": {"group": ""}}),
        ("input.group='7'", {"input": {"group": "7"}}),
        ('schema.features=["a", "b"]', {"schema": {"features": ["a", "b"]}}),
        ("schema.features=[a", {"schema": {"features": "[a"}}),
        ('model.steps=[{use="X"}]', {"model": {"steps": [{"use": "X"}]}}),
        (
            "kafka.librdkafka.sasl.username=me",
            {"kafka": {"librdkafka": {"sasl.username": "me"}}},
        ),
        (
            'kafka.librdkafka={"linger.ms"=5}',
            {"kafka": {"librdkafka": {"linger.ms": 5}}},
        ),
    ],
)
def test_an_override_becomes_tables_as_a_file_would_give_them(
    override: str, expected: dict[str, Any]
) -> None:
    assert parse_overrides([override], {}) == expected


@pytest.mark.parametrize(
    "override",
    ["metrics.port", "port=1", "=1", "metrics.=1", ".port=1", "metrics..port=1", ""],
)
def test_what_is_no_override_is_refused(override: str) -> None:
    with pytest.raises(SettingsError, match=r"write --set section\.key=value"):
        parse_overrides([override], {})


@pytest.mark.parametrize(
    "override",
    ["model.steps.2.eta0=1", "model.steps.one.eta0=1", "model.steps.0.use.deep=1"],
)
def test_a_path_that_leads_nowhere_is_refused(override: str) -> None:
    with pytest.raises(SettingsError, match="leads nowhere"):
        parse_overrides([override], tables())


def test_a_place_in_a_list_is_changed_and_the_rest_of_the_list_kept() -> None:
    file = tables()
    settings = from_tables(file, ["model.steps.1.eta0=0.5", "model.steps.1.loss=hinge"])
    assert settings.model.steps[0].use == "StandardScaler"
    assert settings.model.steps[1].params == {"eta0": 0.5, "loss": "hinge"}
    assert file == tables()


def test_parameters_of_an_estimator_are_read_as_toml() -> None:
    overrides = [
        "model.steps.1.average=true",
        "model.steps.1.tol=1e-3",
        "model.steps.1.penalty=none",
    ]
    params = from_tables(tables(), overrides).model.steps[1].params
    assert params == {"eta0": 0.01, "average": True, "tol": 1e-3, "penalty": "none"}


def test_the_later_of_two_overrides_wins() -> None:
    assert parse_overrides(["a.b=1", "a.c=3", "a.b=2"], {}) == {"a": {"b": "2", "c": "3"}}


def test_an_override_adds_to_the_options_of_the_file() -> None:
    file = tables({"kafka.librdkafka": {"linger.ms": 5}})
    config = from_tables(file, ["kafka.librdkafka.client.id=me"]).kafka.client_config()
    assert config == {"bootstrap.servers": "localhost:9092", "linger.ms": 5, "client.id": "me"}
