"""The end of an epoch: flush, save, commit. The only commit there is in the program."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace

from consumers.checkpoints.pointer import Pointer
from consumers.checkpoints.series import Lineage
from consumers.errors import EpochLostError
from consumers.kafka.background import Background
from consumers.kafka.source import Committed
from consumers.loop.clocks import Clocks, StageTimes
from consumers.loop.delivery import Delivery, lost
from consumers.loop.failpoints import Reach
from consumers.loop.lanes import Lane, Lanes
from metrics.events import CHECKPOINTS_NOT_DELETED, STORE_FAILED
from metrics.facts import EpochFacts, RollbackReason
from metrics.observer import Observer
from producers.outputs import DeliveryError
from producers.sink import Sink

_log = logging.getLogger("streamfit.epochs")
# Well below the 30 s after which a loop that does not turn counts as stuck.
FLUSH_TIMEOUT_S = 12.0
# A small checkpoint is saved within milliseconds. Behind a large one, or a slow store, the flow
# goes on where it may; where it may not, the next turn looks again.
PATIENCE_S, PATIENCE_OF_A_TRANSACTION_S = 0.02, 0.5
_WRITERS = 4


@dataclass(frozen=True, slots=True)
class _Saving:
    """A model as it was when the epoch ended, on its way to the store."""

    lane: Lane
    next_offsets: Mapping[int, int]
    consumed: int
    pointer: Future[Pointer]

    def places(self) -> dict[int, Committed]:
        metadata = self.pointer.result().to_metadata()
        return {p: Committed(offset, metadata) for p, offset in self.next_offsets.items()}

    def conclude(self) -> Pointer:
        """Count from the commit on; gives what is committed."""
        pointer = self.pointer.result()
        self.lane.lineage = Lineage(pointer, pointer.epoch)
        self.lane.uncheckpointed -= self.consumed
        self.lane.is_behind = False
        return pointer


@dataclass(frozen=True, slots=True)
class _Open:
    """An epoch between its end and its commit."""

    savings: list[_Saving]
    others: Mapping[int, Committed]
    times: StageTimes


class Epochs:
    """Makes work permanent.

    Parameters
    ----------
    sink : Sink
        Holds the predictions.
    delivery : Delivery
        Commits.
    observer : Observer
        Is told of each epoch.
    clocks : Clocks
        By which time is measured.
    reach : callable
        Is told of each step.
    """

    def __init__(
        self, sink: Sink, delivery: Delivery, observer: Observer, clocks: Clocks, reach: Reach
    ) -> None:
        self._sink = sink
        self._delivery = delivery
        self._tell = observer
        self._clocks = clocks
        self._reach = reach
        self._open: _Open | None = None
        self._writers = Background("save", _WRITERS)

    @property
    def saving(self) -> bool:
        """Whether a checkpoint is on its way to the store."""
        return self._open is not None

    def advance(self, lanes: Lanes) -> bool:
        """End the epoch, or go on ending it, without waiting long for the store.

        Returns
        -------
        bool
            Whether something was committed.

        Raises
        ------
        EpochLostError
            If nothing of this epoch counts, or nobody knows.
        """
        try:
            if self._open is not None:
                return self._settle(lanes, 0)
            self._begin(lanes, FLUSH_TIMEOUT_S)
            reads_on = self._delivery.reads_on
            return self._settle(lanes, PATIENCE_S if reads_on else PATIENCE_OF_A_TRANSACTION_S)
        except OSError as error:  # the models go on; the next epoch saves them as they are then
            extra = STORE_FAILED(uncheckpointed=lanes.uncheckpointed)
            _log.warning("checkpoint.store: cannot write (%s); trying again", error, extra=extra)
            return False

    def end(self, lanes: Lanes, timeout_s: float = FLUSH_TIMEOUT_S) -> None:
        """End the epoch now, whatever it takes; nothing consumed, no epoch.

        Raises
        ------
        StreamfitError
            If any of the three steps failed. Then nothing of this epoch counts, unless the
            commit itself arrived: what is true then is what `committed()` says.
        """
        deadline = self._clocks.steady() + timeout_s
        try:
            if self._open is not None and not self._settle(lanes, timeout_s):
                raise self._too_slow(timeout_s)
            self._begin(lanes, max(0.1, deadline - self._clocks.steady()))
            if self._open is not None:
                left = max(0.1, deadline - self._clocks.steady())
                if not self._settle(lanes, left):
                    raise self._too_slow(timeout_s)
        except OSError as error:
            raise EpochLostError(RollbackReason.STORE, f"cannot write ({error})") from error

    def drop(self) -> None:
        """Forget what is being saved: it will not be committed."""
        self._open = None

    def close(self) -> None:
        """Let go of the threads that write; one that hangs in the store is left behind."""
        self._writers.close()

    def _begin(self, lanes: Lanes, timeout_s: float) -> None:
        """Flush, and start to save."""
        moved = [lane for lane in lanes if lane.has_moved]
        if not moved:
            return
        times = StageTimes(self._clocks.steady)
        try:
            self._sink.flush(timeout_s)
        except DeliveryError as error:
            self._report(lanes, times)
            raise lost(error) from error
        self._reach("flushed")
        times.done("flush")
        resting = [lane.places() for lane in lanes if lane not in moved]
        others = {p: place for places in resting for p, place in places.items()}
        self._open = _Open([self._start_saving(lane) for lane in moved], others, times)

    def _start_saving(self, lane: Lane) -> _Saving:
        content, offsets = lane.learning.snapshot(), dict(lane.next_offsets)
        save, lineage, topic_id = lane.checkpoints.save, lane.lineage, lane.topic_id
        pointer = self._writers.submit(lambda: save(content, offsets, lineage, topic_id))
        return _Saving(lane, offsets, lane.uncheckpointed, pointer)

    def _settle(self, lanes: Lanes, wait_s: float) -> bool:
        """Commit if everything is saved; False if that takes longer."""
        if self._open is None:
            return False
        savings = self._open.savings
        if wait([saving.pointer for saving in savings], wait_s).not_done:
            return False
        times, others, self._open = self._open.times, self._open.others, None
        try:
            places = dict(others)
            for saving in savings:
                places |= saving.places()
            self._reach("saved")
            times.done("save")
            self._delivery.commit(places)
        except (OSError, EpochLostError):
            self._report(lanes, times)
            raise
        self._reach("committed")
        times.done("commit")
        pointers = [saving.conclude() for saving in savings]
        self._report(lanes, times, pointers, places)
        self._reach("gc")
        _collect(savings)
        return True

    def _too_slow(self, timeout_s: float) -> EpochLostError:
        self._open = None
        return EpochLostError(RollbackReason.STORE, f"nothing saved within {timeout_s:g} s")

    def _report(
        self,
        lanes: Lanes,
        times: StageTimes,
        pointers: Sequence[Pointer] = (),
        places: Mapping[int, Committed] | None = None,
    ) -> None:
        facts = _facts(lanes, pointers, places)
        self._tell.epoch(replace(facts, time_s=self._clocks.wall(), seconds=times.seconds))


def _facts(
    lanes: Lanes, pointers: Sequence[Pointer], places: Mapping[int, Committed] | None
) -> EpochFacts:
    """Sum an epoch up; without places it failed."""
    epochs = [pointer.epoch for pointer in pointers] or [lane.lineage.epoch for lane in lanes]
    return EpochFacts(
        ok=places is not None,
        epoch=max(epochs, default=0),
        time_s=0.0,
        seconds={},
        checkpoint_bytes=sum(pointer.size for pointer in pointers),
        committed={p: place.offset or 0 for p, place in (places or {}).items()},
        uncheckpointed=lanes.uncheckpointed,
    )


def _collect(savings: Sequence[_Saving]) -> None:
    """Delete old checkpoints, until the store fails: the next epoch goes on with what is left.

    A store that hangs takes its whole time-out for each model, and the loop must turn meanwhile.
    """
    try:
        for saving in savings:
            saving.lane.checkpoints.collect(saving.pointer.result())
    except OSError as error:  # old checkpoints that stay cost room, nothing else
        _log.warning("old checkpoints not deleted: %s", error, extra=CHECKPOINTS_NOT_DELETED())
