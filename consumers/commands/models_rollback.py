"""`streamfit models rollback`: takes a group back to an older checkpoint, its offsets with it."""

import logging
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from consumers.commands.models_options import PartitionNumber, note, store_told, write_json
from consumers.commands.options import AsJson, File, Overrides
from consumers.settings import load
from consumers.views import logs

if TYPE_CHECKING:  # loading it takes a second: settings that are wrong are told before
    from consumers.checkpoints.pointer import Pointer
    from consumers.models.rollback import Plan

Target = Annotated[
    str,
    typer.Argument(
        metavar="EPOCH|KEY", help="The checkpoint, by epoch or name.", show_default=False
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask on a terminal.")]


def rollback(
    file: File,
    target: Target,
    *,
    yes: Yes = False,
    partition: PartitionNumber = None,
    as_json: AsJson = False,
    overrides: Overrides = None,
) -> None:
    """Go back to an older checkpoint of the committed lineage; nothing may run meanwhile.

    A copy of it becomes the newest one. Predictions from its offsets on are emitted anew.
    """
    settings = load(file, overrides or ())
    logs.configure(logging.CRITICAL)  # what librdkafka would say is in the errors
    from consumers.models.access import open_rollback  # noqa: PLC0415 - see TYPE_CHECKING above

    with store_told(), open_rollback(settings, partition) as (going_back, see_empty):
        plan = going_back.plan(target)
        if sys.stdin.isatty() and not yes:
            typer.confirm(_question(plan), abort=True, err=True)
            see_empty()  # the answer may have taken its time
        pointer = going_back.carry_out(plan)
    if as_json:
        write_json(_answer(plan, pointer))
        return
    typer.echo(
        f"went back from epoch {plan.committed.epoch} to epoch {plan.target.epoch}, "
        f"which is now epoch {pointer.epoch}"
    )
    for line in _anew(plan):
        typer.echo(line)
    if plan.walked_by == "names":
        note(
            "the committed lineage could not be followed so far, since a checkpoint is damaged or "
            "missing: found by its name"
        )


def _question(plan: "Plan") -> str:
    lines = [
        f"Go back from epoch {plan.committed.epoch} to epoch {plan.target.epoch}?",
        *_anew(plan),
    ]
    return "\n".join([*lines, "Go on?"])


def _anew(plan: "Plan") -> list[str]:
    told = []
    for partition, at in plan.after.items():
        until = plan.before.get(partition, at)
        if until > at:
            told.append(
                f"partition {partition}: predictions from offset {at} to {until - 1} "
                "are emitted anew"
            )
    told += [
        f"partition {partition}: {count} records are no longer there, and are skipped"
        for partition, count in plan.gone.items()
    ]
    return told


def _answer(plan: "Plan", pointer: "Pointer") -> dict[str, Any]:
    def named(pointer: "Pointer") -> dict[str, Any]:
        return {"epoch": pointer.epoch, "key": pointer.key}

    return {
        "from": named(plan.committed),
        "to": named(plan.target),
        "checkpoint": named(pointer),
        "found_by": plan.walked_by,
        "next_offsets": {str(p): at for p, at in plan.after.items()},
        "predictions_anew": {
            str(p): {"from": at, "until": plan.before.get(p, at)} for p, at in plan.after.items()
        },
        "records_gone": {str(p): count for p, count in plan.gone.items()},
    }
