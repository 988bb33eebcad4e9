"""How the counts of class predictions become bytes and come back, bit for bit."""

import msgspec
import numpy as np

from metrics.class_counts import ClassCounts, new_counts
from metrics.score_state import array_from, decode, require_equal


class ClassificationSnapshot(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="classification", tag_field="task"
):
    """The counts that cannot be worked out from the others, as the bytes of their arrays."""

    n_classes: int
    window: int
    fading: float
    confusion: bytes
    faded: bytes
    ring_cells: bytes
    ring_missed: bytes
    ring_log_loss: bytes
    tallies: bytes


def encode(counts: ClassCounts, fading: float) -> bytes:
    """Give the counts as JSON."""
    return msgspec.json.encode(
        ClassificationSnapshot(
            n_classes=counts.labels.shape[0],
            window=counts.ring_cells.shape[0],
            fading=fading,
            confusion=counts.confusion.tobytes(),
            faded=counts.faded.tobytes(),
            ring_cells=counts.ring_cells.tobytes(),
            ring_missed=counts.ring_missed.tobytes(),
            ring_log_loss=counts.ring_log_loss.tobytes(),
            tallies=counts.tallies.tobytes(),
        )
    )


def counts_from(snapshot: bytes, n_classes: int, window: int, fading: float) -> ClassCounts:
    """Make counts of their own from what `encode` gave.

    Raises
    ------
    ValueError
        If the snapshot was taken with other settings, if an array has another size, or if the
        counts contradict each other.
    """
    state = decode(snapshot, ClassificationSnapshot)
    require_equal("n_classes", state.n_classes, n_classes)
    require_equal("window", state.window, window)
    require_equal("fading", state.fading, fading)
    empty = new_counts(n_classes, window)
    counts = empty._replace(
        confusion=array_from("confusion", state.confusion, empty.confusion),
        faded=array_from("faded", state.faded, empty.faded),
        ring_cells=array_from("ring_cells", state.ring_cells, empty.ring_cells),
        ring_missed=array_from("ring_missed", state.ring_missed, empty.ring_missed),
        ring_log_loss=array_from("ring_log_loss", state.ring_log_loss, empty.ring_log_loss),
        tallies=array_from("tallies", state.tallies, empty.tallies),
    )
    _require_consistent(counts)
    scored = int(counts.tallies["scored"][0])
    in_window = counts.ring_cells[: min(scored, window)]
    return counts._replace(
        windowed=np.bincount(in_window, minlength=n_classes * n_classes).astype(np.int64),
        labels=counts.confusion.reshape(n_classes, n_classes).sum(axis=1),
    )


def _require_consistent(counts: ClassCounts) -> None:
    """Refuse counts that contradict each other: the kernel will index with them, unchecked."""
    tally = counts.tallies[0]
    n_classes = counts.labels.shape[0]
    if not (0 <= tally["last"] < n_classes and 0 <= tally["majority"] < n_classes):
        raise ValueError("scores: the snapshot's baselines predict a class that does not exist")
    if counts.ring_cells.min() < 0 or counts.ring_cells.max() >= counts.confusion.shape[0]:
        raise ValueError("scores: the snapshot's window holds a class that does not exist")
    if counts.confusion.min() < 0 or tally["scored"] != counts.confusion.sum():
        raise ValueError("scores: the snapshot's confusion matrix and number of events differ")
