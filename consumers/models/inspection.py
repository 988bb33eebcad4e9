"""What `models` tells of checkpoints: which there are, what each holds, whether it is whole.

Changes nothing, in the store or in Kafka.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from consumers.checkpoints.agreement import Claims
from consumers.checkpoints.series import Checkpoints
from consumers.errors import CheckpointError, KafkaUnreachableError, SettingsError
from consumers.loop.learning import Learning
from consumers.models.reports import Card, Row, Verdict
from consumers.models.standing import Line, choose, follow, pointer_to
from consumers.models.stored import Catalogue, Described, Stored, learner_state, newest_first
from learners.serialization import ModelFormatError, load_pipeline
from metrics.facts import ScoreFacts


@dataclass(frozen=True, slots=True)
class Inspection:
    """The checkpoints of one model, and what the group has committed.

    Attributes
    ----------
    catalogue : Catalogue
        The checkpoints as they are.
    checkpoints : Checkpoints
        The same, held against the settings.
    claims : Claims or None
        What is committed; None where Kafka does not tell.
    unreachable : KafkaUnreachableError or None
        Why it does not.
    """

    catalogue: Catalogue
    checkpoints: Checkpoints
    claims: Claims | None
    unreachable: KafkaUnreachableError | None = None

    def described(self) -> dict[str, Described]:
        """Describe all of the store, and what is committed and missing there; newest first."""
        names = set(self.catalogue.keys()) | self._committed
        return self.catalogue.describe(newest_first(names))

    def rows(self) -> list[Row]:
        """Give a row for each checkpoint, the newest first."""
        there = self.described()
        line = self._line(there)
        return [self._row(each, line) for each in there.values()]

    def find(self, wanted: str | None, there: dict[str, Described]) -> str:
        """Give the name of the checkpoint that is meant; None: the committed one.

        Raises
        ------
        SettingsError
            If there is none, or more than one.
        KafkaUnreachableError
            If it takes Kafka to know.
        """
        if wanted is not None:
            return choose(wanted, there, self._line(there) or Line())
        if self.claims is None:
            raise self.unreachable or KafkaUnreachableError("what is committed is not known")
        committed = self.claims.newest
        if committed is None:
            raise SettingsError(
                f"{self.catalogue.place}: no checkpoint is committed; name one by epoch or name"
            )
        return committed.key

    def card(self, wanted: str | None, learning: Learning) -> Card:
        """Tell all of one checkpoint.

        Parameters
        ----------
        wanted : str or None
            Its epoch or name; None: the committed one.
        learning : Learning
            Has learned nothing; takes it over to tell its scores.

        Raises
        ------
        StreamfitError
            If it is not there, or damaged.
        """
        there = self.described()
        key = self.find(wanted, there)
        stored = self.catalogue.read(key)
        problem, scores = None, None
        try:
            self.checkpoints.read(key)
        except CheckpointError as error:
            problem = str(error)
        try:
            learning.restore(stored.content)
            scores = scores_of(learning.scores.facts())
        except CheckpointError as error:
            problem = problem or _named(error, key)
        return Card(
            checkpoint=self._row(there[key], self._line(there)),
            sha256=stored.pointer.sha256,
            manifest=msgspec.to_builtins(stored.manifest),
            steps=steps_of(stored),
            open_stride_rows=len(learner_state(stored).open_labels),
            scores=scores,
            problem=problem,
        )

    def verify(self, key: str, there: dict[str, Described], learning: Learning) -> Verdict:
        """See whether a checkpoint is whole, loads, and fits the settings.

        Parameters
        ----------
        key : str
            Its name.
        there : dict of str to Described
            All of the store: tells what else points to it.
        learning : Learning
            Has learned nothing; takes it over.
        """
        problem = None
        try:
            pointer = pointer_to(key, there, self.claims)
            if pointer is None:
                _, _, content = self.checkpoints.read(key)
            else:
                _, content = self.checkpoints.load(pointer)
            learning.restore(content)
        except (CheckpointError, OSError) as error:
            problem = _named(error, key)
        found = there[key].pointer
        size = None if found is None else found.size
        return Verdict(
            epoch=there[key].epoch, key=key, size=size, ok=problem is None, problem=problem
        )

    @property
    def _committed(self) -> set[str]:
        return set() if self.claims is None else {one.key for one in self.claims.pointers.values()}

    def _line(self, there: dict[str, Described]) -> Line | None:
        return None if self.claims is None else follow(self.claims.newest, there)

    def _row(self, each: Described, line: Line | None) -> Row:
        holds = None if line is None else line.holds(each.key)
        offsets = each.next_offsets
        return Row(
            epoch=each.epoch,
            key=each.key,
            size=None if each.pointer is None else each.pointer.size,
            model_version=each.model_version,
            next_offsets=None if offsets is None else {str(p): at for p, at in offsets.items()},
            parent=None if each.parent is None else each.parent.key,
            committed=None if self.claims is None else each.key in self._committed,
            in_lineage=holds,
            orphan=None if holds is None else not holds,
            problem=each.problem,
        )


def steps_of(stored: Stored) -> list[str]:
    """Give the estimators of a checkpoint's pipeline, a line each.

    Raises
    ------
    CheckpointError
        If the pipeline cannot be read.
    """
    try:
        pipeline = load_pipeline(stored.content.model)
    except ModelFormatError as error:
        raise CheckpointError(f"checkpoint {stored.pointer.key}: {error}") from None
    return [" ".join(repr(step).split()) for _, step in pipeline.steps]


def scores_of(facts: ScoreFacts) -> dict[str, Any]:
    """Give scores as JSON has them: view by view, those of the baselines beside."""
    found: dict[str, Any] = msgspec.to_builtins(facts)
    return found


def _named(error: Exception, key: str) -> str:
    return str(error).replace("checkpoint:", f"checkpoint {key}:", 1)
