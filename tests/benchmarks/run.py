"""The benchmark's command line: `python -m tests.benchmarks.run`, behind `make bench`."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks import backlog, latency, overhead, page, restart, scaling
from tests.benchmarks.apart import figures_of
from tests.benchmarks.contestants import installed_command
from tests.benchmarks.contests import play
from tests.benchmarks.ground import filled, machine, open_broker
from tests.benchmarks.reference import ORACLE_ROWS, TOLERANCE, scikit_learn_difference
from tests.benchmarks.workload import delete_topics
from tests.brokers.server import Server

FOLDER = Path(__file__).parents[2] / "docs" / "benchmarks"
_PAUSES_TIMEOUT_S = 600.0


def main(words: Sequence[str] | None = None) -> int:
    """Measure what is asked for, and write it down; 1 where a prediction was wrong."""
    options = _options(words)
    found = _earlier(options.out) if options.parts else {}
    found |= {"machine": machine(), "measured": found.get("measured", {})}
    with open_broker(_say) as server:
        found["broker"] = f"Apache Kafka 4.3.0, {server.kind}, on the same machine"
        for name, measure in _parts(options, server):
            _say(f"== {name}")
            found[name] = measure()
            found["measured"][name] = f"{datetime.now(UTC):%Y-%m-%d %H:%M}"
            options.out.mkdir(parents=True, exist_ok=True)
            (options.out / "benchmark.json").write_text(json.dumps(found, indent=2) + "\n")
    _say(page.write(found, options.out))
    return int(_is_wrong(found))


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.run", description=__doc__)
    parser.add_argument("--events", type=int, default=2_000_000, help="in the topic")
    parser.add_argument("--rounds", type=int, default=3, help="of all contestants")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each rate of latency")
    parser.add_argument(
        "--backlogs", type=int, nargs="*", default=[100_000, 1_000_000], help="in events"
    )
    parser.add_argument(
        "--oracle-rows", type=int, default=ORACLE_ROWS, help="held against scikit-learn"
    )
    parser.add_argument("--only", nargs="*", default=[], help="contestants, by part of the name")
    parser.add_argument(
        "--parts", nargs="*", default=[], help="only these, kept beside earlier ones"
    )
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the page")
    return parser.parse_args(words)


def _parts(
    options: argparse.Namespace, server: Server
) -> list[tuple[str, Callable[[], dict[str, Any]]]]:
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "oracle": lambda: _oracle(options.oracle_rows),
        "contest": lambda: _contest(options, server),
        "scaling": lambda: dict(scaling.measure()),
        "backlog": lambda: _backlogs(options, server),
        "overhead": lambda: overhead.measure(server, options.events, options.rounds, _say),
        "latency": lambda: _latencies(options, server),
        "pauses": lambda: _pauses(options, server),
        "restart": lambda: _restarts(options, server),
    }
    chosen = options.parts or list(parts)
    return [(name, part) for name, part in parts.items() if name in chosen]


def _oracle(rows: int) -> dict[str, Any]:
    return {
        "rows": rows,
        "largest_difference": scikit_learn_difference(rows),
        "tolerance": TOLERANCE,
    }


def _contest(options: argparse.Namespace, server: Server) -> dict[str, Any]:
    ground = filled(server, options.events, _say)
    try:
        return play(ground, options.rounds, options.only, _say)
    finally:
        delete_topics(ground.bootstrap, ground.topic)


def _backlogs(options: argparse.Namespace, server: Server) -> dict[str, Any]:
    return backlog.measure(server, options.backlogs, 3 * options.rounds, _say)


def _restarts(options: argparse.Namespace, server: Server) -> dict[str, Any]:
    command = installed_command(_say)
    return dict(restart.measure(server.bootstrap_servers, command, options.rounds))


def _latencies(options: argparse.Namespace, server: Server) -> dict[str, Any]:
    found = {}
    for rate in latency.RATES:
        found[str(rate)] = latency.measure(server.bootstrap_servers, rate, options.seconds)
        _say(f"{rate:,} events/s: {found[str(rate)]}")
    return found


def _pauses(options: argparse.Namespace, server: Server) -> dict[str, Any]:
    """In a process of its own: the loop must not share it with this one's threads."""
    words = (server.bootstrap_servers, str(options.seconds))
    return figures_of("tests.benchmarks.pauses", *words, timeout_s=_PAUSES_TIMEOUT_S)


def _earlier(folder: Path) -> dict[str, Any]:
    file = folder / "benchmark.json"
    if not file.exists():
        return {}
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def _is_wrong(found: dict[str, Any]) -> bool:
    contestants = found.get("contest", {}).get("contestants", {})
    judged = (*contestants.values(), *found.get("backlog", {}).values())
    return not all(each["equal"] for each in judged)


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)  # noqa: T201 its output


if __name__ == "__main__":
    sys.exit(main())
