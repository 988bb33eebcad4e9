"""`streamfit init`: writes a settings file to start from."""

from pathlib import Path
from typing import Annotated

import typer

from consumers.config.starter import STARTER
from consumers.errors import SettingsError

Target = Annotated[Path, typer.Argument(metavar="[FILE]", help="Where to write it.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")]


def init(file: Target = Path("streamfit.toml"), *, force: Force = False) -> None:
    """Write a commented settings file to start from."""
    try:
        with file.open("w" if force else "x", encoding="utf-8") as target:
            target.write(STARTER)
    except FileExistsError:
        raise SettingsError(f"{file}: is there already; name another, or give --force") from None
    except OSError as error:
        raise SettingsError(f"{file}: cannot be written ({error.strerror})") from None
    typer.echo(f"wrote {file}; fill in your topic and features, then: streamfit check {file}")
