"""What the `models` commands share: their arguments, and how they answer."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
import typer

from consumers.errors import CheckpointError

Wanted = Annotated[
    str | None,
    typer.Argument(
        metavar="EPOCH|KEY",
        help="The checkpoint, by epoch or name; else the committed one.",
        show_default=False,
    ),
]
PartitionNumber = Annotated[
    int | None,
    typer.Option(
        "--partition", min=0, metavar="N", help="Which model, where each partition has its own."
    ),
]


def write_json(answer: Any) -> None:
    """Write an answer as the only line of standard output."""
    sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")


def note(line: str) -> None:
    """Say something beside the answer."""
    typer.echo(f"streamfit: {line}", err=True)


@contextmanager
def store_told() -> Iterator[None]:
    """Say of the store what it did not do, with the exit code for it."""
    try:
        yield
    except OSError as error:
        raise CheckpointError(
            f"checkpoint.store: cannot be used ({error}); mount it, make room, or grant the right"
        ) from error
