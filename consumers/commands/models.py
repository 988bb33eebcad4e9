"""`streamfit models`: looks at the checkpoints of a model, and hands one out as a file."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumers.checkpoints.store_errors import masked
from consumers.commands.models_options import (
    PartitionNumber,
    Wanted,
    note,
    store_told,
    write_json,
)
from consumers.commands.models_rollback import rollback
from consumers.commands.options import AsJson, File, Overrides
from consumers.errors import DataPolicyError, SettingsError
from consumers.settings import Settings, load
from consumers.views import logs

if TYPE_CHECKING:  # loading it takes a second: settings that are wrong are told before
    from consumers.models.inspection import Inspection
    from consumers.models.reports import Verdict

All = Annotated[bool, typer.Option("--all", help="All that are in the store.")]
To = Annotated[
    Path, typer.Option("--to", metavar="FILE.skops", help="Where to write it.", show_default=False)
]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that is there.")]

models = typer.Typer(
    help="Look at the checkpoints of a model, hand one out, or go back to one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@models.command("list")
def list_(
    file: File,
    *,
    partition: PartitionNumber = None,
    as_json: AsJson = False,
    overrides: Overrides = None,
) -> None:
    """List the checkpoints in the store, the newest first."""
    settings, inspection = _open(file, overrides, partition)
    from consumers.models.views import listing  # noqa: PLC0415 - see TYPE_CHECKING above

    with store_told():
        rows = inspection.rows()
    why = inspection.unreachable
    if as_json:
        place = inspection.catalogue.place
        said = None if why is None else str(why)
        answer = {"group": place.group, "topic": place.topic, "scope": place.scope}
        write_json({**answer, "checkpoints": rows, "note": said})
        return
    if why is not None:
        note(f"which one is committed is not known: {why}")
    if not rows:
        where = masked(settings.checkpoint.store)
        note(f"{where}: no checkpoint of {inspection.catalogue.place} yet")
        return
    for line in listing(rows):
        typer.echo(line)


@models.command()
def show(
    file: File,
    wanted: Wanted = None,
    *,
    partition: PartitionNumber = None,
    as_json: AsJson = False,
    overrides: Overrides = None,
) -> None:
    """Show one checkpoint: offsets, versions, settings, steps, and the scores as they stood."""
    settings, inspection = _open(file, overrides, partition)
    from consumers.models.views import facts  # noqa: PLC0415 - see TYPE_CHECKING above
    from consumers.wiring import learning_of  # noqa: PLC0415

    with store_told():
        card = inspection.card(wanted, learning_of(settings))
    if as_json:
        write_json(card)
        return
    for name, value in facts(card):
        typer.echo(f"{name:<20}{value}")


@models.command()
def verify(
    file: File,
    wanted: Wanted = None,
    *,
    all_: All = False,
    partition: PartitionNumber = None,
    as_json: AsJson = False,
    overrides: Overrides = None,
) -> None:
    """See whether checkpoints are whole, load, and fit the settings."""
    if all_ and wanted is not None:
        raise SettingsError(f"{wanted}: one checkpoint, or --all; leave one of them out")
    settings, inspection = _open(file, overrides, partition)
    from consumers.wiring import learning_of  # noqa: PLC0415 - see TYPE_CHECKING above

    with store_told():
        there = inspection.described()
    keys = [*there] if all_ else [inspection.find(wanted, there)]
    verdicts = []
    for key in keys:
        verdict = inspection.verify(key, there, learning_of(settings))
        verdicts.append(verdict)
        if not as_json:
            _tell(verdict)
    ok = all(verdict.ok for verdict in verdicts)
    if as_json:
        write_json({"ok": ok, "checkpoints": verdicts})
    raise typer.Exit(0 if ok else DataPolicyError.exit_code)


@models.command()
def export(
    file: File,
    to: To,
    wanted: Wanted = None,
    *,
    force: Force = False,
    partition: PartitionNumber = None,
    as_json: AsJson = False,
    overrides: Overrides = None,
) -> None:
    """Write the scikit-learn pipeline of a checkpoint to a file that skops opens."""
    from consumers.models.files import require_free, write_whole  # noqa: PLC0415 - see above

    settings = load(file, overrides or ())
    require_free(to, force=force)
    inspection = _inspect(settings, partition)
    from consumers.models.inspection import steps_of  # noqa: PLC0415 - see TYPE_CHECKING above
    from consumers.models.stored import learner_state  # noqa: PLC0415

    with store_told():
        stored = inspection.catalogue.read(inspection.find(wanted, inspection.described()))
    steps, learned = steps_of(stored), learner_state(stored)
    write_whole(to, stored.content.model)
    told = {"file": str(to), "size": len(stored.content.model), "steps": steps}
    if as_json:
        version, rows = learned.model_version, len(learned.open_labels)
        pointer = {"key": stored.pointer.key, "epoch": stored.pointer.epoch}
        write_json({**told, **pointer, "model_version": version, "open_stride_rows": rows})
        return
    typer.echo(
        f"wrote {to}: {learned.model_version:,} events learned, epoch {stored.pointer.epoch}"
    )
    if learned.open_labels:
        note(f"the last step has yet to learn {len(learned.open_labels)} rows of its open stride")


models.command()(rollback)


def _open(
    file: Path, overrides: list[str] | None, partition: int | None
) -> tuple[Settings, "Inspection"]:
    settings = load(file, overrides or ())
    return settings, _inspect(settings, partition)


def _inspect(settings: Settings, partition: int | None) -> "Inspection":
    logs.configure(logging.CRITICAL)  # what librdkafka would say is in the errors
    from consumers.models.access import open_inspection  # noqa: PLC0415 - see TYPE_CHECKING above

    with store_told():
        return open_inspection(settings, partition)


def _tell(verdict: "Verdict") -> None:
    name = verdict.key.rpartition("/")[2]
    if verdict.ok:
        typer.echo(f"ok    {name}  {verdict.size:,} bytes")
    else:
        typer.echo(f"FAIL  {verdict.problem}", err=True)
