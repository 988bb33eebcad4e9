"""`streamfit doctor` with a login that may do little: what it lacks is told, the rest looked at."""

import json
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # all of them are public
    AclOperation,
    ResourceType,
)

from tests.brokers.secure import Door, SecureKafka
from tests.jobs import Job, run_command

pytestmark = pytest.mark.integration
PASSWORD = "a-login-of-the-doctor"  # noqa: S105 - of a broker that lives for seconds
VALUE = json.dumps({"id": "e", "features": {"a": 1, "b": 2, "c": 3}, "label": "up"}).encode()


def test_rights_that_a_login_lacks_are_problems(secure: SecureKafka, tmp_path: Path) -> None:
    job = Job(secure, tmp_path)
    job.produce([(None, VALUE)])
    secure.user("ann", PASSWORD)
    secure.grant(
        "ann",
        [
            (ResourceType.TOPIC, job.topic, AclOperation.READ),
            (ResourceType.TOPIC, job.predictions, AclOperation.DESCRIBE),
            (ResourceType.TOPIC, job.dead_letters, AclOperation.WRITE),
        ],
    )
    options = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "ann",
        "sasl.password": PASSWORD,
        "ssl.ca.location": secure.folder / "ca.pem",
    }
    words = ["--set", f"kafka.bootstrap_servers={secure.address(Door.SASL)}"]
    for key, value in options.items():
        words += ["--set", f"kafka.librdkafka.{key}={value}"]
    done = run_command("doctor", str(job.file), "--json", *words)
    told = json.loads(done.stdout)
    rights = {each["seen"].split(" = ")[0]: each for each in told if "rights." in each["code"]}
    assert rights["input.topic"]["level"] == "ok"
    assert rights["output.dead_letter_topic"]["level"] == "ok"
    assert rights["output.topic"]["level"] == "problem"
    assert "WRITE is not granted" in rights["output.topic"]["seen"]
    assert rights["input.group"]["level"] == "problem"
    levels = {each["code"]: each["level"] for each in told}
    assert levels["broker.configs"] == "not looked at"
    assert levels["topics.sample"] == "ok"
    assert levels["group.start"] == "not looked at"
    assert done.returncode == 3
    assert PASSWORD not in done.stdout + done.stderr
