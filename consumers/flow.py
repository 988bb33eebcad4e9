"""One I/O batch on its way: decode, step, emit. Commits nothing and waits for nothing."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from consumers.errors import DeadLetterLimitError
from consumers.learning import Learning
from consumers.step import Step, StepResult
from learners.decoding import Decoded, Decoder
from learners.events import Records
from learners.rejections import Reason, Rejection, Stage
from metrics.facts import BatchFacts
from producers.dead_letters import dead_letter
from producers.encoding import PredictionEncoder
from producers.sink import Sink

_POISONED = (
    "the model refuses to learn this event, or would become non-finite or exceed "
    "learning.max_weight by it"
)


@dataclass(slots=True)
class StageTimes:
    """Seconds spent in each stage.

    Parameters
    ----------
    clock : callable
        Gives seconds, never going back.
    """

    clock: Callable[[], float]
    seconds: dict[str, float] = field(default_factory=dict)
    _since: float = field(init=False)

    def __post_init__(self) -> None:
        self._since = self.clock()

    def done(self, stage: str) -> None:
        """Put the time since the last call on a stage."""
        now = self.clock()
        self.seconds[stage] = now - self._since
        self._since = now


class Flow:
    """Takes reads through decoding and learning to the sink.

    Parameters
    ----------
    decoder : Decoder
        Bytes to columns.
    learning : Learning
        What learns.
    encoder : PredictionEncoder
        Predictions to records.
    sink : Sink
        Where they go.
    clock, wall_clock : callable
        Seconds that never go back, and seconds since 1970 UTC.
    version : str
        Version of streamfit, told in dead letters.
    """

    def __init__(
        self,
        decoder: Decoder,
        learning: Learning,
        encoder: PredictionEncoder,
        sink: Sink,
        clocks: tuple[Callable[[], float], Callable[[], float]],
        version: str,
    ) -> None:
        self._decoder = decoder
        self._learning = learning
        self._step = Step(learning.learner, learning.scores)
        self._encoder = encoder
        self._sink = sink
        self._clock, self._wall_clock = clocks
        self._version = version

    def __call__(self, records: Records) -> tuple[BatchFacts, DeadLetterLimitError | None]:
        """Work off one read.

        Returns
        -------
        BatchFacts
            What became of it.
        DeadLetterLimitError or None
            Set if too many records were refused. The read ends with the record that was one too
            many, so that a restart does not drain a broken topic into the dead letters.

        Raises
        ------
        producers.sink.DeliveryError
            If the sink refuses a record.
        """
        times = StageTimes(self._clock)
        records, decoded = self._up_to_the_limit(records, self._decoder.decode(records))
        times.done("decode")
        result = self._step(decoded.batch)
        times.done("step")
        refused = self._refused(decoded, result)
        self._sink.predictions(self._encoder.encode(result.batch, result.predictions))
        self._sink.dead_letters(dead_letter(records, r, self._version) for r in refused)
        times.done("produce")
        try:
            self._learning.limits.update(len(records), [rejection.row for rejection in refused])
            stop = None
        except DeadLetterLimitError as error:
            last = refused[-1]
            stop = DeadLetterLimitError(f"{error}; the last one: {last.stage}: {last.detail}")
        return self._facts(records, decoded, result, refused, times.seconds), stop

    def _up_to_the_limit(self, records: Records, decoded: Decoded) -> tuple[Records, Decoded]:
        refused = [rejection.row for rejection in decoded.rejections]
        if not refused:
            return records, decoded
        row = self._learning.limits.trips_at(len(records), refused)
        if row is None:
            return records, decoded
        return records.head(row + 1), decoded.head(row + 1)

    def _refused(self, decoded: Decoded, result: StepResult) -> list[Rejection]:
        guilty = [
            Rejection(row, Stage.LEARN, Reason.POISONED, _POISONED)
            for row in result.poisoned.tolist()
        ]
        return sorted([*decoded.rejections, *guilty], key=lambda rejection: rejection.row)

    def _facts(
        self,
        records: Records,
        decoded: Decoded,
        result: StepResult,
        refused: list[Rejection],
        seconds: dict[str, float],
    ) -> BatchFacts:
        oldest_ms = int(records.time_ms.min())
        return BatchFacts(
            consumed=len(records),
            decoded=len(decoded.batch),
            learned=result.learned,
            unlabelled=len(result.batch) - result.learned,
            poisoned=len(result.poisoned),
            predicted=len(result.batch),
            rejected=Counter((str(r.stage), str(r.reason)) for r in decoded.rejections),
            skipped={str(reason): count for reason, count in decoded.skipped.items()},
            dead_letters=Counter(str(rejection.stage) for rejection in refused),
            seconds=seconds,
            latency_seconds=max(0.0, self._wall_clock() - oldest_ms / 1000),
            model_version=self._learning.learner.model_version,
            next_offsets=records.next_offsets(),
        )
