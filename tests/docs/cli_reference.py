"""docs/reference/cli.md, made of the command line itself.

Examples and what a command ends with stand here: the blocks of the page run in their order, on a
job that has learned something and is running.
"""

import inspect
from collections.abc import Iterator
from typing import Any

import typer

from consumers.cli import app

HEAD = """\
# Command line

<!-- Written by `python -m tests.docs.reference`. -->

The settings file comes first. `--set table.key=value` changes one of its keys for this call, and
`--json` leaves standard output to JSON alone: progress and logs go to standard error. An error is
one line with the key, the value and the mend. `streamfit --version` tells the version, and `--help`
is there everywhere.

## Exit codes

| code | what for |
|---|---|
| 0 | done, or told to stop |
| 2 | the arguments, the settings, or what they name |
| 3 | Kafka cannot be reached, refuses the login, or lacks a topic or a right |
| 4 | another process holds the group or the instance |
| 5 | going on would lose something or learn it twice: offsets, checkpoints, dead letters |
| 70 | a bug |
| 130 | Ctrl-C, where there is nothing to end in order |
"""
# Of each command: the exit codes it has beside 0 and 2, and lines that show it.
EXAMPLES: dict[str, tuple[str, str]] = {
    "demo": ("3", "streamfit demo --json --plot elec2.png"),
    "init": ("", "streamfit init fresh.toml"),
    "check": ("3, 5", "streamfit check my.toml --json"),
    "doctor": ("3, 4, 5, 70", "streamfit doctor my.toml"),
    "run": ("3, 4, 5", "streamfit run my.toml --set log.level=warning"),
    "produce": (
        "3",
        "streamfit produce my.toml producers/data/elec2.csv.xz --label class --rate 5000",
    ),
    "models list": ("", "streamfit models list my.toml"),
    "models show": ("5", "streamfit models show my.toml"),
    "models verify": ("5", "streamfit models verify my.toml --all"),
    "models export": ("5", "streamfit models export my.toml --to model.skops"),
    "models rollback": ("3, 4, 5", "streamfit models rollback my.toml 42 --yes"),
    "dlq show": ("3", "streamfit dlq show my.toml --since 2h --counts"),
    "dlq replay": ("3, 5", "streamfit dlq replay my.toml --reason unknown_label --dry-run"),
}
# What stands for a value that has no name of its own.
VALUES = {int: "N", float: "NUMBER", str: "TEXT", list[str]: "A.B=C"}
MARKS = {
    "run": "<!-- stopped -->\n",
    "models rollback": "<!-- stopped -->\n<!-- replace: 42 -> 1 -->\n",
}


def page() -> str:
    """Write the page."""
    return HEAD + "".join(_section(name, command) for name, command in commands())


def commands() -> Iterator[tuple[str, Any]]:
    """Give each command that does something, by its words."""
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        below = getattr(command, "commands", None)
        if below is None:
            yield name, command
        else:
            yield from ((f"{name} {inner}", each) for inner, each in below.items())


def _section(name: str, command: Any) -> str:
    codes, example = EXAMPLES[name]
    told = f"0, 2, {codes}" if codes else "0, 2"
    parts = [
        f"\n## streamfit {name}\n",
        f"\n{inspect.cleandoc(command.help)}\n",
        f"\n```text\n{_usage(name, command)}\n```\n",
        _table(command),
        f"\nExit codes: {told}.\n",
        f"\n{MARKS.get(name, '')}```sh\n{example}\n```\n",
    ]
    return "".join(parts)


def _usage(name: str, command: Any) -> str:
    arguments = [_argument(each) for each in command.params if each.param_type_name == "argument"]
    return " ".join(["streamfit", name, *arguments, "[OPTIONS]"])


def _argument(argument: Any) -> str:
    name: str = argument.metavar or argument.name.upper()
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _table(command: Any) -> str:
    rows = [_row(each) for each in command.params if each.name != "help"]
    return "\n| argument or option | meaning |\n|---|---|\n" + "\n".join(rows) + "\n"


def _row(parameter: Any) -> str:
    text = [parameter.help or ""]
    if parameter.param_type_name == "argument":
        shown = _argument(parameter)
    else:
        shown = parameter.opts[0]
        if not parameter.is_flag:
            shown += f" {parameter.metavar or VALUES[parameter.type_descriptor.annotation]}"
        if parameter.multiple and "often" not in text[0]:
            text.append("May be given often.")
    if "[default" not in text[0] and parameter.default not in (None, False):
        text.append(f"Default: `{parameter.default}`.")
    if bounds := _bounds(parameter):
        text.append(f"{bounds}.")
    cells = (cell.replace("|", "\\|") for cell in (f"`{shown}`", " ".join(text)))
    return f"| {' | '.join(cells)} |"


def _bounds(parameter: Any) -> str:
    told = [f"at least {parameter.min:g}"] if parameter.min is not None else []
    told += [f"at most {parameter.max:g}"] if parameter.max is not None else []
    return " and ".join(told).capitalize()
