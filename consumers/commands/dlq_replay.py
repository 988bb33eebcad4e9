"""`streamfit dlq replay`: sends dead letters back to the input topic they came from."""

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console

from consumers.commands.dlq_options import Reasons, Since, Stages, filters_of
from consumers.commands.dlq_progress import ReadingProgress
from consumers.commands.options import AsJson, File, Overrides
from consumers.dead_letters.access import begun_at, open_both, replay_of, single
from consumers.dead_letters.filters import Filters, parse_begins, parse_positions
from consumers.dead_letters.harmless import json_line
from consumers.dead_letters.letters import Position
from consumers.dead_letters.outcome import Outcome, Target
from consumers.dead_letters.reading import oldest_first
from consumers.dead_letters.views import outcome_json, outcome_lines
from consumers.errors import DataPolicyError, SettingsError
from consumers.loop.signals import StopWish
from consumers.settings import Settings, load
from consumers.views import logs

Singles = Annotated[
    list[str] | None,
    typer.Option(
        "--partition-offset",
        metavar="P:O",
        help="Only this one, by its place in the dead letter topic; may be given often.",
    ),
]
Begins = Annotated[
    list[str] | None,
    typer.Option(
        "--from-offset",
        metavar="P:O",
        help="Leave what stands before it in this partition of the dead letter topic; may be "
        "given once for each.",
    ),
]
MaxAttempts = Annotated[
    int, typer.Option(min=1, metavar="N", help="Leave letters that were replayed so often.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Send nothing; tell what would be sent.")]


@dataclass(frozen=True, slots=True)
class Wish:
    """Which dead letters are to be replayed, and whether really."""

    filters: Filters
    singles: frozenset[Position]
    begins: dict[int, int]
    max_attempts: int
    dry_run: bool


def replay(  # noqa: PLR0913 - each is an option of the command line
    file: File,
    *,
    stage: Stages = None,
    reason: Reasons = None,
    since: Since = None,
    partition_offset: Singles = None,
    from_offset: Begins = None,
    max_attempts: MaxAttempts = 3,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    overrides: Overrides = None,
) -> None:
    """Send dead letters back to the input topic as they came, the oldest first.

    Nothing remembers what was replayed: the same command sends the same letters again, and they
    are learned again. The exit code is 5 if any of those asked for had to be left.
    """
    settings = load(file, overrides or ())
    if partition_offset and from_offset:
        raise SettingsError("--from-offset: means nothing beside --partition-offset; leave it out")
    wish = Wish(
        filters=filters_of(stage, reason, since),
        singles=parse_positions("--partition-offset", partition_offset or ()),
        begins=parse_begins(from_offset or ()),
        max_attempts=max_attempts,
        dry_run=dry_run,
    )
    logs.configure(logging.CRITICAL)  # what librdkafka would say is in the errors
    outcome = _replay(settings, wish)
    _tell(settings, outcome, dry_run=dry_run, as_json=as_json)
    if outcome.stopped:
        raise KeyboardInterrupt
    raise typer.Exit(DataPolicyError.exit_code if outcome.left else 0)


def _replay(settings: Settings, wish: Wish) -> Outcome:
    with ExitStack() as stack:
        topic, topics = stack.enter_context(open_both(settings))
        progress = stack.enter_context(ReadingProgress(Console(stderr=True)))
        target = Target(settings.input.topic, topics.input, wish.max_attempts)
        read = progress.watching(topic.read)
        # The ends as they are now: what is refused again while this goes on is not sent again.
        since_ms = None if wish.singles else wish.filters.since_ms
        bounds = begun_at(topic.bounds(topics.dead_letters, since_ms), wish.begins)
        # Single ones say nothing of what stands before them.
        outcome = Outcome(next_offsets=None if wish.singles else dict(wish.begins))
        chosen = (
            single(read, bounds, wish.singles, outcome)
            if wish.singles
            else oldest_first(read, bounds)
        )
        sending = replay_of(settings, target, topics.max_bytes, dry_run=wish.dry_run)
        stack.enter_context(StopWish()).stops(sending.stop)
        sending.run(chosen, wish.filters.fit, outcome)
    return outcome


def _tell(settings: Settings, outcome: Outcome, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        topics = {"topic": settings.dead_letter_topic, "to": settings.input.topic}
        typer.echo(json_line({**topics, "dry_run": dry_run, **outcome_json(outcome)}))
        return
    for line in outcome_lines(outcome, settings.input.topic, dry_run=dry_run):
        typer.echo(line)
