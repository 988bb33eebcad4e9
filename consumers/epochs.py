"""The end of an epoch: flush, save, commit. The only commit there is in the program."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from consumers.checkpoints import Checkpoints
from consumers.errors import CheckpointError, KafkaUnreachableError
from consumers.flow import Flow, StageTimes
from consumers.learning import Learning
from consumers.pointer import Pointer
from consumers.source import Source
from metrics.facts import EpochFacts
from metrics.observer import Observer
from producers.sink import DeliveryError, Sink

_log = logging.getLogger("streamfit.epochs")
# Well below the 30 s after which a loop that does not turn counts as stuck.
FLUSH_TIMEOUT_S = 20.0


@dataclass(slots=True)
class Work:
    """A model at work, and how far it has come.

    Attributes
    ----------
    learning : Learning
        What learns.
    flow : Flow
        The way of a batch through it.
    next_offsets : dict of int to int
        Of every owned partition, moved or not.
    parent : Pointer or None
        The pointer committed last.
    since_s : float
        When the open epoch began.
    moved : bool
        Whether anything was consumed since then.
    """

    learning: Learning
    flow: Flow
    next_offsets: dict[int, int]
    parent: Pointer | None
    since_s: float
    moved: bool = False


class Epochs:
    """Makes work permanent.

    Parameters
    ----------
    source, sink, checkpoints
        What holds offsets, predictions and models.
    observer : Observer
        Is told of each epoch.
    clock, wall_clock : callable
        Seconds that never go back, and seconds since 1970 UTC.
    """

    def __init__(
        self,
        source: Source,
        sink: Sink,
        checkpoints: Checkpoints,
        observer: Observer,
        clocks: tuple[Callable[[], float], Callable[[], float]],
    ) -> None:
        self._source = source
        self._sink = sink
        self._checkpoints = checkpoints
        self._tell = observer
        self._clock, self._wall_clock = clocks

    def end(self, work: Work, timeout_s: float = FLUSH_TIMEOUT_S) -> None:
        """End the epoch of some work; nothing consumed, no epoch.

        Raises
        ------
        StreamfitError
            If any of the three steps failed. Then nothing of this epoch counts, unless the
            commit itself arrived: what is true then is what `committed()` says.
        """
        work.since_s = self._clock()
        if not work.moved:
            return
        times = StageTimes(self._clock)
        try:
            size = self._flush_save_commit(work, timeout_s, times)
        except DeliveryError as error:
            self._report(work, times, ok=False)
            raise undelivered(error) from error
        except OSError as error:
            self._report(work, times, ok=False)
            raise CheckpointError(
                f"checkpoint.store: cannot write ({error}); make room or grant the right to write"
            ) from error
        except Exception:
            self._report(work, times, ok=False)
            raise
        self._report(work, times, ok=True, size=size)

    def _flush_save_commit(self, work: Work, timeout_s: float, times: StageTimes) -> int:
        self._sink.flush(timeout_s)
        times.done("flush")
        content = work.learning.snapshot()
        pointer, size = self._checkpoints.save(
            content, work.next_offsets, work.parent, self._source.topic_id()
        )
        times.done("save")
        self._source.commit(work.next_offsets, pointer.to_metadata())
        times.done("commit")
        work.parent, work.moved = pointer, False
        self._collect(pointer)
        return size

    def _collect(self, pointer: Pointer) -> None:
        try:
            self._checkpoints.collect(pointer)
        except OSError as error:  # old checkpoints that stay cost room, nothing else
            _log.warning("old checkpoints not deleted: %s", error)

    def _report(self, work: Work, times: StageTimes, *, ok: bool, size: int = 0) -> None:
        facts = EpochFacts(
            ok=ok,
            epoch=0 if work.parent is None else work.parent.epoch,
            time_s=self._wall_clock(),
            seconds=times.seconds,
            checkpoint_bytes=size,
            committed=dict(work.next_offsets) if ok else {},
        )
        self._tell.epoch(facts)


def undelivered(error: DeliveryError) -> KafkaUnreachableError:
    """Give the error to end with when a record was not delivered."""
    return KafkaUnreachableError(
        f"predictions or dead letters not delivered: {error}; nothing of this epoch is committed, "
        "so a restart does it again"
    )
