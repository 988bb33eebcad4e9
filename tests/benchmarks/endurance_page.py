"""The page of a long run: docs/benchmarks/endurance.md, and whether memory grew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.page import table

Sample = Mapping[str, Any]
_MARKS_S = (300, 600, 1200, 1800)
# What the allocator gives back and takes again between two samples.
_NOISE = 0.02

_HEAD = """# Endurance

Made by `make endurance`; every sample as data: [endurance.json](endurance.json).

Elec2 again and again, four partitions, {delivery}, a checkpoint each second, ADWIN on, at full
speed: a producer keeps a million events ahead of what is committed. Input and predictions are
bounded to 2 GB by retention. A real Prometheus scrapes each second; events, checkpoints and stages
are its figures, processor time and memory are the system's. Producer, broker, Prometheus and
consumer share the machine.

{machine}; {broker}. Begun {began} UTC.
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether memory grew after it had settled, and the sentence that says so."""

    grew: bool
    text: str


def write(found: Mapping[str, Any], folder: Path, settled_s: float) -> Verdict:
    """Write the page; `settled_s` is until when memory may grow."""
    samples: Sequence[Sample] = found["samples"]
    verdict = _verdict(samples, settled_s)
    head = _HEAD.format(**{**found, "machine": ", ".join(found["machine"].values())})
    (folder / "endurance.md").write_text(
        "\n".join([head, _marks(samples), verdict.text + "\n", _stages(samples, settled_s)])
    )
    return verdict


def _verdict(samples: Sequence[Sample], settled_s: float) -> Verdict:
    later = [each for each in samples if each["seconds"] >= settled_s]
    if len(later) < 2:
        return Verdict(grew=False, text="Too short to tell whether memory grows.")
    seconds = np.array([each["seconds"] for each in later])
    resident = np.array([each["resident_mib"] for each in later])
    slope = float(np.polyfit(seconds, resident, 1)[0]) * 3600
    tenth = max(1, len(later) // 10)
    first, last = float(np.median(resident[:tenth])), float(np.median(resident[-tenth:]))
    grew = last > first * (1 + _NOISE)
    return Verdict(
        grew,
        f"Resident memory {'GREW' if grew else 'did not grow'} after the first "
        f"{settled_s / 60:.0f} minutes: {first:.0f} MiB then, {last:.0f} MiB at the end "
        f"(medians of the first and last tenth), {slope:+.1f} MiB an hour by least squares.",
    )


def _marks(samples: Sequence[Sample]) -> str:
    head = (
        *("minute", "events", "events/s since the mark before", "CPU s per million", "MiB now"),
        *("MiB at most", "checkpoints", "scrapes"),
    )
    rows, before = [], samples[0]
    for mark in _reached(samples):
        learned = mark["learned"] - before["learned"]
        seconds, cpu_s = mark["seconds"] - before["seconds"], mark["cpu_s"] - before["cpu_s"]
        rows.append(
            (
                f"{mark['seconds'] / 60:.0f}",
                f"{mark['learned']:,.0f}",
                f"{learned / seconds:,.0f}",
                f"{1e6 * cpu_s / learned:.2f}",
                f"{mark['resident_mib']:.0f}",
                f"{mark['peak_mib']:.0f}",
                f"{mark['checkpoints']:,.0f}",
                f"{mark['scrapes']:,.0f}",
            )
        )
        before = mark
    return table(head, rows)


def _reached(samples: Sequence[Sample]) -> list[Sample]:
    """Give the sample at each mark that was reached, else the last one."""
    found = [
        next(each for each in samples if each["seconds"] >= mark)
        for mark in _MARKS_S
        if samples[-1]["seconds"] >= mark
    ]
    return found or [samples[-1]]


def _stages(samples: Sequence[Sample], settled_s: float) -> str:
    """Tell the share of each stage in the loop's time, once memory has settled."""
    later = [each for each in samples if each["seconds"] >= settled_s] or list(samples)
    first, last = later[0], later[-1]
    gone = last["seconds"] - first["seconds"] or 1.0
    shares = {
        stage: (seconds - first["stages"][stage]) / gone
        for stage, seconds in last["stages"].items()
    }
    shares["read, and all else"] = 1.0 - sum(shares.values())
    rows = [(stage, f"{share:.1%}") for stage, share in shares.items()]
    cpu = (last["cpu_s"] - first["cpu_s"]) / gone
    return (
        table(["stage", "share of the loop's time"], rows)
        + f"\nProcessor time of the consumer: {cpu:.2f} cores.\n"
    )
