"""Checkpoints as plain lines of text. What there is to tell is gathered in `inspection`."""

from collections.abc import Mapping, Sequence
from typing import Any

from consumers.models.reports import Card, Row
from metrics.facts import View

_HEAD = ("epoch", "model version", "bytes", "next offsets", "is", "name")


def listing(rows: Sequence[Row]) -> list[str]:
    """Lay out rows in columns, a head above them."""
    cells = [_HEAD, *map(_cells, rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(_HEAD))]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]


def mark(row: Row) -> str:
    """Say in a word or two what a checkpoint is."""
    if row.problem is not None:
        return "committed, damaged" if row.committed else "damaged"
    if row.committed:
        return "committed"
    if row.in_lineage is None:
        return "not known"
    return "in lineage" if row.in_lineage else "orphan"


def facts(card: Card) -> list[tuple[str, str]]:
    """Give what there is to tell of a checkpoint, as names and values."""
    row, manifest = card.checkpoint, card.manifest
    told = [
        ("checkpoint", row.key),
        ("is", mark(row)),
        ("epoch", str(row.epoch)),
        ("parent", row.parent or "none"),
        ("model version", f"{row.model_version:,} events learned"),
        ("next offsets", offsets(row.next_offsets)),
        ("topic", f"{manifest['topic']} (id {manifest['topic_id'] or 'not known'})"),
        ("size", f"{row.size:,} bytes"),
        ("sha256", card.sha256),
        ("written by", ", ".join(f"{k} {v}" for k, v in sorted(manifest["versions"].items()))),
        *[("step", step) for step in card.steps],
        *[("setting", f"{key} = {value}") for key, value in _flat("", manifest["settings"])],
        *_scores(card.scores),
    ]
    if card.open_stride_rows:
        told.append(("open stride", f"{card.open_stride_rows} rows that the last step has yet"))
    if card.problem:
        told.append(("problem", card.problem))
    return told


def offsets(next_offsets: Mapping[str, int] | None) -> str:
    """Write next offsets as `0:120 1:98`."""
    return " ".join(f"{p}:{at}" for p, at in (next_offsets or {}).items()) or "-"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        str(row.epoch),
        "-" if row.model_version is None else f"{row.model_version:,}",
        "-" if row.size is None else f"{row.size:,}",
        offsets(row.next_offsets),
        mark(row),
        row.key.rpartition("/")[2],
    )


def _flat(path: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        below = [_flat(f"{path}.{key}" if path else key, each) for key, each in value.items()]
        return [pair for pairs in below for pair in pairs]
    return [(path, value)]


def _scores(scores: dict[str, Any] | None) -> list[tuple[str, str]]:
    if scores is None:
        return [("scores", "not known under these settings")]
    told = [("scored", f"{scores['scored']:,} events")]
    for found in (scores["scores"], scores["baselines"]):
        told += [(name, f"{value:.4f}") for name, value in found[View.CUMULATIVE].items()]
    return told
