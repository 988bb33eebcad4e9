"""`streamfit doctor`: looks at everything a run depends on, and changes nothing."""

import logging
import sys
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from consumers.commands.options import AsJson, File, Overrides
from consumers.settings import load
from consumers.views import logs

Strict = Annotated[bool, typer.Option("--strict", help="Warnings count as problems.")]


def doctor(
    file: File, overrides: Overrides = None, *, strict: Strict = False, as_json: AsJson = False
) -> None:
    """Look at versions, broker, topics, rights, clocks, store and group, and say what to mend.

    Changes nothing. Exits 0 without problems, else with the code of the worst.
    """
    settings = load(file, overrides or ())
    logs.configure(logging.CRITICAL)  # what librdkafka would say is in the findings
    # Loading scikit-learn and numba takes a second: settings that are wrong are told before.
    from consumers.doctor import views  # noqa: PLC0415
    from consumers.doctor.examination import examine  # noqa: PLC0415

    if as_json:
        findings = list(examine(settings))
        told = [views.as_json(each) for each in findings]
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    else:
        console = Console(highlight=False)
        findings = list(views.show(console, examine(settings)))
        console.print(views.summary(findings), style="bold")
    raise typer.Exit(views.exit_code(findings, strict=strict))
