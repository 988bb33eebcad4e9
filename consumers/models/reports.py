"""What the `models` commands tell, as their JSON has it; it is gathered in `inspection`."""

from typing import Any

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One checkpoint, as `models list` tells it; None: not known.

    Attributes
    ----------
    epoch : int
        Its number in the lineage.
    key : str
        Its name.
    size : int or None
        Bytes.
    model_version : int or None
        Events learned.
    next_offsets : dict of str to int, or None
        Partition to next offset.
    parent : str or None
        Name of the checkpoint before it.
    committed : bool or None
        Whether a committed offset points to it.
    in_lineage : bool or None
        Whether the committed one comes from it, or is it.
    orphan : bool or None
        Whether it was saved and never committed, or was left aside.
    problem : str or None
        Why it cannot be read.
    """

    epoch: int
    key: str
    size: int | None
    model_version: int | None
    next_offsets: dict[str, int] | None
    parent: str | None
    committed: bool | None
    in_lineage: bool | None
    orphan: bool | None
    problem: str | None = None


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """One checkpoint, as `models show` tells it.

    Attributes
    ----------
    checkpoint : Row
        Where it stands.
    sha256 : str
        Of the whole.
    manifest : dict
        What it says of itself, the settings it learned under among it.
    steps : list of str
        The pipeline, an estimator each.
    open_stride_rows : int
        Learned events that the last step has yet to take in.
    scores : dict or None
        As they stood; None where they do not fit the settings.
    problem : str or None
        Why it does not fit the settings, so that `run` would refuse it.
    """

    checkpoint: Row
    sha256: str
    manifest: dict[str, Any]
    steps: list[str]
    open_stride_rows: int
    scores: dict[str, Any] | None
    problem: str | None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What `models verify` says of one checkpoint."""

    epoch: int
    key: str
    size: int | None
    ok: bool
    problem: str | None
