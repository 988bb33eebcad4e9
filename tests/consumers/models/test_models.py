"""What `models` makes of a store: rows, marks, verdicts, and the way back."""

import contextlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import skops.io

from consumers.checkpoints.agreement import Claims
from consumers.checkpoints.checkpoint import Content
from consumers.checkpoints.pointer import Pointer
from consumers.checkpoints.series import Checkpoints, Lineage
from consumers.checkpoints.store import LocalStore
from consumers.cli import main
from consumers.errors import (
    CheckpointError,
    FencedError,
    KafkaUnreachableError,
    OffsetsLostError,
    SettingsError,
)
from consumers.kafka.edges import Edges
from consumers.kafka.source import Committed
from consumers.models.files import require_free, write_whole
from consumers.models.inspection import Inspection
from consumers.models.reports import Row
from consumers.models.rollback import Plan, Rollback
from consumers.models.stored import Catalogue
from consumers.models.views import facts, listing
from consumers.settings import Settings, load
from consumers.wiring import checkpoints_of, learning_of
from tests.jobs import SETTINGS

pytestmark = pytest.mark.usefixtures("logs_as_before")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write settings whose Kafka is away."""
    path = tmp_path / "job.toml"
    names = {"topic": "events", "group": "g", "predictions": "p", "dead_letters": "d"}
    path.write_text(SETTINGS.format(bootstrap="127.0.0.1:1", store=tmp_path / "store", **names))
    return path


@pytest.fixture
def shelf(file: Path, tmp_path: Path) -> "Shelf":
    return Shelf(load(file), tmp_path / "store")


@dataclass
class FakeOffsets:
    """Offsets of a group, with what goes wrong at the next commit."""

    at: dict[int, Committed] = field(default_factory=dict)
    first: dict[int, int] = field(default_factory=dict)
    id: str | None = "id-1"
    fails: Exception | None = None
    loses: Sequence[int] = ()

    def topic_id(self) -> str | None:
        return self.id

    def committed(self) -> dict[int, Committed]:
        return dict(self.at)

    def bounds(self, partition: int) -> tuple[int, int]:
        return self.first.get(partition, 0), 1_000_000

    def commit(self, next_offsets: Mapping[int, int], metadata: str) -> None:
        for partition, offset in next_offsets.items():
            if partition not in self.loses:
                self.at[partition] = Committed(offset, metadata)
        if self.fails is not None:
            raise self.fails


class Shelf:
    """A store in the making, and the group beside it."""

    def __init__(self, settings: Settings, root: Path) -> None:
        self.settings = settings
        self.root = root
        self.checkpoints: Checkpoints = checkpoints_of(settings)
        store, max_bytes = LocalStore(root), settings.checkpoint.max_bytes
        self.catalogue = Catalogue(self.checkpoints, store, max_bytes)
        self.offsets = FakeOffsets()

    def save(
        self, version: int, parent: Pointer | None, partitions: int = 1, topic_id: str = "id-1"
    ) -> Pointer:
        snapshot = learning_of(self.settings).snapshot()
        learner = {**json.loads(snapshot.state["learner"]), "model_version": version}
        content = Content(
            snapshot.model, {**snapshot.state, "learner": json.dumps(learner).encode()}
        )
        lineage = Lineage(parent, parent.epoch if parent else 0)
        after = dict.fromkeys(range(partitions), version)
        return self.checkpoints.save(content, after, lineage, topic_id)

    def line(self, count: int) -> list[Pointer]:
        """Save a lineage whose epoch i has learned 100 * i events, and commit its end."""
        made: list[Pointer] = []
        for number in range(1, count + 1):
            made.append(self.save(100 * number, made[-1] if made else None))
        self.commit(made[-1], 100 * count)
        return made

    def commit(self, pointer: Pointer, offset: int, partition: int = 0) -> None:
        self.offsets.at[partition] = Committed(offset, pointer.to_metadata())

    def damage(self, pointer: Pointer, *, all_of_it: bool = True) -> None:
        path = self.root / pointer.key
        data = path.read_bytes()
        path.write_bytes(data[:50] if all_of_it else data.replace(b'"learner"', b'"lEarner"'))

    def inspection(self, *, kafka: bool = True) -> Inspection:
        if not kafka:
            away = KafkaUnreachableError("kafka is away")
            return Inspection(self.catalogue, self.checkpoints, None, away)
        claims = Claims.of(self.offsets.committed(), None)
        return Inspection(self.catalogue, self.checkpoints, claims)

    def rows(self) -> dict[str, Row]:
        return {row.key: row for row in self.inspection().rows()}

    def rollback(self, on_gap: str = "fail") -> Rollback:
        def fits(content: Content) -> None:
            learning_of(self.settings).restore(content)

        edges = Edges(self.offsets, "earliest")
        return Rollback(self.catalogue, self.checkpoints, self.offsets, edges, on_gap, fits)

    def verdicts(self, **known: bool) -> dict[str, str | None]:
        inspection = self.inspection(**known)
        there = inspection.described()
        return {
            key: inspection.verify(key, there, learning_of(self.settings)).problem for key in there
        }


def test_rows_come_newest_first_and_tell_the_lineage(shelf: Shelf) -> None:
    first, second, third = shelf.line(3)
    orphan = shelf.save(150, first)
    rows = shelf.inspection().rows()
    assert [row.epoch for row in rows] == [3, 2, 2, 1]
    assert {row.key for row in rows if row.orphan} == {orphan.key}
    assert {row.key for row in rows if row.in_lineage} == {first.key, second.key, third.key}
    assert [row.key for row in rows if row.committed] == [third.key]
    assert rows[0] == Row(
        epoch=3,
        key=third.key,
        size=third.size,
        model_version=300,
        next_offsets={"0": 300},
        parent=second.key,
        committed=True,
        in_lineage=True,
        orphan=False,
    )


def test_without_kafka_no_mark_is_made_up(shelf: Shelf) -> None:
    shelf.line(2)
    rows = shelf.inspection(kafka=False).rows()
    assert [(row.committed, row.in_lineage, row.orphan) for row in rows] == [(None, None, None)] * 2
    assert [row.model_version for row in rows] == [200, 100]


def test_of_a_torn_commit_both_pointers_are_committed_and_the_newest_counts(shelf: Shelf) -> None:
    _, second, third = shelf.line(3)
    shelf.commit(second, 200, partition=1)
    rows = shelf.rows()
    assert {key for key, row in rows.items() if row.committed} == {second.key, third.key}
    assert shelf.inspection().find(None, shelf.inspection().described()) == third.key


def test_a_committed_checkpoint_that_is_missing_is_listed_all_the_same(shelf: Shelf) -> None:
    first, second = shelf.line(2)
    (shelf.root / second.key).unlink()
    rows = shelf.rows()
    assert rows[second.key].committed
    assert "not in" in (rows[second.key].problem or "")
    assert rows[first.key].in_lineage is None  # whatever its parent was


def test_a_pointer_that_leads_out_of_the_store_is_not_followed(shelf: Shelf) -> None:
    (only,) = shelf.line(1)
    strange = Pointer("../job.toml", only.sha256, 2, only.size)
    shelf.commit(strange, 200)
    assert "not of group g" in (shelf.rows()[strange.key].problem or "")


def test_a_damaged_checkpoint_that_still_tells_its_parent_does_not_break_the_lineage(
    shelf: Shelf,
) -> None:
    first, second, third = shelf.line(3)
    shelf.damage(third, all_of_it=False)
    rows = shelf.rows()
    assert rows[third.key].problem is not None
    assert rows[second.key].in_lineage
    assert rows[first.key].in_lineage


def test_row_36_verify_finds_what_is_damaged_and_what_does_not_fit(shelf: Shelf) -> None:
    first, second, third = shelf.line(3)
    orphan = shelf.save(1, None)
    assert set(shelf.verdicts().values()) == {None}
    shelf.damage(second)
    (shelf.root / third.key).write_bytes((shelf.root / orphan.key).read_bytes())
    problems = shelf.verdicts()
    assert "damaged" in (problems[second.key] or "")
    assert "differ from the pointer's" in (problems[third.key] or "")
    assert problems[first.key] is problems[orphan.key] is None
    changed = {key: text or "" for key, text in _other(shelf).verdicts().items()}
    assert "model.steps[1].eta0" in changed[first.key]


def test_without_kafka_a_parent_is_still_verified_by_what_its_child_says(shelf: Shelf) -> None:
    first, _ = shelf.line(2)
    orphan = shelf.save(1, None)
    (shelf.root / first.key).write_bytes((shelf.root / orphan.key).read_bytes())
    assert "differ from the pointer's" in (shelf.verdicts(kafka=False)[first.key] or "")


def test_a_card_tells_settings_steps_and_scores(shelf: Shelf) -> None:
    first, second = shelf.line(2)
    card = shelf.inspection().card(None, learning_of(shelf.settings))
    assert (card.checkpoint.key, card.sha256) == (second.key, second.sha256)
    assert card.manifest["settings"]["schema"]["classes"] == ["down", "up"]
    assert card.steps[0] == "StandardScaler()"
    assert card.scores is not None
    assert card.scores["scored"] == 0
    assert card.problem is None
    told = facts(card)
    assert ("model version", "200 events learned") in told
    assert ("parent", first.key) in told


def test_a_card_of_other_settings_says_so_and_still_tells_the_rest(shelf: Shelf) -> None:
    shelf.line(1)
    other = _other(shelf)
    card = other.inspection().card("1", learning_of(other.settings))
    assert "model.steps[1].eta0" in (card.problem or "")
    assert card.scores is None
    assert "learning_rate='constant'" in card.steps[1]
    assert any(name == "problem" for name, _ in facts(card))


def test_an_epoch_that_stands_twice_means_the_one_in_the_lineage(shelf: Shelf) -> None:
    first, second, _ = shelf.line(3)
    orphans = [shelf.save(150, first), shelf.save(160, first)]
    inspection = shelf.inspection()
    there = inspection.described()
    assert inspection.find("2", there) == second.key
    for orphan in orphans:
        assert inspection.find(orphan.key, there) == orphan.key
        assert inspection.find(orphan.key.rpartition("/")[2], there) == orphan.key
    with pytest.raises(SettingsError, match=r"3 checkpoints have this epoch") as caught:
        shelf.inspection(kafka=False).find("2", there)
    assert all(orphan.key in str(caught.value) for orphan in orphans)
    with pytest.raises(SettingsError, match="9: no such checkpoint; there are epochs 1, 2, 3"):
        inspection.find("9", there)


def test_with_nothing_committed_one_must_be_named(shelf: Shelf) -> None:
    shelf.save(100, None)
    inspection = shelf.inspection()
    with pytest.raises(SettingsError, match="no checkpoint is committed"):
        inspection.find(None, inspection.described())
    with pytest.raises(KafkaUnreachableError, match="kafka is away"):
        shelf.inspection(kafka=False).find(None, {})


def test_a_listing_has_a_line_for_each_in_columns(shelf: Shelf) -> None:
    shelf.line(2)
    shelf.save(1, None)
    head, *lines = listing(shelf.inspection().rows())
    assert head.split()[:3] == ["epoch", "model", "version"]
    marks = [line[head.index("is  ") :].split("  ")[0] for line in lines]
    assert sorted(marks) == ["committed", "in lineage", "orphan"]


def gone_back(shelf: Shelf, wanted: str, on_gap: str = "fail") -> tuple[Plan, Pointer]:
    going = shelf.rollback(on_gap)
    plan = going.plan(wanted)
    return plan, going.carry_out(plan)


def test_going_back_commits_a_copy_behind_the_committed_one(shelf: Shelf) -> None:
    first, second, third = shelf.line(3)
    plan, copy = gone_back(shelf, "1")
    assert (plan.target, plan.committed, plan.before, plan.after) == (
        first,
        third,
        {0: 300},
        {0: 100},
    )
    assert plan.walked_by == "lineage"
    manifest, content = shelf.checkpoints.load(copy)
    assert (manifest.epoch, manifest.parent, manifest.next_offsets) == (4, third, {"0": 100})
    assert (manifest.topic_id, content) == ("id-1", shelf.checkpoints.load(first)[1])
    assert shelf.offsets.at == {0: Committed(100, copy.to_metadata())}
    rows = shelf.rows()
    assert all(rows[one.key].in_lineage for one in (first, second, third, copy))
    again, _ = gone_back(shelf, "3")  # and forward again
    assert again.after == {0: 300}


@pytest.mark.parametrize("missing", [True, False])
def test_row_36_going_back_from_a_damaged_checkpoint_finds_others_by_name(
    shelf: Shelf, *, missing: bool
) -> None:
    first, second, third = shelf.line(3)
    if missing:
        (shelf.root / third.key).unlink()
    else:
        shelf.damage(third)
    plan, copy = gone_back(shelf, "2")
    assert plan.walked_by == "names"
    assert (plan.target, copy.epoch) == (second, 4)
    assert shelf.checkpoints.load(copy)[0].parent == third
    twin = shelf.save(150, first)
    with pytest.raises(SettingsError, match=twin.key):
        shelf.rollback().plan("2")


def test_what_is_not_of_the_lineage_is_refused(shelf: Shelf) -> None:
    first, _, third = shelf.line(3)
    orphan = shelf.save(150, first)
    with pytest.raises(CheckpointError, match="not of the committed lineage"):
        shelf.rollback().plan(orphan.key)
    with pytest.raises(SettingsError, match="is the committed checkpoint"):
        shelf.rollback().plan("3")
    shelf.damage(first)
    with pytest.raises(CheckpointError, match="damaged"):
        shelf.rollback().plan("1")
    assert shelf.offsets.at == {0: Committed(300, third.to_metadata())}


def test_what_cannot_be_gone_back_to_changes_nothing(shelf: Shelf) -> None:
    first, second = shelf.line(2)
    with pytest.raises(CheckpointError, match=r"model\.steps\[1\]\.eta0"):
        _other(shelf).rollback().plan("1")
    shelf.offsets.id = "id-2"
    with pytest.raises(OffsetsLostError, match="made anew"):
        shelf.rollback().plan("1")
    shelf.offsets.id = None
    shelf.offsets.first = {0: 120}
    with pytest.raises(OffsetsLostError, match=r"learning\.on_gap"):
        shelf.rollback().plan("1")
    assert shelf.rollback("skip").plan("1").gone == {0: 20}
    shelf.offsets.at = {0: Committed(200, "")}
    with pytest.raises(OffsetsLostError, match="no committed offset points to a checkpoint"):
        shelf.rollback().plan("1")
    assert set(shelf.catalogue.keys()) == {first.key, second.key}


def test_a_partition_that_the_checkpoint_does_not_know_is_read_from_its_start(shelf: Shelf) -> None:
    first = shelf.save(100, None)
    second = shelf.save(200, first, partitions=2)
    for partition in (0, 1):
        shelf.commit(second, 200, partition)
    shelf.offsets.first = {1: 7}
    plan, copy = gone_back(shelf, "1")
    assert plan.after == {0: 100, 1: 7}
    assert shelf.checkpoints.load(copy)[0].offsets() == plan.after


def test_a_commit_without_an_answer_that_arrived_is_done(shelf: Shelf) -> None:
    shelf.line(2)
    shelf.offsets.fails = KafkaUnreachableError("timed out")
    _, copy = gone_back(shelf, "1")
    assert shelf.offsets.at[0].metadata == copy.to_metadata()


def test_a_commit_that_did_not_arrive_whole_is_an_error(shelf: Shelf) -> None:
    shelf.line(2)
    shelf.offsets.loses = (0,)
    with pytest.raises(FencedError, match="something else commits"):
        gone_back(shelf, "1")
    shelf.offsets.fails = KafkaUnreachableError("timed out")
    with pytest.raises(KafkaUnreachableError, match="timed out"):
        gone_back(shelf, "1")
    shelf.offsets.fails = FencedError("a member came")
    with pytest.raises(FencedError, match="a member came"):
        gone_back(shelf, "1")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    require_free(path, force=False)
    write_whole(path, b"one")
    with pytest.raises(SettingsError, match="is there already; name another, or give --force"):
        require_free(path, force=False)
    require_free(path, force=True)
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    for wrong, text in ((tmp_path, "is a folder"), (tmp_path / "no" / "m.skops", "no folder")):
        with pytest.raises(SettingsError, match=text):
            require_free(wrong, force=True)
    with pytest.raises(SettingsError, match="cannot be written"):
        write_whole(tmp_path / "no" / "m.skops", b"x")
    assert [each.name for each in tmp_path.iterdir()] == ["model.skops"]


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up on a Kafka that is away at once."""
    monkeypatch.setattr("consumers.kafka.cluster.TIMEOUT_S", 0.1)


@pytest.mark.usefixtures("_soon")
@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("show", "FILE"), 3, "no answer from Kafka"),
        (("show", "FILE", "7"), 2, "7: no such checkpoint; there are epochs 1, 2"),
        (("rollback", "FILE", "1"), 3, "no answer from Kafka"),
        (("verify", "FILE", "1", "--all"), 2, "leave one of them out"),
        (("list", "FILE", "--partition", "0"), 2, "learning.scope = 'global'"),
        (("export", "FILE", "--to", "FILE"), 2, "is there already"),
        (("list", "FILE", "--set", "checkpoint.keep=no"), 2, "checkpoint.keep"),
        (("list", "FILE", "--set", "learning.scope=partition"), 2, "a model for each: none yet"),
    ],
)
def test_what_goes_wrong_is_one_line_and_an_exit_code(
    shelf: Shelf, file: Path, capsys: pytest.CaptureFixture[str], words: Any, code: int, text: str
) -> None:
    shelf.line(2)
    assert main(["models", *(str(file) if word == "FILE" else word for word in words)]) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1
    assert text in told.err


@pytest.mark.usefixtures("_soon")
def test_the_commands_tell_of_the_store_with_kafka_away(
    shelf: Shelf, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, second = shelf.line(2)
    assert main(["models", "list", str(file)]) == 0
    told = capsys.readouterr()
    assert second.key.rpartition("/")[2] in told.out
    assert "which one is committed is not known" in told.err
    assert main(["models", "show", str(file), "2"]) == 0
    assert "200 events learned" in capsys.readouterr().out
    assert main(["models", "export", str(file), "2", "--to", str(tmp_path / "m.skops")]) == 0
    assert "200 events learned, epoch 2" in capsys.readouterr().out
    path = tmp_path / "m.skops"
    opened = skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
    assert [name for name, _ in opened.steps] != []
    assert main(["models", "verify", str(file), "--all", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    shelf.damage(second)
    assert main(["models", "verify", str(file), "--all"]) == 5
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == len(told.err.splitlines()) == 1
    assert "damaged" in told.err


@pytest.mark.usefixtures("_soon")
def test_with_kafka_away_the_partitions_of_the_store_are_listed(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--set", "learning.scope=partition"]
    settings = load(file, words[1:])
    content = learning_of(settings).snapshot()
    for partition in ("2", "11"):
        checkpoints_of(settings, partition).save(content, {int(partition): 1}, Lineage(), None)
    assert main(["models", "list", str(file), *words]) == 2
    assert "a model for each: 2, 11" in capsys.readouterr().err
    assert main(["models", "list", str(file), *words, "--partition", "2", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["checkpoints"]
    assert (row["next_offsets"], row["committed"]) == ({"2": 1}, None)


@pytest.mark.parametrize(("answer", "code", "offset"), [("n", 130, 200), ("y", 0, 100)])
def test_on_a_terminal_one_is_asked_before_anything_changes(
    shelf: Shelf, file: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, offset: int
) -> None:
    @contextlib.contextmanager
    def opened(*_: object) -> Iterator[tuple[Rollback, Callable[[], None]]]:
        yield shelf.rollback(), lambda: None

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shelf.line(2)
    monkeypatch.setattr("consumers.models.access.open_rollback", opened)
    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
    assert main(["models", "rollback", str(file), "1"]) == code
    assert shelf.offsets.at[0].offset == offset
    assert len(shelf.catalogue.keys()) == (2 if code else 3)


def _other(shelf: Shelf) -> Shelf:
    """Look at the same store and group with other settings."""
    path = shelf.root.parent / "job.toml"
    other = Shelf(load(path, ["model.steps.1.eta0=0.5"]), shelf.root)
    other.offsets = shelf.offsets
    return other
