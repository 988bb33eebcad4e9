"""All contestants and stages, in turn, several times."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.apart import figures_of
from tests.benchmarks.contest import ContestError, Ground, Outcome, hold, settings_file
from tests.benchmarks.contestants import (
    CONTESTANTS,
    EXACTLY_ONCE,
    QUIX,
    RIVER,
    STREAMFIT,
    Contestant,
    python_of,
)
from tests.benchmarks.ground import Say
from tests.benchmarks.stages import CEILING, NAMES
from tests.benchmarks.tables import Spread, ratio, summary
from tests.benchmarks.workload import create_topic, delete_topics

_STAGE_TIMEOUT_S = 180.0
# Of numbers.md: what the whole job must reach, as a ratio within one round.
BARS = {
    "whole job / bare consume": (STREAMFIT, CEILING, 0.22),
    "whole job / confluent-kafka + River": (STREAMFIT, RIVER, 7.0),
    "whole job / Quix Streams + River": (STREAMFIT, QUIX, 14.0),
    "exactly_once / at_least_once": (EXACTLY_ONCE, STREAMFIT, 0.90),
}


def play(ground: Ground, rounds: int, names: Sequence[str], say: Say) -> dict[str, Any]:
    """Let everyone work, in turn, so often; gives figures by name."""
    chosen = [c for c in CONTESTANTS if not names or any(name in c.name for name in names)]
    pythons = {c.name: python_of(c, say) for c in chosen if c.script is not None}
    able = [c for c in chosen if c.script is None or pythons[c.name] is not None]
    missing = [c.name for c in chosen if c not in able]
    outcomes: dict[str, list[Outcome]] = {c.name: [] for c in able}
    ladder: dict[str, list[dict[str, float]]] = {name: [] for name in NAMES}
    rates: list[dict[str, float]] = []
    for contestant in able:
        if contestant.script is None:  # quick ones, that a cold broker holds up the most
            say(f"to warm the broker up: {contestant.name}")
            _try(ground, contestant, None, say)
    for number in range(1, rounds + 1):
        rates.append({})
        for stage in NAMES:
            figures = _stage(ground, stage)
            ladder[stage].append(figures)
            rates[-1][stage] = figures["rate"]
            say(f"round {number}: {stage}: {figures['rate']:,.0f} events/s")
        for contestant in able:
            outcome = _try(ground, contestant, pythons.get(contestant.name), say)
            if outcome is None:
                continue
            outcomes[contestant.name].append(outcome)
            rates[-1][contestant.name] = outcome.rate
            say(f"round {number}: {contestant.name}: {outcome.rate:,.0f} events/s")
    return {
        "events": ground.events,
        "rounds": rounds,
        "missing": missing + [name for name, found in outcomes.items() if not found],
        "stages": {name: _stage_summary(found) for name, found in ladder.items()},
        "contestants": {name: summary(found) for name, found in outcomes.items() if found},
        "ratios": {
            name: {"of": ratio(rates, STREAMFIT, name), "ceiling": ratio(rates, name, CEILING)}
            for name in [*ladder, *outcomes]
        },
        "bars": {
            name: {"bar": bar, "ratio": ratio(rates, upper, lower)}
            for name, (upper, lower, bar) in BARS.items()
        },
    }


def _try(ground: Ground, contestant: Contestant, python: str | None, say: Say) -> Outcome | None:
    try:
        outcome = hold(ground, contestant, python)
    except ContestError as error:
        say(f"{contestant.name}: {error}")
        return None
    if not outcome.verdict.is_equal:
        say(f"{contestant.name}: its predictions are not those of the model: {outcome.verdict}")
    return outcome


def _stage(ground: Ground, stage: str) -> dict[str, float]:
    """Run a stage in a process of its own."""
    output = f"{ground.topic}-stage"
    create_topic(ground.bootstrap, output)
    with tempfile.TemporaryDirectory(prefix="streamfit-bench-") as folder:
        names = {"bootstrap": ground.bootstrap, "input": ground.topic, "group": output}
        file = settings_file(Path(folder), "at_least_once", {**names, "output": output})
        words = (stage, str(file), str(ground.events))
        figures = figures_of("tests.benchmarks.stages", *words, timeout_s=_STAGE_TIMEOUT_S)
    delete_topics(ground.bootstrap, output)
    return figures


def _stage_summary(found: Sequence[dict[str, float]]) -> dict[str, Any]:
    rate = Spread.of([each["rate"] for each in found])
    return {
        "rate": {"median": rate.median, "least": rate.least, "most": rate.most},
        "cpu_s": Spread.of([each["cpu_s"] for each in found]).median,
    }
