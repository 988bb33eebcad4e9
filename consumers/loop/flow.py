"""One I/O batch on its way: decode, step, emit. Commits nothing and waits for nothing."""

from collections import Counter
from collections.abc import Callable

from consumers.errors import DeadLetterLimitError
from consumers.loop.clocks import Clocks, StageTimes
from consumers.loop.failpoints import Reach, nothing
from consumers.loop.learning import Learning
from consumers.loop.step import Step, StepResult
from consumers.loop.tracing import UNTRACED, BatchTrace, Tracing
from learners.decoding import Decoded, Decoder
from learners.events import Records
from learners.rejections import Reason, Rejection, Stage
from metrics.facts import MOST_REFUSALS, BatchFacts, RefusalFacts
from producers.dead_letters import DeadLetter
from producers.encoding import PredictionEncoder
from producers.sink import Sink

_TOO_LARGE = "its prediction is larger than the max.message.bytes of output.topic"
_POISONED = (
    "the model refuses to learn this event, or would become non-finite or exceed "
    "learning.max_weight by it"
)


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
    letter : callable
        Makes the dead letter of a refused record.
    clocks : Clocks
        By which time is measured.
    reach : callable
        Is told of each step.
    tracing : Tracing
        Traces each read.
    """

    def __init__(  # noqa: PLR0913 each is a part of its own, and all are named where it is made
        self,
        *,
        decoder: Decoder,
        learning: Learning,
        encoder: PredictionEncoder,
        sink: Sink,
        letter: Callable[[Records, Rejection], DeadLetter],
        clocks: Clocks,
        reach: Reach = nothing,
        tracing: Tracing = UNTRACED,
    ) -> None:
        self._decoder = decoder
        self._learning = learning
        self._step = Step(learning.learner, learning.scores, learning.drift)
        self._encoder = encoder
        self._sink = sink
        self._letter = letter
        self._clock, self._wall_clock = clocks.steady, clocks.wall
        self._reach = reach
        self._tracing = tracing

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
        with self._tracing.batch(records) as trace:
            facts, stop = self._work_off(records, trace)
            trace.done(facts)
        return facts, stop

    def _work_off(
        self, records: Records, trace: BatchTrace
    ) -> tuple[BatchFacts, DeadLetterLimitError | None]:
        times = StageTimes(self._clock)
        records, decoded = self._up_to_the_limit(records, self._decoder.decode(records))
        self._reach("decoded")
        times.done("decode")
        result = self._step(decoded.batch)
        self._reach("learned")
        times.done("step")
        refused = self._refused(decoded, result)
        unsent = self._emit(records, result, refused, trace)
        self._reach("predicted")
        times.done("produce")
        try:
            self._learning.limits.update(len(records), [rejection.row for rejection in refused])
            stop = None
        except DeadLetterLimitError as error:
            last = refused[-1]
            stop = DeadLetterLimitError(f"{error}; the last one: {last.stage}: {last.detail}")
        return self._facts(records, decoded, result, refused + unsent, times.seconds), stop

    def _emit(
        self, records: Records, result: StepResult, refused: list[Rejection], trace: BatchTrace
    ) -> list[Rejection]:
        """Hand everything over; gives the events whose predictions are too large to be sent."""
        headers = trace.headers(result.batch.rows)
        too_large = self._sink.predictions(
            self._encoder.encode(result.batch, result.predictions, headers)
        )
        unsent = [
            Rejection(int(result.batch.rows[at]), Stage.PRODUCE, Reason.TOO_LARGE, _TOO_LARGE)
            for at in too_large
        ]
        self._sink.dead_letters(self._letter(records, r) for r in (*refused, *unsent))
        return unsent

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
            predicted=len(result.batch) - sum(r.stage is Stage.PRODUCE for r in refused),
            rejected=Counter((str(r.stage), str(r.reason)) for r in decoded.rejections),
            skipped={str(reason): count for reason, count in decoded.skipped.items()},
            dead_letters=Counter(str(rejection.stage) for rejection in refused),
            seconds=seconds,
            latency_seconds=max(0.0, self._wall_clock() - oldest_ms / 1000),
            model_version=self._learning.learner.model_version,
            next_offsets=records.next_offsets(),
            drifts=result.drifts,
            refusals=_origins(records, refused),
        )


def _origins(records: Records, refused: list[Rejection]) -> tuple[RefusalFacts, ...]:
    return tuple(
        RefusalFacts(
            str(rejection.stage),
            str(rejection.reason),
            int(records.partitions[rejection.row]),
            int(records.offsets[rejection.row]),
        )
        for rejection in refused[-MOST_REFUSALS:]
    )
