"""The installed command against a broker that asks who it is: TLS, SASL, certificates, rights."""

import json
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # all of them are public
    AclOperation,
    ResourcePatternType,
    ResourceType,
)

from consumers.cli import main
from consumers.errors import KafkaUnreachableError
from consumers.kafka.cluster import Cluster, require_rights
from consumers.kafka.config import client_config
from consumers.settings import load
from tests.brokers.secure import PLAIN, Door, Right, SecureKafka
from tests.jobs import TIMEOUT_S, Job, last_words, run_command

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("logs_as_before")]
PASSWORD = "right-password-#1"  # noqa: S105 of a broker that lives for a minute
WRONG = "wrong-password-#2"
READ, WRITE = AclOperation.READ, AclOperation.WRITE
SECRETS = (PASSWORD, WRONG, PLAIN[1])


@pytest.fixture
def job(secure: SecureKafka, tmp_path: Path) -> Job:
    """Give a job on new topics, with some events there."""
    made = Job(secure, tmp_path)
    made.produce([(None, event(number)) for number in range(20)])
    return made


def event(number: int) -> bytes:
    label = ("down", "up")[number % 2]
    features = {"a": number, "b": 1.0, "c": -number}
    return json.dumps({"id": f"e{number}", "features": features, "label": label}).encode()


def rights_of(job: Job, *, exactly_once: bool = False) -> list[Right]:
    """Give all that `run` needs, as docs/security.md has it."""
    rights = [
        (ResourceType.TOPIC, job.topic, READ),
        (ResourceType.GROUP, job.group, READ),
        (ResourceType.TOPIC, job.predictions, WRITE),
        (ResourceType.TOPIC, job.dead_letters, WRITE),
    ]
    if exactly_once:
        rights.append((ResourceType.TRANSACTIONAL_ID, f"streamfit-{job.group}", WRITE))
    return rights


def user_with(secure: SecureKafka, rights: list[Right]) -> str:
    name = secure.unique("user")
    secure.user(name, PASSWORD)
    secure.grant(name, rights)
    return name


def login(secure: SecureKafka, user: str, password: str = PASSWORD) -> dict[str, str]:
    return {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": user,
        "sasl.password": password,
        "ssl.ca.location": str(secure.folder / "ca.pem"),
    }


def connect(job: Job, address: str, options: Mapping[str, str]) -> None:
    """Write into the job's settings how it connects."""
    lines = [f"{json.dumps(key)} = {json.dumps(value)}\n" for key, value in options.items()]
    text = job.file.read_text().replace(job.kafka.bootstrap_servers, address)
    job.file.write_text(text + "[kafka.librdkafka]\n" + "".join(lines))


def deliver(job: Job, delivery: str, scope: str = "global") -> None:
    """Write into the job's settings how it delivers, and what has a model of its own."""
    lines = f'delivery = "{delivery}"\n[learning]\nscope = "{scope}"\n[checkpoint]'
    job.file.write_text(job.file.read_text().replace("[checkpoint]", lines))


def refusal(job: Job, *words: str) -> str:
    """Run a command that must end because of Kafka; gives the one line that it says of it."""
    done = run_command(*(words or ("run",)), str(job.file))
    told = done.stdout + done.stderr
    assert done.returncode == 3, told
    assert not any(secret in told for secret in SECRETS)
    if not words:
        return str(last_words(done.stderr)["message"])
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith('{"')]
    return line.removeprefix("streamfit: ")


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_with_the_right_password_and_no_more_rights_than_documented_it_learns(
    secure: SecureKafka, job: Job, delivery: str
) -> None:
    rights = rights_of(job, exactly_once=delivery == "exactly_once")
    connect(job, secure.address(Door.SASL), login(secure, user_with(secure, rights)))
    log = job.run_until(20, "--set", f"output.delivery={delivery}")
    assert len(job.predicted()) == 20
    assert PASSWORD not in log


def test_a_password_comes_from_a_file_or_the_environment_and_is_left_nowhere(
    secure: SecureKafka, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = login(secure, user_with(secure, rights_of(job))) | {"debug": "all"}
    del options["sasl.password"]
    connect(job, secure.address(Door.SASL), options)
    variable = "STREAMFIT_KAFKA__LIBRDKAFKA"
    monkeypatch.setenv(variable, json.dumps({"sasl.password": PASSWORD}))
    with job.running("--set", "log.level=debug") as running:
        address = running.address()
        job.await_committed(20, running)
        pages = "".join(page(f"{address}/{path}") for path in ("metrics", "readyz", "settings"))
        running.stop()
    log = running.log.read_text()
    assert PASSWORD not in log
    assert PASSWORD not in pages
    kept = [file for file in (tmp_path / job.group).rglob("*") if file.is_file()]
    assert kept
    assert not any(PASSWORD in told for file in kept for told in texts(file))


def page(address: str) -> str:
    """Give a page, whatever its status."""
    try:
        with urllib.request.urlopen(address) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()


def texts(file: Path) -> list[str]:
    """Give what a checkpoint holds, part by part."""
    if not zipfile.is_zipfile(file):
        return [file.read_text(errors="replace")]
    with zipfile.ZipFile(file) as archive:
        return [archive.read(name).decode(errors="replace") for name in archive.namelist()]


def test_with_a_client_certificate_it_learns(secure: SecureKafka, job: Job) -> None:
    name = secure.unique("certified")
    certificate, key = secure.certificate(name)
    secure.grant(name, rights_of(job))
    options = {
        "security.protocol": "SSL",
        "ssl.ca.location": str(secure.folder / "ca.pem"),
        "ssl.certificate.location": str(certificate),
        "ssl.key.location": str(key),
    }
    connect(job, secure.address(Door.MUTUAL), options)
    job.run_until(20)
    assert len(job.predicted()) == 20


def test_by_plain_over_tls_it_learns(secure: SecureKafka, job: Job) -> None:
    secure.grant(PLAIN[0], rights_of(job))
    connect(job, secure.address(Door.SASL), login(secure, *PLAIN) | {"sasl.mechanism": "PLAIN"})
    log = job.run_until(20)
    assert len(job.predicted()) == 20
    assert PLAIN[1] not in log


CASES = {
    "wrong password": (Door.SASL, {"sasl.password": WRONG}, ["sasl.username", "sasl.password"]),
    "wrong password by PLAIN": (
        Door.SASL,
        {"sasl.mechanism": "PLAIN", "sasl.username": PLAIN[0], "sasl.password": WRONG},
        ["sasl.username = 'plain'", "refuses the login", "sasl.password"],
    ),
    "unknown user": (Door.SASL, {"sasl.username": "nobody"}, ["'nobody'", "refuses the login"]),
    "wrong mechanism": (
        Door.SASL,
        {"sasl.mechanism": "SCRAM-SHA-256"},
        ["sasl.mechanism = 'SCRAM-SHA-256'", "SCRAM-SHA-512,PLAIN"],
    ),
    "wrong authority": (
        Door.SASL,
        {"ssl.ca.location": "{folder}/other-ca.pem"},
        ["ssl.ca.location = ", "other-ca.pem", "not signed"],
    ),
    "expired": (Door.EXPIRED, {}, ["kafka.bootstrap_servers", "has expired", "renew"]),
    "another host's": (Door.MISNAMED, {}, ["kafka.bootstrap_servers", "another host's"]),
    "no TLS to a TLS port": (
        Door.SASL,
        {"security.protocol": "SASL_PLAINTEXT"},
        ["security.protocol = 'SASL_PLAINTEXT'", "speaks TLS", "'SASL_SSL'"],
    ),
    "no login to a port with login": (
        Door.SASL,
        {"security.protocol": "SSL"},
        ["security.protocol = 'SSL'", "'SASL_SSL'", "sasl.username"],
    ),
    "TLS to a plain port": (
        None,
        {},
        ["security.protocol = 'SASL_SSL'", "does not answer in TLS"],
    ),
    "no client certificate": (
        Door.MUTUAL,
        {"security.protocol": "SSL"},
        ["ssl.certificate.location", "ssl.key.location"],
    ),
}


def refused(secure: SecureKafka, job: Job, case: str) -> list[str]:
    """Set a job up to be refused; gives the words that tell why."""
    door, changed, words = CASES[case]
    changed = {key: value.format(folder=secure.folder) for key, value in changed.items()}
    options = {**login(secure, user_with(secure, rights_of(job))), **changed}
    connect(job, secure.address(door) if door else secure.bootstrap_servers, options)
    return words


@pytest.mark.parametrize("case", CASES)
def test_who_is_not_let_in_is_told_key_cause_and_mend_on_one_line(
    secure: SecureKafka, job: Job, case: str
) -> None:
    words = refused(secure, job, case)
    with pytest.raises(KafkaUnreachableError) as caught:
        Cluster(client_config(load(job.file))).partitions()
    line = str(caught.value)
    assert caught.value.exit_code == 3
    assert line.startswith("kafka.")
    assert all(word in line for word in [*words, ";"]), line
    assert "\n" not in line
    assert not any(secret in line for secret in SECRETS)


@pytest.mark.parametrize(
    "case", ["wrong password", "wrong password by PLAIN", "wrong authority", "expired"]
)
def test_a_run_that_is_not_let_in_ends_with_that_line(
    secure: SecureKafka, job: Job, case: str
) -> None:
    words = refused(secure, job, case)
    line = refusal(job)
    assert line.startswith("kafka.")
    assert all(word in line for word in words), line


@pytest.mark.parametrize("command", [("check",), ("dlq", "show")], ids=" ".join)
def test_other_commands_that_connect_say_it_in_the_same_words(
    secure: SecureKafka, job: Job, command: tuple[str, ...]
) -> None:
    words = refused(secure, job, "wrong password")
    line = refusal(job, *command)
    assert all(word in line for word in words), line


def test_a_data_set_is_not_sent_by_who_is_not_let_in(
    secure: SecureKafka, job: Job, tmp_path: Path
) -> None:
    words = refused(secure, job, "wrong password")
    rows = tmp_path / "rows.csv"
    rows.write_text("id,a,b,c,label\n1,1,2,3,up\n")
    done = run_command("produce", str(job.file), str(rows))
    assert done.returncode == 3
    assert all(word in done.stderr for word in words), done.stderr


ORDER = (
    *("input.topic", "input.group"),
    *("output.topic", "output.dead_letter_topic", "output.delivery"),
)
MISSING = {
    "input.topic": ["input.topic = '{topic}'", "READ"],
    "input.group": ["input.group", "READ"],
    "output.topic": ["output.topic = '{predictions}'", "WRITE"],
    "output.delivery": [
        "output.delivery = 'exactly_once'",
        "'streamfit-{group}'; grant WRITE on it",
    ],
}


@pytest.mark.parametrize("key", MISSING)
def test_without_a_right_it_ends_and_names_the_key_and_the_right(
    secure: SecureKafka, job: Job, key: str
) -> None:
    rights = dict(zip(ORDER, rights_of(job, exactly_once=True), strict=True))
    granted = [right for place, right in rights.items() if place != key]
    connect(job, secure.address(Door.SASL), login(secure, user_with(secure, granted)))
    delivery = "exactly_once" if key == "output.delivery" else "at_least_once"
    deliver(job, delivery)
    line = refusal(job)
    assert all(word.format_map(vars(job)) in line for word in MISSING[key]), line


def test_transactions_of_each_partition_need_no_more_than_a_prefix(
    secure: SecureKafka, job: Job
) -> None:
    user = user_with(secure, rights_of(job))
    prefix = (ResourceType.TRANSACTIONAL_ID, f"streamfit-{job.group}-", WRITE)
    secure.grant(user, [prefix], ResourcePatternType.PREFIXED)
    connect(job, secure.address(Door.SASL), login(secure, user))
    deliver(job, "exactly_once", scope="partition")
    job.run_until(20)
    assert len(job.predicted()) == 20


def test_without_that_prefix_it_ends_and_names_it(secure: SecureKafka, job: Job) -> None:
    rights = rights_of(job, exactly_once=True)
    connect(job, secure.address(Door.SASL), login(secure, user_with(secure, rights)))
    deliver(job, "exactly_once", scope="partition")
    line = refusal(job)
    assert "output.delivery = 'exactly_once'" in line
    assert f"grant WRITE on the prefix 'streamfit-{job.group}-'" in line


@pytest.mark.parametrize(
    ("right", "words"),
    [(AclOperation.DESCRIBE, "may not read"), (None, "may not see")],
    ids=["described", "hidden"],
)
def test_a_topic_that_may_not_be_read_is_not_called_missing(
    secure: SecureKafka, job: Job, right: AclOperation | None, words: str
) -> None:
    rights = [(ResourceType.TOPIC, job.topic, right)] if right is not None else []
    connect(job, secure.address(Door.SASL), login(secure, user_with(secure, rights)))
    cluster = Cluster(client_config(load(job.file)))
    wanted = {"input.topic": job.topic}

    def start() -> None:
        cluster.partitions_of(wanted)
        require_rights(cluster, wanted)

    with pytest.raises(KafkaUnreachableError, match=words):
        start()


def test_outputs_that_may_not_be_written_are_named_each(secure: SecureKafka, job: Job) -> None:
    rights = [
        (ResourceType.TOPIC, topic, AclOperation.DESCRIBE)
        for topic in (job.predictions, job.dead_letters)
    ]
    connect(job, secure.address(Door.SASL), login(secure, user_with(secure, rights)))
    cluster = Cluster(client_config(load(job.file)))
    outputs = {"output.topic": job.predictions, "output.dead_letter_topic": job.dead_letters}
    assert cluster.partitions_of(outputs).keys() == set(outputs.values())
    with pytest.raises(KafkaUnreachableError) as caught:
        require_rights(cluster, outputs)
    lines = str(caught.value).splitlines()
    assert [line.partition(" = ")[0] for line in lines] == list(outputs)
    assert all("grant WRITE" in line for line in lines)


def test_a_group_that_may_be_seen_and_not_joined_ends_the_run(
    secure: SecureKafka, job: Job
) -> None:
    rights = rights_of(job)
    rights[1] = (ResourceType.GROUP, job.group, AclOperation.DESCRIBE)
    connect(job, secure.address(Door.SASL), login(secure, user_with(secure, rights)))
    line = refusal(job)
    assert "input.group" in line
    assert "READ" in line


def as_user(secure: SecureKafka, rights: list[Right]) -> list[str]:
    """Give the words that let a command log in with these rights, and no others."""
    given = {
        f"kafka.librdkafka.{k}": v for k, v in login(secure, user_with(secure, rights)).items()
    }
    given["kafka.bootstrap_servers"] = secure.address(Door.SASL)
    return [word for key, value in given.items() for word in ("--set", f"{key}={value}")]


def test_the_other_commands_need_no_more_rights_than_documented(
    secure: SecureKafka, job: Job, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with job.running() as running:
        job.await_committed(20, running)
        epoch = str(json.loads(job.committed()[0].metadata or "")["epoch"])
        job.produce([(None, b"no event")])
        job.await_committed(21, running)
        running.stop()
    read = (ResourceType.TOPIC, job.topic, READ)
    send = (ResourceType.TOPIC, job.topic, WRITE)
    letters = (ResourceType.TOPIC, job.dead_letters, READ)
    see = [
        (ResourceType.TOPIC, job.topic, AclOperation.DESCRIBE),
        (ResourceType.GROUP, job.group, AclOperation.DESCRIBE),
    ]
    rows = tmp_path / "rows.csv"
    rows.write_text("id,a,b,c,label\n1,1,2,3,up\n")
    file = str(job.file)

    def call(words: list[str], rights: list[Right]) -> str:
        assert main([*words, *as_user(secure, rights)]) == 0, capfd.readouterr()
        told = capfd.readouterr()
        return told.out + told.err

    call(["check", file], rights_of(job))
    assert "not known" not in call(["models", "list", file], see)
    group = (ResourceType.GROUP, job.group, READ)
    call(["models", "rollback", file, epoch, "--yes"], [read, group])
    call(["dlq", "show", file], [letters])
    call(["dlq", "replay", file], [letters, send])
    call(["produce", file, str(rows)], [send])
    assert len(job.read(job.topic)) == 23


@pytest.mark.slow
def test_a_login_that_stops_working_is_an_outage_and_not_the_end(
    secure: SecureKafka, job: Job
) -> None:
    user = user_with(secure, rights_of(job))
    connect(job, secure.address(Door.SASL), login(secure, user))
    with job.running() as running:
        job.await_committed(20, running)
        secure.user(user, "rotated")
        secure.kill()  # whoever is connected stays logged in
        secure.start()
        deadline = time.monotonic() + TIMEOUT_S
        while "authentication error" not in running.log.read_text():
            assert time.monotonic() < deadline, running.log.read_text()
            time.sleep(0.05)
        secure.user(user, PASSWORD)
        job.produce([(None, event(20))])
        job.await_committed(21, running)
        running.stop()
        log = running.log.read_text()
    assert "rotated" not in log
