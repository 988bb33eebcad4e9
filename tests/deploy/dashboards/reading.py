"""What tests ask of the JSON of a dashboard: its panels, its PromQL. Nothing is made here."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

# What Grafana puts in by itself, as it would be for a scrape every five seconds.
GIVEN_BY_GRAFANA = {"__rate_interval": "20s", "__interval": "15s", "__range": "1h"}

_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


class Asked(NamedTuple):
    """A query as it stands in a dashboard.

    Attributes
    ----------
    where : str
        Title of the panel, or name of the annotation.
    expression : str
        PromQL with variables.
    """

    where: str
    expression: str


def read(file: Path) -> dict[str, Any]:
    """Give the dashboard that a file holds."""
    dashboard: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return dashboard


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give all panels, rows apart; those of collapsed rows too."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def queries(dashboard: Mapping[str, Any]) -> Iterator[Asked]:
    """Give all queries of panels and of annotations."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield Asked(panel["title"], target["expr"])
    for annotation in dashboard["annotations"]["list"]:
        yield Asked(annotation["name"], annotation["expr"])


def variables(text: str) -> set[str]:
    """Give the names of the variables that a text uses."""
    return set(_VARIABLE.findall(text))


def filled(expression: str, values: Mapping[str, str]) -> str:
    """Put values in for all variables; those that Grafana gives have values of their own.

    Raises
    ------
    KeyError
        If a variable has no value.
    """
    known = {**GIVEN_BY_GRAFANA, **values}
    return _VARIABLE.sub(lambda found: known[found[1]], expression)
