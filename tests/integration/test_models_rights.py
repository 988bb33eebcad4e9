"""`streamfit models` with a login that may do little: as documented is enough, less is refused."""

import json
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # all of them are public
    AclOperation,
    ResourceType,
)

from tests.brokers.secure import Right, SecureKafka
from tests.integration.test_models import called
from tests.integration.test_security import as_user, event
from tests.jobs import Job

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("logs_as_before")]
DESCRIBE, READ = AclOperation.DESCRIBE, AclOperation.READ
LOOKING = ["show", "verify", "export"]
HIDDEN = {"topic": "input.topic = '{topic}'", "group": "input.group = '{group}'"}


@pytest.fixture(scope="module")
def job(secure: SecureKafka, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Give a job that has kept two checkpoints, and has ended."""
    made = Job(secure, tmp_path_factory.mktemp("job"))
    for count in (20, 40):
        made.produce([(None, event(number)) for number in range(count - 20, count)])
        made.run_until(count)
    return made


def rights(job: Job, topic: AclOperation | None, group: AclOperation | None) -> list[Right]:
    """Give these rights on the job's input topic and group."""
    wanted = [(ResourceType.TOPIC, job.topic, topic), (ResourceType.GROUP, job.group, group)]
    return [(kind, name, right) for kind, name, right in wanted if right is not None]


def without(job: Job, hidden: str) -> list[Right]:
    """Give the documented rights to look, but for those on the topic or on the group."""
    return rights(job, *(None if name == hidden else DESCRIBE for name in HIDDEN))


def arguments(command: str, folder: Path) -> list[str]:
    return ["--to", str(folder / "model.skops")] if command == "export" else []


def refusal(secure: SecureKafka, job: Job, granted: list[Right], command: str, *words: str) -> str:
    """Call a command that must end because of a right; gives the one line that it says."""
    done = called(job, command, *words, *as_user(secure, granted))
    assert done.returncode == 3, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize("command", LOOKING)
def test_a_model_is_looked_at_with_no_more_rights_than_documented(
    secure: SecureKafka, job: Job, tmp_path: Path, command: str
) -> None:
    user = as_user(secure, rights(job, DESCRIBE, DESCRIBE))
    words = arguments(command, tmp_path)
    done = called(job, command, *words, "--json", *user)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert json.loads(job.committed()[0].metadata or "")["key"] in done.stdout


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("command", LOOKING)
def test_a_model_whose_topic_or_group_is_hidden_is_not_looked_at(
    secure: SecureKafka, job: Job, tmp_path: Path, command: str, hidden: str
) -> None:
    line = refusal(secure, job, without(job, hidden), command, *arguments(command, tmp_path))
    assert line.startswith("streamfit: " + HIDDEN[hidden].format_map(vars(job)))
    assert "may not see" in line
    assert "grant READ" in line
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("hidden", HIDDEN)
def test_what_is_committed_is_left_open_where_topic_or_group_is_hidden(
    secure: SecureKafka, job: Job, hidden: str
) -> None:
    done = called(job, "list", *as_user(secure, without(job, hidden)))
    assert done.returncode == 0, done.stderr
    (line,) = done.stderr.splitlines()
    assert "is not known: " + HIDDEN[hidden].format_map(vars(job)) in line
    assert "grant READ" in line


@pytest.mark.parametrize(
    ("topic", "group", "words"),
    [
        (None, READ, ["input.topic = '{topic}'", "may not see", "grant READ on the topic"]),
        (DESCRIBE, READ, ["input.topic = '{topic}'", "may not read", "grant READ on the topic"]),
        (READ, None, ["input.group = '{group}'", "may not see", "grant READ"]),
        (READ, DESCRIBE, ["input.group: ", "grant this login READ on the group"]),
    ],
    ids=["hidden topic", "unread topic", "hidden group", "described group"],
)
def test_a_group_does_not_go_back_without_a_right(
    secure: SecureKafka,
    job: Job,
    topic: AclOperation | None,
    group: AclOperation | None,
    words: list[str],
) -> None:
    before = job.committed()[0]
    older = str(json.loads(before.metadata or "")["epoch"] - 1)
    line = refusal(secure, job, rights(job, topic, group), "rollback", older, "--yes")
    assert all(word.format_map(vars(job)) in line for word in words), line
    after = job.committed()[0]
    assert (after.offset, after.metadata) == (before.offset, before.metadata)
