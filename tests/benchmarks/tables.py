"""Runs of the same thing, put together: medians, extremes, and ratios within the same round."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.benchmarks.contest import Outcome


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and extremes of a figure."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> "Spread":
        """Sum up one or more figures."""
        return cls(statistics.median(figures), min(figures), max(figures))


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Sum up the runs of one contestant."""
    return {
        "runs": len(outcomes),
        "events": outcomes[-1].events,
        "rate": asdict(Spread.of([each.rate for each in outcomes])),
        "cpu_s": statistics.median(each.cpu_s for each in outcomes),
        "broker_cpu_s": _median([each.broker_cpu_s for each in outcomes]),
        "peak_mib": max(each.peak_mib for each in outcomes),
        "committed": all(each.committed for each in outcomes),
        "compared": sum(each.verdict.compared for each in outcomes),
        "equal": all(each.verdict.is_equal for each in outcomes),
        "largest_difference": max(each.verdict.largest_difference for each in outcomes),
        "accuracy": outcomes[-1].verdict.accuracy,
        "expected_accuracy": outcomes[-1].verdict.expected_accuracy,
    }


def _median(figures: Sequence[float | None]) -> float | None:
    seen = [figure for figure in figures if figure is not None]
    return statistics.median(seen) if seen else None


def ratio(rounds: Sequence[Mapping[str, float]], upper: str, lower: str) -> dict[str, float] | None:
    """Give the ratio of two rates, each pair taken from the same round; None without a pair."""
    pairs = [each[upper] / each[lower] for each in rounds if upper in each and lower in each]
    return asdict(Spread.of(pairs)) if pairs else None
