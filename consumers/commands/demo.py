"""`streamfit demo`: a model that learns while one watches, with nothing to set up."""

import logging
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from consumers.commands.options import AsJson, Overrides
from consumers.loop.signals import StopWish
from consumers.views import logs
from consumers.views.plot import check_path, draw

Rate = Annotated[
    float | None,
    typer.Option(min=0.001, help="Events per second. [default: 5000; with --json full speed]"),
]
Dirty = Annotated[int, typer.Option(min=0, max=400, help="Broken records to mix in.")]
Plot = Annotated[
    Path | None, typer.Option(metavar="FILE.png", help="Draw accuracy against the baselines.")
]
Keep = Annotated[bool, typer.Option("--keep", help="Go on at the end, to look at the metrics.")]

_RATE = 5000.0
_REPORT_S = 0.02


def demo(
    rate: Rate = None,
    dirty: Dirty = 20,
    *,
    as_json: AsJson = False,
    plot: Plot = None,
    keep: Keep = False,
    overrides: Overrides = None,
) -> None:
    """Replay Elec2 into a broker of its own, learn it, and watch the scores move.

    A broker of yours is used if kafka.bootstrap_servers is set, by --set or the environment.
    """
    if plot is not None:
        check_path(plot)
    logs.configure(logging.ERROR)
    # Loading scikit-learn and numba takes a second.
    from consumers.commands.demo_run import DemoRun  # noqa: PLC0415
    from consumers.connecting import open_runner  # noqa: PLC0415
    from consumers.demo.job import DemoOptions, demo_settings  # noqa: PLC0415
    from consumers.monitoring import monitoring  # noqa: PLC0415

    if rate is None and not as_json:
        rate = _RATE
    options = DemoOptions(rate, dirty)
    console = Console(stderr=as_json)
    with ExitStack() as stack:
        wish = stack.enter_context(StopWish(at_the_end=True))
        settings = stack.enter_context(demo_settings(overrides or ()))
        run = DemoRun(settings, options, console, keep=keep, told=not as_json)
        monitor = stack.enter_context(monitoring(settings, run.observers))
        runner = stack.enter_context(open_runner(settings, monitor.observer, _REPORT_S))
        wish.stops(runner.stop)
        with run.showing(runner, monitor.page):
            runner.run(monitor.beat)
    run.check()
    if plot is not None:
        draw(run.history, plot, "Elec2, predicted before it is learned")
    if as_json:
        sys.stdout.write(msgspec.json.encode(run.summary()).decode() + "\n")
