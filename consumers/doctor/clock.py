"""Clocks: what times of records and files tell of them. Nothing is written to find out more."""

from collections.abc import Iterator

from consumers.doctor.finding import Finding, Kind, Level

AHEAD = Kind(
    "clock.records",
    Level.WARNING,
    "records from the future: latency and lag in seconds are wrong, and retention by time keeps "
    "what is behind them for too long",
    "set the clocks of producers, brokers and this machine by NTP",
)
STORE = Kind(
    "clock.store",
    Level.WARNING,
    "the store's clock is ahead of this one; checkpoints are ordered by their epochs, but the age "
    "of a checkpoint is told wrong",
    "set both clocks by NTP",
)

TOLERANCE_S = 5.0


def judge_records(newest_ms: int | None, now_s: float) -> Finding:
    """Tell what the newest record's time says of the clocks.

    Parameters
    ----------
    newest_ms : int or None
        In ms since 1970; None where there is no record.
    now_s : float
        This machine's time, in seconds since 1970.
    """
    if newest_ms is None:
        return AHEAD.skipped("the input topic tells no record's time")
    ahead = newest_ms / 1000 - now_s
    if ahead > TOLERANCE_S:
        return AHEAD.found(f"the newest record is {ahead:,.1f} s ahead of this machine's clock")
    return AHEAD.ok(
        f"the newest record is {duration(-ahead)} old; how far the brokers' clocks are off cannot "
        "be told without writing"
    )


def judge_store(newest_s: float | None, now_s: float) -> Iterator[Finding]:
    """Tell what the newest checkpoint's time says, in seconds since 1970; nothing if it is None."""
    if newest_s is not None and newest_s - now_s > TOLERANCE_S:
        yield STORE.found(f"the newest checkpoint was written {newest_s - now_s:,.1f} s from now")


def duration(seconds: float) -> str:
    """Write a time as people say it.

    >>> duration(90), duration(0.2), duration(400000)
    ('1.5 min', '0.2 s', '4.6 days')
    """
    seconds = max(0.0, seconds)
    for size, name in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:,.1f} {name}"
    return f"{seconds:.1f} s"
