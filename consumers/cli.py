"""The command line: which commands there are, and how the program ends."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from consumers.checkpoints.checkpoint import versions
from consumers.commands.check import check
from consumers.commands.demo import demo
from consumers.commands.dlq import dlq
from consumers.commands.doctor import doctor
from consumers.commands.endings import tell
from consumers.commands.init import init
from consumers.commands.models import models
from consumers.commands.produce import produce
from consumers.commands.run import run
from consumers.errors import StreamfitError

INTERRUPTED = 130

app = typer.Typer(
    name="streamfit",
    help="scikit-learn models that learn from Kafka while it flows.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(demo)
app.command()(init)
app.command()(check)
app.command()(doctor)
app.command()(run)
app.command()(produce)
app.add_typer(models, name="models")
app.add_typer(dlq, name="dlq")


def _version(*, asked: bool) -> None:
    if asked:
        typer.echo(f"streamfit {versions()['streamfit']}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=lambda asked: _version(asked=asked), is_eager=True),
    ] = False,
) -> None:
    """Learn from Kafka, row by row, exactly once."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str or None
        The arguments; None: those of the process.

    Returns
    -------
    int
        The exit code: 0 ok, 2 settings, 3 Kafka, 4 fenced, 5 data policy, 70 a bug.
    """
    try:
        result = app(args=argv, prog_name="streamfit", standalone_mode=False)
    except typer.Exit as error:
        return int(error.exit_code)
    except StreamfitError as error:
        return tell(error)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 the last line of defence
        return _unexpected(error)
    return result if isinstance(result, int) else 0


def _unexpected(error: Exception) -> int:
    show = getattr(error, "show", None)
    if callable(show):  # an error in the arguments: typer knows how to say it
        show()
        return int(getattr(error, "exit_code", 2))
    return tell(error)


if __name__ == "__main__":
    sys.exit(main())
