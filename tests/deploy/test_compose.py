"""The compose file: valid, hardened, and of one piece with what it refers to."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import validators

from consumers.settings import load
from consumers.wiring import learner_of
from producers.elec2 import FEATURES
from tests.deploy.schemas import compose_schema

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SETTINGS = DEPLOY / "compose" / "streamfit.toml"
LEARNERS = ("consumer", "standby")


def mounts(service: str) -> dict[str, str]:
    """Give what is mounted in a service: source by target."""
    pairs = [one.split(":") for one in SERVICES[service].get("volumes", [])]
    return {target: source for source, target, *_ in pairs}


def waits_for(service: str) -> dict[str, str]:
    """Give what a service waits for, and until when."""
    needs = SERVICES[service].get("depends_on", {})
    return {other: need["condition"] for other, need in needs.items()}


def test_it_fulfils_the_compose_specification() -> None:
    schema = compose_schema()
    validator = validators.validator_for(schema)

    assert [error.message for error in validator(schema).iter_errors(COMPOSE)] == []


def test_the_specification_refuses_what_is_wrong() -> None:
    schema = compose_schema()
    wrong = {**COMPOSE, "services": {"kafka": {"imagee": "apache/kafka:4.3.0"}}}

    assert not validators.validator_for(schema)(schema).is_valid(wrong)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_waits_only_for_what_can_come_true(service: str) -> None:
    for other, condition in waits_for(service).items():
        if condition == "service_healthy":
            assert "test" in SERVICES[other]["healthcheck"]
        else:
            assert condition == "service_completed_successfully"
            assert SERVICES[other]["restart"] == "on-failure"


def test_nothing_starts_before_what_it_needs() -> None:
    assert waits_for("topics") == {"kafka": "service_healthy"}
    for service in ("producer", *LEARNERS):
        assert waits_for(service)["topics"] == "service_completed_successfully"
    assert waits_for("standby")["consumer"] == "service_healthy"
    assert waits_for("prometheus") == {"consumer": "service_healthy"}
    assert waits_for("grafana") == {"prometheus": "service_healthy"}


@pytest.mark.parametrize("service", SERVICES)
def test_images_have_exact_versions(service: str) -> None:
    assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+", SERVICES[service]["image"])


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_gets_no_rights_and_is_published_on_this_machine_alone(service: str) -> None:
    parts = SERVICES[service]

    assert parts["cap_drop"] == ["ALL"]
    assert parts["security_opt"] == ["no-new-privileges:true"]
    assert parts["restart"] in {"unless-stopped", "on-failure"}
    assert all(port.startswith("127.0.0.1:") for port in parts.get("ports", []))
    if parts["image"] != "apache/kafka:4.3.0":  # its start script writes the configuration
        assert parts["read_only"] is True


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_mounted_exists(service: str) -> None:
    for target, source in mounts(service).items():
        if source.startswith("."):
            assert (DEPLOY / source).exists(), target
        else:
            assert source in COMPOSE["volumes"]


def test_consumer_and_standby_are_the_same_and_share_the_store() -> None:
    settings = load(SETTINGS)
    store = settings.checkpoint.store.removeprefix("file://")

    assert settings.input.instance is None  # or the standby would have to wait for its session
    assert settings.learning.scope == "global"
    for service in LEARNERS:
        assert mounts(service)[store] == "models"
        assert mounts(service)["/etc/streamfit/streamfit.toml"] == "./compose/streamfit.toml"


def test_the_settings_name_the_topics_that_are_made_and_the_broker_inside() -> None:
    settings = load(SETTINGS)
    made = re.findall(r"^make (\S+) \d+$", SERVICES["topics"]["command"][2], re.MULTILINE)
    inside = SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]

    assert sorted(made) == sorted(settings.topics.values())
    assert f"INSIDE://{settings.kafka.bootstrap_servers}," in inside


def test_the_settings_fit_the_demo_data() -> None:
    settings = load(SETTINGS)

    assert settings.schema_.feature_names == FEATURES
    assert learner_of(settings).path == "compiled"
    assert mounts("producer")["/data/elec2.csv.xz"] == "../producers/data/elec2.csv.xz"
    assert "/data/elec2.csv.xz" in SERVICES["producer"]["command"]


def test_metrics_are_served_where_health_check_and_prometheus_ask() -> None:
    settings = load(SETTINGS)
    port = settings.metrics.port
    scrape = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())
    targets = [
        target
        for job in scrape["scrape_configs"]
        for group in job["static_configs"]
        for target in group["targets"]
    ]

    assert settings.metrics.host == "0.0.0.0"  # noqa: S104 - in the container
    assert sorted(targets) == [f"{service}:{port}" for service in LEARNERS]
    for service in LEARNERS:
        assert SERVICES[service]["ports"][0].endswith(f":{port}")
        assert f":{port}/readyz" in " ".join(SERVICES[service]["healthcheck"]["test"])


def test_grafana_finds_prometheus_and_the_dashboards() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    source = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())
    boards = yaml.safe_load((provisioning / "dashboards" / "streamfit.yaml").read_text())

    assert source["datasources"][0]["url"] == "http://prometheus:9090"
    folder = boards["providers"][0]["options"]["path"]
    assert list((DEPLOY / mounts("grafana")[folder]).glob("*.json"))
    assert mounts("grafana")["/etc/grafana/provisioning"] == "./grafana/provisioning"


def test_a_stop_lasts_longer_than_the_program_needs_at_most() -> None:
    for service in LEARNERS:
        assert SERVICES[service]["stop_grace_period"] == "60s"


def test_the_model_can_be_rolled_back_to_where_it_was_before_an_alert_fired() -> None:
    checkpoint = load(SETTINGS).checkpoint

    assert checkpoint.keep * checkpoint.every.total_seconds() >= 3600
