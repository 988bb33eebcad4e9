"""What a command says in plain lines when an error ends it, and the exit code that goes with it."""

import sys
import traceback

from consumers.errors import THIS_IS_A_BUG, StreamfitError, exit_code_of


def tell(error: Exception) -> int:
    """Say on standard error what ends the program; gives the exit code."""
    if isinstance(error, StreamfitError):
        for line in str(error).splitlines():
            print(f"streamfit: {line}", file=sys.stderr)  # noqa: T201 the command's own voice
    else:
        traceback.print_exception(error)
        print(f"streamfit: {THIS_IS_A_BUG}", file=sys.stderr)  # noqa: T201 the command's own voice
    return exit_code_of(error)
