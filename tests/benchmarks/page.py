"""The page of a benchmark: tables, bars, chart, and what is not equal; every figure is measured."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.backlog import FEW
from tests.benchmarks.chart import draw
from tests.benchmarks.contestants import CONTESTANTS
from tests.benchmarks.overhead import BAR, BAR_OF_SCORES, DRIFT, SCORES
from tests.benchmarks.stages import CEILING

Found = Mapping[str, Any]
_INTRO = """# Benchmark

Made by `make bench`; the same figures as data: [benchmark.json](benchmark.json). Everything on this
page was measured in one run of the machine below, unless a part says otherwise.

The job, the same for everyone: read Elec2 (repeated; JSON, 8 features, about 210 bytes) from four
partitions, predict each event by an online StandardScaler and logistic regression (SGD, 0.005),
then learn it, row by row, and send one prediction out for each event, acknowledged before its
offsets are committed, once a second. Everyone's predictions are read back, all of them, and held
against a recomputation in the order in which the contestant says it has learned.

A rate is events per second from the first prediction's append to the last one's, by the broker's
clock: start-up is left out, and the same is measured of everyone. The stages are timed by
themselves. CPU seconds are those of the contestant within that time; memory is the most that was
resident. Before the first round each of ours works the topic off once, uncounted: a broker that has
just started is slow, and the quickest would feel it the most.
"""
_NOT_EQUAL = """## What is not equal

- Ours was tuned on this job; the peers got one round of the same client settings
  (`fetch.queue.backoff.ms`, `linger.ms`, lz4), where they have a way to set them.
- Ours runs this model in a compiled kernel; River is generic Python and can do far more models.
- Guarantees differ, see the table. Only ours writes the model down.
- A backlog is worked off. With a live producer on the same cores, expect less of everyone.
- Broker, contestant and observer share the machine.
- The recomputation is exact to rounding for everyone, so nobody is faster by learning less.
"""


def write(found: Found, folder: Path) -> str:
    """Write page and chart into a folder; gives the page."""
    parts = [_INTRO, _machine(found)]
    if "contest" in found:
        draw(found["contest"], folder / "benchmark.png")
        parts += ["![Events per second](benchmark.png)\n", *_contest(found["contest"])]
    makers = {
        "oracle": _oracle,
        "scaling": _scaling,
        "backlog": _backlog,
        "overhead": _overhead,
        "latency": _latency,
        "pauses": _pauses,
        "restart": _restart,
    }
    parts += [make(found[name]) for name, make in makers.items() if name in found]
    text = "\n".join([*parts, _NOT_EQUAL])
    (folder / "README.md").write_text(text)
    return text


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Write a table of Markdown."""
    head = list(head)
    lines = [head, ["---"] * len(head), *map(list, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _machine(found: Found) -> str:
    about = found["machine"]
    times = ", ".join(f"{part} {time}" for part, time in found["measured"].items())
    return f"{', '.join(about.values())}; {found['broker']}. Measured (UTC): {times}.\n"


def _contest(contest: Found) -> list[str]:
    head = f"## Whole job, {contest['events']:,} events, {contest['rounds']} rounds in turn\n"
    missing = "".join(f"Could not take part: {name}.\n" for name in contest["missing"])
    return [
        head,
        _bars(contest),
        _contestants(contest),
        missing,
        "## Stage by stage\n\nEach has all before it; the last has no commits yet.\n",
        _stages(contest),
    ]


def _bars(contest: Found) -> str:
    rows = [
        (name, f"{one['bar']:g}", _spread(one["ratio"], ".2f"))
        for name, one in contest["bars"].items()
        if one["ratio"] is not None
    ]
    return table(["ratio within a round", "bar", "median (least to most)"], rows)


def _spread(figure: Found | None, form: str) -> str:
    if figure is None:
        return ""
    return f"{figure['median']:{form}} ({figure['least']:{form}} to {figure['most']:{form}})"


def _contestants(contest: Found) -> str:
    commits = {c.name: c.commits for c in CONTESTANTS}
    prefix = {c.name for c in CONTESTANTS if c.prefix}
    rows = []
    for name, figures in contest["contestants"].items():
        ratios = contest["ratios"][name]
        rows.append(
            (
                name + (" (prefix of 20 s)" if name in prefix else ""),
                _spread(figures["rate"], ",.0f"),
                _middle(ratios["ceiling"], ".3f"),
                _middle(ratios["of"], ".1f"),
                f"{figures['cpu_s']:.2f}",
                _number(figures["broker_cpu_s"]),
                f"{figures['peak_mib']:.0f}",
                f"{figures['accuracy']:.4f}",
                f"{figures['compared']:,} {'equal' if figures['equal'] else 'NOT EQUAL'}",
                commits[name],
            )
        )
    head = [
        *("contestant", "events/s", "of the ceiling", "streamfit is x times as fast"),
        *("CPU s per million", "broker CPU s per million", "MiB", "accuracy"),
        *("predictions compared", "promises"),
    ]
    return table(head, rows)


def _middle(figure: Found | None, form: str) -> str:
    return "" if figure is None else f"{figure['median']:{form}}"


def _number(figure: float | None) -> str:
    return "not seen" if figure is None else f"{figure:.2f}"


def _stages(contest: Found) -> str:
    rows = [
        (
            name,
            _spread(figures["rate"], ",.0f"),
            _middle(contest["ratios"][name]["ceiling"], ".3f") if name != CEILING else "1",
            f"{figures['cpu_s']:.2f}",
        )
        for name, figures in contest["stages"].items()
    ]
    return table(["stage", "events/s", "of the ceiling", "CPU s per million"], rows)


def _oracle(oracle: Found) -> str:
    return (
        f"The recomputation is itself held against scikit-learn, called row by row, on "
        f"{oracle['rows']:,} rows: the largest difference of a probability is "
        f"{oracle['largest_difference']:.1e}.\n"
    )


def _scaling(scaling: Found) -> str:
    rows = [
        (what, value, f"{cost:.2f}")
        for what, costs in scaling.items()
        for value, cost in costs.items()
    ]
    head = "## Cost of an event without Kafka\n\nDecode, learn, score, encode.\n\n"
    return head + table(["varied", "value", "µs an event"], rows)


def _backlog(backlog: Found) -> str:
    least = backlog[min(backlog, key=int)]["cpu_s"]
    rows = [
        (
            f"{int(events):,}",
            f"{each['rate']:,.0f}",
            f"{each['cpu_s']:.2f}",
            f"{each['cpu_s'] / least:.2f}",
            f"{each['peak_mib']:.0f}",
        )
        for events, each in sorted(backlog.items(), key=lambda item: int(item[0]))
    ]
    head = ["backlog", "events/s", "CPU s per million", "of the smallest", "MiB at most"]
    about = (
        "## Backlogs\n\nCounted inside of the process, from the moment it begins to read until the "
        "last event is committed; what does not depend on the length is taken off the processor's "
        f"time: it is what a backlog of {FEW:,} events takes.\n\n"
    )
    return about + table(head, rows)


def _overhead(overhead: Found) -> str:
    shares = overhead["shares"]
    together = sum(share for what, share in shares.items() if what != DRIFT)
    bars = {SCORES: f"{BAR_OF_SCORES:.0%}"}
    rows = [(what, bars.get(what, ""), f"{share:.1%}") for what, share in shares.items()]
    rows.append(("all but drift", f"{BAR:.0%}", f"{together:.1%}"))
    about = (
        "## Beside the job\n\nShares of the run's time, at_least_once, an epoch a second, "
        f"{overhead['events']:,} events, medians of {overhead['rounds']} runs. What the guard "
        "compares for each event is part of the kernels; its share is the copy it goes back to.\n\n"
    )
    return about + table(["what", "bar", "share"], rows)


def _latency(latency: Found) -> str:
    rows = [
        (f"{int(rate):,}", f"{each['p50']:.0f}", f"{each['p99']:.0f}", f"{each['p99.9']:.0f}")
        for rate, each in latency.items()
    ]
    head = (
        "## Latency\n\nFrom an event's append to its prediction's append, at_least_once, by the "
        "broker's clock, which counts whole milliseconds. Under exactly_once a read_committed "
        "reader sees predictions at the end of their epoch.\n\n"
    )
    return head + table(["events/s", "p50 ms", "p99 ms", "p99.9 ms"], rows)


def _pauses(pauses: Found) -> str:
    rows = [
        (size, delivery, f"{one['epochs']}", *_milliseconds(one["pause_ms"], one["steps_ms"]))
        for size, deliveries in pauses.items()
        for delivery, one in deliveries.items()
    ]
    head = ["weights", "delivery", "epochs", "all, p50 / p99 ms", "flush", "save", "commit"]
    about = (
        "## The end of an epoch\n\nThe flow stands still for all of it, but for a save of more "
        "than 20 ms under at_least_once: it goes on behind that.\n\n"
    )
    return about + table(head, rows)


def _milliseconds(pause: Found, steps: Found) -> list[str]:
    figures = [pause, *(steps[name] for name in ("flush", "save", "commit"))]
    return [f"{each['p50']:.1f} / {each['p99']:.1f}" for each in figures]


def _restart(restart: Found) -> str:
    rows = [
        (f"{int(size):,}", *(f"{each[key]:.2f}" for key in ("start_s", "join_s", "beyond_s")))
        for size, each in restart.items()
    ]
    head = ["checkpoint, bytes", "start to first prediction, s", "a bare consumer's join, s"]
    return "## Restart\n\nInstalled as users do, from `requirements.lock`.\n\n" + table(
        [*head, "on top of it, s"], rows
    )
