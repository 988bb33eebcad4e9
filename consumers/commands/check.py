"""`streamfit check`: tells whether `run` would work, and what keeps it from it."""

import logging
import sys
from typing import Annotated

import msgspec
import typer

from consumers.commands.options import AsJson, File, Overrides
from consumers.config.shown import shown
from consumers.settings import load
from consumers.views import logs

Print = Annotated[
    bool,
    typer.Option(
        "--print", help="Print all settings as they hold, secrets masked, as JSON; look no further."
    ),
]


def check(
    file: File, overrides: Overrides = None, *, as_json: AsJson = False, print_: Print = False
) -> None:
    """Look at the settings, then connect: topics, a sample event, outputs, the store."""
    settings = load(file, overrides or ())
    if print_:
        text = msgspec.json.format(msgspec.json.encode(shown(settings)), indent=2)
        sys.stdout.write(text.decode() + "\n")
        return
    logs.configure(logging.CRITICAL)  # what librdkafka would say is in the findings
    # Loading scikit-learn and numba takes a second: settings that are wrong are told before.
    from consumers.checks import findings  # noqa: PLC0415

    exit_code, told = 0, []
    if not as_json:
        _tell("settings", f"{file} is valid", ok=True)
    for finding in findings(settings):
        ok = finding.error is None
        exit_code = exit_code or (0 if finding.error is None else finding.error.exit_code)
        told.append({"what": finding.what, "found": finding.found, "ok": ok})
        if not as_json:
            _tell(finding.what, finding.found, ok=ok)
    if as_json:
        sys.stdout.write(msgspec.json.encode({"ok": not exit_code, "checks": told}).decode() + "\n")
    raise typer.Exit(exit_code)


def _tell(what: str, found: str, *, ok: bool) -> None:
    typer.echo(f"ok    {what:<26}{found}" if ok else f"FAIL  {found}", err=not ok)
