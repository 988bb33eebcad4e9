"""Every query of the deployed dashboards and rules, as Prometheus gets it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.deploy.prometheus import DEPLOYED

DASHBOARDS = sorted((DEPLOYED.parent / "grafana" / "dashboards").glob("*.json"))
# What Grafana puts in by itself, for a chart of a few minutes.
_BUILT_IN = {"__rate_interval": "1m", "__interval": "15s", "__range": "5m"}
_SET_OPERATION = re.compile(r"\s(?:and|unless|or)\s+(?:(?:on|ignoring) \([^)]*\)\s*)?")
_COMPARISON = re.compile(r"\s(==|!=|<=|>=|<|>)\s")


def panel_queries() -> dict[str, str]:
    """Give each query of each panel, by dashboard, title and place, with `All` for variables."""
    found = {}
    for path in DASHBOARDS:
        dashboard = json.loads(path.read_text())
        values = _values(dashboard)
        for panel in _panels(dashboard["panels"]):
            for place, target in enumerate(panel.get("targets", ()), 1):
                name = f"{path.stem}: {panel['id']} {panel['title']} ({place})"
                found[name] = _filled(target["expr"], values)
    return found


def mark_queries() -> dict[str, str]:
    """Give the query of each annotation, with no comparison that leaves out uneventful times."""
    return {
        f"{path.stem}: {mark['name']}": operand
        for path in DASHBOARDS
        for dashboard in [json.loads(path.read_text())]
        for mark in dashboard["annotations"]["list"]
        if "expr" in mark
        for operand in operands(_filled(mark["expr"], _values(dashboard)))
    }


def recorded() -> dict[str, str]:
    """Give each recorded series and what it is made of."""
    return {rule["record"]: rule["expr"] for rule in _rules() if "record" in rule}


def alerts(severity: str = "") -> dict[str, str]:
    """Give the expression of each alert; of one severity, if one is given."""
    return {
        rule["alert"]: rule["expr"]
        for rule in _rules()
        if "alert" in rule and severity in {"", rule["labels"]["severity"]}
    }


def operands(expression: str) -> list[str]:
    """Take a condition apart into what must have data even while the condition does not hold.

    `and` and `unless` leave out what is well, so each of their sides stands alone; and a
    comparison tells 0 or 1 in place of leaving out. A side cut out of parentheses gets its own.

    Examples
    --------
    >>> operands("up == 0 and on (job, instance) last_over_time(seen[1d])")
    ['up == bool 0', 'last_over_time(seen[1d])']
    >>> operands("sum by (job) (lost unless lost offset 15m) > 0")
    ['sum by (job) (lost)', '(lost offset 15m) > bool 0']
    """
    sides = [_closed(side.strip()) for side in _SET_OPERATION.split(expression)]
    return [_COMPARISON.sub(r" \1 bool ", side) for side in sides]


def _closed(side: str) -> str:
    missing = side.count("(") - side.count(")")
    return "(" * -missing + side + ")" * missing


def _rules() -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load((DEPLOYED / "rules.yaml").read_text())["groups"]:
        yield from group["rules"]


def _panels(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in panels:
        yield panel
        yield from _panels(panel.get("panels", []))  # those of a row that is folded


def _values(dashboard: dict[str, Any]) -> dict[str, str]:
    variables = dashboard["templating"]["list"]
    return _BUILT_IN | {each["name"]: each.get("allValue") or ".+" for each in variables}


def _filled(expression: str, values: dict[str, str]) -> str:
    """Put values in for variables; one that the dashboard does not have is a KeyError."""
    return re.sub(r"\$(\w+)|\$\{(\w+)[^}]*\}", lambda v: values[v[1] or v[2]], expression)
