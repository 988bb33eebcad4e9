"""`streamfit dlq`: looks at dead letters, and sends them back to the input topic."""

import logging
from itertools import islice
from typing import Annotated

import typer
from rich.console import Console

from consumers.commands.dlq_options import Reasons, Since, Stages, filters_of, note
from consumers.commands.dlq_progress import ReadingProgress
from consumers.commands.dlq_replay import replay
from consumers.commands.options import AsJson, File, Overrides
from consumers.dead_letters.access import open_topic
from consumers.dead_letters.filters import Filters
from consumers.dead_letters.harmless import json_line
from consumers.dead_letters.letters import Letter, Stored, read_letter
from consumers.dead_letters.reading import newest_first, oldest_first
from consumers.dead_letters.views import (
    SHOWN_BYTES,
    Count,
    count_json,
    count_lines,
    counted,
    letter_json,
    letter_lines,
)
from consumers.errors import SettingsError
from consumers.settings import Settings, load
from consumers.views import logs

LIMIT = 20

Limit = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Most that are shown. [default: 20]", show_default=False),
]
Counts = Annotated[bool, typer.Option("--counts", help="How many of each stage and reason.")]
Values = Annotated[
    bool,
    typer.Option("--values", help="Keys and values too, cut; they may hold personal data."),
]

dlq = typer.Typer(
    help="Look at dead letters, and send them back to the input topic.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@dlq.command()
def show(  # noqa: PLR0913 - each is an option of the command line
    file: File,
    *,
    stage: Stages = None,
    reason: Reasons = None,
    since: Since = None,
    limit: Limit = None,
    counts: Counts = False,
    values: Values = False,
    as_json: AsJson = False,
    overrides: Overrides = None,
) -> None:
    """Show dead letters, the newest first: where they came from, and why. Changes nothing."""
    settings = load(file, overrides or ())
    filters = filters_of(stage, reason, since)
    if counts and (limit is not None or values):
        raise SettingsError("--counts: tells of all, by number; leave --limit and --values out")
    logs.configure(logging.CRITICAL)  # what librdkafka would say is in the errors
    if counts:
        _tell_counts(settings, _count(settings, filters), as_json=as_json)
    else:
        letters = _newest(settings, filters, limit or LIMIT, values=values)
        _tell_letters(settings, letters, values=values, as_json=as_json)


dlq.command()(replay)


def _newest(settings: Settings, filters: Filters, limit: int, *, values: bool) -> list[Letter]:
    def pick(stored: Stored) -> Letter | None:
        letter = read_letter(stored, keep=SHOWN_BYTES if values else 0)
        return letter if filters.fit(letter) else None

    with (
        open_topic(settings) as (topic, partitions),
        ReadingProgress(Console(stderr=True)) as progress,
    ):
        bounds = topic.bounds(partitions, filters.since_ms)
        return list(islice(newest_first(progress.watching(topic.read), bounds, pick, limit), limit))


def _count(settings: Settings, filters: Filters) -> list[Count]:
    with (
        open_topic(settings) as (topic, partitions),
        ReadingProgress(Console(stderr=True)) as progress,
    ):
        bounds = topic.bounds(partitions, filters.since_ms)
        records = oldest_first(progress.watching(topic.read), bounds)
        letters = (read_letter(stored, keep=0) for stored in records)
        return counted(letter for letter in letters if filters.fit(letter))


def _tell_letters(
    settings: Settings, letters: list[Letter], *, values: bool, as_json: bool
) -> None:
    if as_json:
        told = [letter_json(letter, values=values) for letter in letters]
        typer.echo(json_line({"topic": settings.dead_letter_topic, "letters": told}))
        return
    if not letters:
        note(f"{settings.dead_letter_topic}: no such dead letter")
        return
    for line in letter_lines(letters, values=values):
        typer.echo(line)


def _tell_counts(settings: Settings, counts: list[Count], *, as_json: bool) -> None:
    if as_json:
        total = sum(count.letters for count in counts)
        told = [count_json(count) for count in counts]
        answer = {"topic": settings.dead_letter_topic, "letters": total, "counts": told}
        typer.echo(json_line(answer))
        return
    if not counts:
        note(f"{settings.dead_letter_topic}: no such dead letter")
        return
    for line in count_lines(counts):
        typer.echo(line)
