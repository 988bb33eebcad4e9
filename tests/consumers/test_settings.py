"""The settings as a whole: every mistake gives one line, secrets stay secret, meaning is hashed."""

import json
from pathlib import Path
from typing import Any

import pytest

from consumers.cli import main
from consumers.errors import SettingsError
from consumers.settings import Settings, from_tables, load
from tests.settings_tables import REMOVED, tables

# Section 7 of the design, as it stands there.
EXAMPLE = """
[kafka]
bootstrap_servers = "localhost:9092"     # required; only `demo` brings its own broker
[input]
topic = "events"
group = "elec2"
start = "earliest"                       # or "latest": only when group and store are both new
[schema]
id = "id"                                # left out: topic/partition/offset
time = "ts"                              # ms since 1970, UTC; left out: the record's timestamp
label = "label"                          # a missing or null label is fine
features_in = "features"                 # the object or array that holds them (default)
features = ["period", "nswprice", "nswdemand"]   # or tables
classes = [0, 1]                         # or strings; left out for regression
[[model.steps]]
use = "StandardScaler"
[[model.steps]]
use = "SGDClassifier"
loss = "log_loss"
learning_rate = "constant"
eta0 = 0.005
penalty = "none"
[output]
topic = "predictions"
dead_letter_topic = "events.dlq"
delivery = "at_least_once"
[checkpoint]
store = "file:///var/lib/streamfit"      # s3://, gs://, az:// through fsspec
every = "1s"
[metrics]
port = 9108
"""
SECRET = "hunter2"  # noqa: S105 - to look for, it opens nothing
PASSWORD = "sasl.password"  # noqa: S105 - the name of an option


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    import os  # noqa: PLC0415 - only here does a test look at the environment

    for name in [name for name in os.environ if name.upper().startswith("STREAMFIT_")]:
        monkeypatch.delenv(name)


def problems(changes: dict[str, Any], overrides: tuple[str, ...] = ()) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        from_tables(tables(changes), overrides)
    assert caught.value.exit_code == 2
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def test_the_designs_example_file_loads(tmp_path: Path) -> None:
    file = tmp_path / "example.toml"
    file.write_text(EXAMPLE)
    settings = load(file)
    assert settings.schema_.feature_names == ("period", "nswprice", "nswdemand")
    assert settings.schema_.classes == [0, 1]
    assert settings.model.steps[1].params == {
        "loss": "log_loss",
        "learning_rate": "constant",
        "eta0": 0.005,
        "penalty": "none",
    }
    assert settings.checkpoint.every.total_seconds() == 1.0
    assert settings.dead_letter_topic == "events.dlq"


def test_what_is_left_out_is_what_the_design_says() -> None:
    settings = from_tables(tables())
    learning, limits, kept = settings.learning, settings.limits, settings.checkpoint
    assert (learning.scope, settings.output.delivery) == ("global", "at_least_once")
    assert {learning.on_reset, learning.on_gap, learning.on_damaged} == {"fail"}
    assert limits.max_uncheckpointed == 1_000_000
    assert limits.stall_after.total_seconds() == 60
    assert (kept.every.total_seconds(), kept.keep, kept.max_bytes) == (1, 5, 2**30)


@pytest.mark.parametrize(
    "changes",
    [
        {"output.delivery": "exactly_once", "checkpoint.every": "3m"},
        {"output.delivery": "at_least_once", "checkpoint.every": "10m"},
        {"output.delivery": "at_least_once", "learning.on_damaged": "previous"},
        {"output.delivery": "exactly_once", "learning.scope": "partition"},
        {"learning.on_reset": "follow_checkpoint", "learning.on_gap": "skip"},
        {"limits.max_uncheckpointed": 1, "limits.stall_after": "5m", "checkpoint.max_bytes": 1},
        {"kafka.librdkafka": {"group.protocol": "consumer"}},
    ],
)
def test_what_goes_together_is_accepted(changes: dict[str, Any]) -> None:
    from_tables(tables(changes))


MISTAKES: dict[str, tuple[dict[str, Any], str, str]] = {
    "missing topic": ({"input.topic": REMOVED}, "input.topic: missing", "add `topic = ...`"),
    "missing table": ({"kafka": REMOVED}, "kafka: missing", "add a table [kafka]"),
    "missing estimator": (
        {"model.steps": [{"eta0": 1}]},
        "model.steps[0].use: missing",
        "add `use",
    ),
    "unknown key": (
        {"input.topik": "x"},
        "input.topik = 'x': unknown",
        "did you mean input.topic?",
    ),
    "unknown key with a dash": ({"input.my-key": 1}, "input.my-key = 1: unknown", "known here: "),
    "unknown section": ({"inputs": {"a": 1}}, "inputs: unknown key", "did you mean input?"),
    "unknown section with a dash": ({"my-own": {"a": 1}}, "my-own: unknown key", "known here: "),
    "wrong type": ({"input.topic": 3}, "input.topic = 3:", "set input.topic to"),
    "no table": ({"input": 3}, "input = 3: input should be a table", "set input to"),
    "not a number": ({"metrics.port": "x"}, "metrics.port = 'x':", "set metrics.port to"),
    "true for a number": ({"metrics.port": True}, "metrics.port = True:", "set metrics.port to"),
    "out of range": ({"metrics.port": 70000}, "metrics.port = 70000:", "65535; set metrics.port"),
    "infinite": ({"learning.max_abs": float("inf")}, "learning.max_abs = inf:", "1e+300; set"),
    "no such choice": ({"input.start": "now"}, "input.start = 'now':", "'earliest' or 'latest'"),
    "no topic's name": ({"input.topic": "a b"}, "input.topic = 'a b':", "set input.topic to"),
    "no duration": ({"checkpoint.every": "1 day"}, "checkpoint.every = '1 day':", "write it like"),
    "no address": ({"checkpoint.store": "/x"}, "checkpoint.store = '/x':", "write file:///"),
    "one class": ({"schema.classes": ["up"]}, "schema.classes = ['up']:", "name each once"),
    "a class twice": ({"schema.classes": [1, 1]}, "schema.classes = [1, 1]:", "name each once"),
    "mixed classes": ({"schema.classes": [1, "up"]}, "schema.classes = [1, 'up']:", "of one kind"),
    "a class that is a fraction": (
        {"schema.classes": [0, 1.5]},
        "schema.classes[1] = 1.5: input should be a valid integer or a valid string",
        "set schema.classes[1]",
    ),
    "no features": ({"schema.features": []}, "schema.features = []:", "set schema.features"),
    "a feature twice": ({"schema.features": ["a", "a"]}, "schema: ['a']", "name each once"),
    "a feature that is a number": (
        {"schema.features": ["a", 7]},
        "schema.features[1] = 7: input should be a valid string or a table",
        "set schema.features[1]",
    ),
    "a feature's name that JSON escapes": (
        {"schema.features": ['a"b']},
        "schema.features[0] = 'a\"b': holds a quote",
        "rename the field",
    ),
    "unknown key of a feature": (
        {"schema.features": [{"name": "a", "knd": "number"}]},
        "schema.features[0].knd = 'number': unknown",
        "remove it",
    ),
    "two things of one name": ({"schema.id": "y"}, "schema: ['y']", "name each once"),
    "two things of one name in a flat row": (
        {"schema.features_in": "", "schema.label": "a"},
        "schema: ['a']",
        "name each once",
    ),
    "features beside themselves": (
        {"schema.id": "features"},
        "schema: ['features']",
        "name each once",
    ),
    "a scope that is not built": (
        {"learning.scope": "merged"},
        "learning.scope = 'merged': not available yet",
        "use 'global' or 'partition'",
    ),
    "no such delivery": (
        {"output.delivery": "at_most_once"},
        "output.delivery = 'at_most_once':",
        "'at_least_once' or 'exactly_once'",
    ),
    "no such policy for a reset": (
        {"learning.on_reset": "skip"},
        "learning.on_reset = 'skip':",
        "'fail', 'follow_kafka' or 'follow_checkpoint'",
    ),
    "no such policy for a gap": (
        {"learning.on_gap": "ignore"},
        "learning.on_gap = 'ignore':",
        "'fail' or 'skip'",
    ),
    "no such policy for a damaged checkpoint": (
        {"learning.on_damaged": "skip"},
        "learning.on_damaged = 'skip':",
        "'fail' or 'previous'",
    ),
    "a policy that repeats predictions where none may be": (
        {"output.delivery": "exactly_once", "learning.on_damaged": "previous"},
        "learning.on_damaged = 'previous' repeats predictions",
        "or output.delivery to 'at_least_once'",
    ),
    "a transaction that is too long": (
        {"output.delivery": "exactly_once", "checkpoint.every": "181s"},
        "checkpoint.every: with exactly_once an epoch is a transaction",
        "set it to 3m or less",
    ),
    "nothing uncheckpointed": (
        {"limits.max_uncheckpointed": 0},
        "limits.max_uncheckpointed = 0:",
        "set limits.max_uncheckpointed",
    ),
    "no time to stall": (
        {"limits.stall_after": "soon"},
        "limits.stall_after = 'soon':",
        "write it like",
    ),
    "no room for a checkpoint": (
        {"checkpoint.max_bytes": 0},
        "checkpoint.max_bytes = 0:",
        "set checkpoint.max_bytes",
    ),
    "too little memory": (
        {"limits.max_memory": "100MB"},
        "limits.max_memory = '100MB':",
        "greater than or equal to 320000000",
    ),
    "no size": (
        {"limits.max_memory": "much"},
        "limits.max_memory = 'much':",
        "write it like '400MB'",
    ),
    "a table that is not built": ({"labels": {"topic": "x"}}, "labels: not available", "remove it"),
    "a key that is not built": (
        {"input.schema_registry": "http://x"},
        "input.schema_registry = 'http://x': not available yet",
        "remove it",
    ),
    "an option that guarantees rest on": (
        {"kafka.librdkafka": {"enable.auto.commit": True}},
        "kafka.librdkafka: enable.auto.commit is refused",
        "offsets are committed with the checkpoint",
    ),
    "an option that the end of a transaction rests on": (
        {"kafka.librdkafka": {"transaction.timeout.ms": 1000}},
        "kafka.librdkafka: transaction.timeout.ms is refused",
        "it follows from checkpoint.every",
    ),
    "an option that rebalances rest on": (
        {"kafka.librdkafka": {"partition.assignment.strategy": "range"}},
        "kafka.librdkafka: partition.assignment.strategy is refused",
        "cooperative-sticky",
    ),
    "an option that is a list": (
        {"kafka.librdkafka": {"client.id": ["x"]}},
        "kafka.librdkafka.client.id = ['x']:",
        "set kafka.librdkafka.client.id to",
    ),
    "a secret's file by another name": (
        {"kafka.librdkafka": {PASSWORD: {"path": "/x"}}},
        "kafka.librdkafka.sasl.password.file: missing",
        "add `file = ...`",
    ),
}


@pytest.mark.parametrize(("changes", "start", "mend"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_gives_a_line_with_key_value_and_mend(
    changes: dict[str, Any], start: str, mend: str
) -> None:
    line, *others = problems(changes)
    assert line.startswith(start)
    assert mend in line
    assert "\n" not in line
    assert len(line) < 250
    if "file: missing" not in start:  # there the other name is unknown too
        assert others == []


def test_every_mistake_has_its_own_line_each_key_once() -> None:
    found = problems({"input.topic": REMOVED, "metrics.port": "x", "input.topik": "x", "foo": 1})
    keys = [line.split(":")[0].split(" = ")[0] for line in found]
    assert sorted(keys) == ["foo", "input.topic", "input.topik", "metrics.port"]


def test_the_command_ends_with_code_2_and_one_line_for_each_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(EXAMPLE.replace('topic = "events"', "topik = 1").replace("9108", "-1"))
    assert main(["run", str(file)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("streamfit: ") for line in lines)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "no such file; `streamfit init"),
        (b"[input\n", "not TOML"),
        (b"\xff\xfe", "cannot be read"),
        (b"a = 1\na = 2\n", "not TOML"),
    ],
)
def test_a_file_that_cannot_be_read_gives_one_line(
    tmp_path: Path, content: bytes | None, text: str
) -> None:
    file = tmp_path / "settings.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=text) as caught:
        load(file)
    assert len(caught.value.problems) == 1
    assert str(file) in caught.value.problems[0]


def test_a_folder_is_no_settings_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path)


def test_the_environment_holds_over_the_file_and_set_over_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tables({"input.group": "of-file", "metrics.port": 1, "metrics.host": "of-file"})
    monkeypatch.setenv("STREAMFIT_INPUT__GROUP", "of-environment")
    monkeypatch.setenv("STREAMFIT_METRICS__PORT", "2")
    settings = from_tables(file, ["metrics.port=3"])
    assert settings.input.group == "of-environment"
    assert (settings.metrics.port, settings.metrics.host) == (3, "of-file")


def test_everything_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for section, keys in tables().items():
        for key, value in keys.items():
            text = value if isinstance(value, str) else json.dumps(value)
            monkeypatch.setenv(f"STREAMFIT_{section}__{key}".upper(), text)
    assert load(None) == from_tables(tables())


def test_text_that_looks_like_a_number_stays_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMFIT_INPUT__GROUP", "2024")
    assert from_tables(tables(), ["input.instance=007"]).input.group == "2024"
    assert from_tables(tables(), ["input.instance=007"]).input.instance == "007"


def test_a_variable_of_an_unknown_section_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMFIT_KAFKAA__BOOTSTRAP_SERVERS", "x")
    monkeypatch.setenv("STREAMFIT_TOPIC", "x")
    one, two = problems({})
    assert one.startswith("STREAMFIT_KAFKAA__BOOTSTRAP_SERVERS: unknown section 'kafkaa'")
    assert two.startswith("STREAMFIT_TOPIC: unknown section 'topic'")
    assert "STREAMFIT_<SECTION>__<KEY>" in one


def test_a_variable_of_an_unknown_key_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMFIT_INPUT__TOPIK", "x")
    assert problems({}) == ("input.topik = 'x': unknown key; did you mean input.topic?",)


def test_the_tests_own_variables_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMFIT_TEST_BOOTSTRAP", "x")
    monkeypatch.setenv("STREAMFIT_FAILPOINT", "x")
    from_tables(tables())


def test_a_variable_that_should_hold_json_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMFIT_KAFKA__LIBRDKAFKA", f"{PASSWORD}={SECRET}")
    (line,) = problems({})
    assert "JSON" in line
    assert SECRET not in line


def options(settings: Settings) -> dict[str, Any]:
    return settings.kafka.client_config()


@pytest.mark.parametrize("password", [SECRET, 271828])
def test_a_secret_is_never_printed_and_reaches_the_client(password: str | int) -> None:
    settings = from_tables(tables({"kafka.librdkafka": {PASSWORD: password, "linger.ms": 7}}))
    for text in (repr(settings), str(settings), settings.model_dump_json(), str(settings.kafka)):
        assert str(password) not in text
    assert str(settings.meaning()).find(str(password)) < 0
    assert options(settings)[PASSWORD] == str(password)
    assert options(settings)["linger.ms"] == 7


@pytest.mark.parametrize(
    ("changes", "overrides"),
    [
        ({"kafka.librdkafka": {PASSWORD: [SECRET]}}, ()),
        ({"kafka.librdkafka": {PASSWORD: {"fil": SECRET}}}, ()),
        ({"kafka.librdkafka": {"ssl.key.password": {"file": SECRET, "x": SECRET}}}, ()),
        ({"kafka.librdkafka": SECRET}, ()),
        ({"kafka": SECRET}, ()),
        ({"kafka.librdkafk": {PASSWORD: SECRET}}, ()),
        ({"kafak": {"librdkafka": {PASSWORD: SECRET}}}, ()),
        ({"kafak": [{"librdkafka": {PASSWORD: SECRET}}]}, ()),
        ({"kafka.password": SECRET}, ()),
        ({}, (f"password={SECRET}",)),
        ({}, (f"kafka..password={SECRET}",)),
        ({}, (f"kafka.bootstrap_servers.password.x={SECRET}",)),
        ({}, ("input.topic=x", f"input.topic.password={SECRET}")),
    ],
)
def test_a_secret_in_a_wrong_place_is_not_shown_by_the_error(
    changes: dict[str, Any], overrides: tuple[str, ...]
) -> None:
    assert SECRET not in "\n".join(problems(changes, overrides))


def test_a_secret_comes_from_a_file_when_the_client_is_made(tmp_path: Path) -> None:
    file = tmp_path / "password"
    settings = from_tables(tables({"kafka.librdkafka": {PASSWORD: {"file": str(file)}}}))
    file.write_text(f"{SECRET} \n")
    assert options(settings)[PASSWORD] == f"{SECRET} "
    assert SECRET not in repr(settings)
    file.unlink()
    with pytest.raises(OSError, match="password"):
        options(settings)


def test_a_secret_by_override_reaches_the_client() -> None:
    settings = from_tables(tables(), [f"kafka.librdkafka.{PASSWORD}=123456"])
    assert options(settings)[PASSWORD] == "123456"
    assert "123456" not in repr(settings)


def meaning_hash(changes: dict[str, Any]) -> str:
    return from_tables(tables(changes)).meaning_hash()


@pytest.mark.parametrize(
    "changes",
    [
        {"kafka.bootstrap_servers": "other:1"},
        {"input.topic": "other"},
        {"input.group": "other"},
        {"output.topic": "other"},
        {"learning.max_batch": 7},
        {"learning.scope": "partition"},
        {"learning.on_reset": "follow_kafka"},
        {"learning.on_gap": "skip"},
        {"learning.on_damaged": "previous"},
        {"output.delivery": "exactly_once"},
        {"checkpoint.every": "5s"},
        {"checkpoint.max_bytes": 7},
        {"limits.max_uncheckpointed": 7},
        {"limits.stall_after": "7s"},
        {"limits.dead_letter_count": 7},
        {"metrics.port": 7},
        {"schema.id": "other"},
        {"schema.classes": ["up", "down"]},
        {"schema.features": [{"name": "a"}, {"name": "b", "kind": "number"}]},
        {"learning.stride": 1, "learning.max_abs": 1e15},
        {"learning.max_abs": 10**15},
        {"model.steps": [{"use": "StandardScaler"}, {"eta0": 0.01, "use": "SGDClassifier"}]},
    ],
)
def test_what_a_model_means_does_not_hang_on_other_settings(changes: dict[str, Any]) -> None:
    assert meaning_hash(changes) == meaning_hash({})


def test_how_a_number_is_written_does_not_change_the_meaning() -> None:
    whole, fraction = ({"use": "SGDClassifier", "eta0": eta0} for eta0 in (1, 1.0))
    assert meaning_hash({"model.steps": [whole]}) == meaning_hash({"model.steps": [fraction]})


@pytest.mark.parametrize(
    "changes",
    [
        {"schema.features": ["b", "a"]},
        {"schema.features": ["a", "c"]},
        {"schema.features_in": ""},
        {"schema.label": "z"},
        {"schema.classes": ["down", "up", "still"]},
        {"learning.stride": 2},
        {"learning.max_abs": 7},
        {"learning.max_weight": 7},
        {"learning.on_unknown_label": "unlabelled"},
        {"model.steps": [{"use": "SGDClassifier", "eta0": 0.01}]},
        {"model.steps": [{"use": "StandardScaler"}, {"use": "SGDClassifier", "eta0": 0.02}]},
        {"model.steps": [{"use": "StandardScaler"}, {"use": "SGDClassifier"}]},
    ],
)
def test_what_changes_the_meaning_of_a_model_changes_the_hash(changes: dict[str, Any]) -> None:
    assert meaning_hash(changes) != meaning_hash({})


def test_the_meaning_is_hashed_alike_for_ever() -> None:
    # A changed hash would refuse every checkpoint that is out there.
    expected = "dca818a6e126d48d8dca9c72d95376a151ce99713ad82fc5b847ac5d254cf6b4"
    assert meaning_hash({}) == expected


def test_settings_do_not_change_once_they_are_made() -> None:
    settings = from_tables(tables())
    with pytest.raises(ValueError, match="frozen"):
        settings.metrics.port = 1  # type: ignore[misc]  # frozen, which is the point
