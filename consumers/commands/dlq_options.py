"""What the `dlq` commands share: the options that choose dead letters, and how they answer."""

import time
from typing import Annotated

import typer

from consumers.dead_letters.filters import Filters, parse_filters

Stages = Annotated[
    list[str] | None,
    typer.Option("--stage", metavar="STAGE", help="Only of this stage; may be given often."),
]
Reasons = Annotated[
    list[str] | None,
    typer.Option("--reason", metavar="REASON", help="Only of this reason; may be given often."),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="AGO|TIME",
        help="Only refused since then: 2h, or 2026-11-20T08:00 (UTC if it does not say).",
    ),
]


def filters_of(stages: list[str] | None, reasons: list[str] | None, since: str | None) -> Filters:
    """Read the options that choose dead letters.

    Raises
    ------
    SettingsError
        If one of them makes no sense.
    """
    return parse_filters(stages or (), reasons or (), since, int(time.time() * 1000))


def note(line: str) -> None:
    """Say something beside the answer."""
    typer.echo(f"streamfit: {line}", err=True)
