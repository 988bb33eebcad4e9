"""The compose file at work: Kafka, topics, demo data, consumer, standby, as it starts them."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from tests.absence import lacks
from tests.deploy.compose_engine import Engine, engine
from tests.deploy.image import NoImageError, build, docker

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
SERVICES = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
KAFKA = SERVICES["kafka"]["image"]
TIMEOUT_S = 120
pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def started() -> Iterator[Engine]:
    """Start what can be started of the file; where that cannot be, fail in CI, else skip."""
    try:
        image = build()
        docker("image", "inspect", KAFKA)
    except (NoImageError, subprocess.TimeoutExpired) as error:
        lacks(str(error))
    with engine(f"streamfit-compose-{uuid4().hex[:8]}", DEPLOY, {"streamfit:0.1.0": image}) as made:
        # Some builds of the image hold settings that only root can replace.
        made.start("kafka", SERVICES["kafka"], "--user=root", "--cap-add=DAC_OVERRIDE")
        made.wait_for("kafka", ".State.Health.Status", "healthy")
        made.start("topics", SERVICES["topics"])
        made.wait_for("topics", ".State.Status", "exited")
        made.wait_for("topics", ".State.ExitCode", "0", 0)
        made.start("producer", SERVICES["producer"])
        made.start("consumer", SERVICES["consumer"])
        made.wait_for("consumer", ".State.Health.Status", "healthy")
        made.start("standby", SERVICES["standby"])
        made.wait_for("standby", ".State.Health.Status", "healthy")
        yield made


def version(made: Engine, service: str) -> float:
    """Ask a service how many events its model has learned."""
    ask = (
        "import urllib.request as r; "
        "print(r.urlopen('http://127.0.0.1:9108/metrics', timeout=9).read().decode())"
    )
    page = docker("exec", made.container(service), "python", "-c", ask)
    (line,) = [one for one in page.splitlines() if one.startswith("streamfit_model_version ")]
    return float(line.split()[1])


def wait_for_more(made: Engine, service: str, than: float) -> float:
    """Wait until a service's model has learned more events."""
    deadline = time.monotonic() + TIMEOUT_S
    while (found := version(made, service)) <= than:
        assert time.monotonic() < deadline, docker("logs", made.container(service))
        time.sleep(0.2)
    return found


def test_the_standby_takes_over_what_the_consumer_has_learned(started: Engine) -> None:
    learned = wait_for_more(started, "consumer", 0.0)
    assert version(started, "standby") == 0.0

    docker("stop", "--time", "60", started.container("consumer"), timeout_s=90)

    started.wait_for("consumer", ".State.ExitCode", "0", 0)
    assert wait_for_more(started, "standby", learned) > learned
    started.wait_for("standby", ".State.Health.Status", "healthy")
    started.wait_for("producer", ".State.Running", "true", 0)
