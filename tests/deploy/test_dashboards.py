"""The dashboards in deploy/grafana: that they are what the code makes, and sound by themselves."""

import json
import re
from itertools import combinations
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard as model

from metrics.facts import State
from tests.deploy.dashboards import consumer, written
from tests.deploy.dashboards import model as model_dashboard
from tests.deploy.dashboards.reading import (
    GIVEN_BY_GRAFANA,
    panels,
    queries,
    read,
    variables,
)

DASHBOARDS = {name: read(written.DIRECTORY / name) for name in ("model.json", "consumer.json")}
PANELS = [
    pytest.param(panel, id=f"{name}-{panel['title']}")
    for name, dashboard in DASHBOARDS.items()
    for panel in panels(dashboard)
]
PROVISIONING = written.DIRECTORY.parent / "provisioning"


each_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)
each_panel = pytest.mark.parametrize("panel", PANELS)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_is_what_the_code_makes(name: str) -> None:
    made = written.dashboards()[name]
    stands = (written.DIRECTORY / name).read_text(encoding="utf-8")
    assert stands == made, "run `python -m tests.deploy.dashboards`"


def test_no_other_dashboard_lies_beside_them() -> None:
    assert {file.name for file in written.DIRECTORY.iterdir()} == set(written.dashboards())


@each_dashboard
def test_grafanas_own_types_read_a_dashboard_without_loss(dashboard: dict[str, Any]) -> None:
    register_default_plugins()
    without_words = json.loads(json.dumps(dashboard))
    for annotation in without_words["annotations"]["list"]:
        for key in ("step", "titleFormat", "textFormat"):  # the model does not know these
            assert annotation.pop(key)
    again = json.dumps(model.Dashboard.from_json(without_words), cls=JSONEncoder)
    assert json.loads(again) == without_words


def test_the_names_in_addresses_are_stable_and_lead_to_each_other() -> None:
    uids = {name: dashboard["uid"] for name, dashboard in DASHBOARDS.items()}
    assert uids == {"model.json": model_dashboard.UID, "consumer.json": consumer.UID}
    assert uids == {"model.json": "streamfit-model", "consumer.json": "streamfit-consumer"}
    for name, dashboard in DASHBOARDS.items():
        (link,) = dashboard["links"]
        assert {link["url"]} == {f"/d/{uid}" for other, uid in uids.items() if other != name}
        assert link["includeVars"]
        assert link["keepTime"]


@each_dashboard
def test_a_dashboard_opens_at_the_last_hour_and_is_not_edited_by_hand(
    dashboard: dict[str, Any],
) -> None:
    assert dashboard["time"] == {"from": "now-1h", "to": "now"}
    assert dashboard["refresh"] == "10s"
    assert dashboard["editable"] is False


@each_dashboard
def test_no_data_source_is_named(dashboard: dict[str, Any]) -> None:
    found = list(_data_sources(dashboard))
    assert found
    assert all(each == {"type": "prometheus", "uid": "${datasource}"} for each in found)


@each_dashboard
def test_every_variable_in_use_is_defined_and_each_but_the_source_offers_all(
    dashboard: dict[str, Any],
) -> None:
    defined = {each["name"]: each for each in dashboard["templating"]["list"]}
    assert set(defined) == {"datasource", "application", "topic", "model"}
    used = variables(json.dumps(dashboard)) - {"__all"}  # the value that stands for All
    assert used <= set(defined) | set(GIVEN_BY_GRAFANA)
    assert defined["datasource"]["type"] == "datasource"
    assert defined["datasource"]["query"] == "prometheus"
    assert defined["model"]["allValue"] == ".*"  # the one model of global scope has no partition
    for name in ("application", "topic", "model"):
        variable = defined[name]
        assert variable["multi"]
        assert variable["includeAll"]
        assert variable["current"]["value"] == ["$__all"]
        assert variable["refresh"] == model.VariableRefresh.ON_TIME_RANGE_CHANGED


@each_dashboard
def test_only_variables_that_change_something_are_shown(dashboard: dict[str, Any]) -> None:
    shown = {
        variable["name"]
        for variable in dashboard["templating"]["list"]
        if variable.get("hide") != model.VariableHide.HIDE_VARIABLE
    }
    asked = {name for query in queries(dashboard) for name in variables(query.expression)}
    assert shown == {"datasource"} | (asked - set(GIVEN_BY_GRAFANA))


@each_panel
def test_a_panel_says_what_it_shows_in_which_unit(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    assert all(target["legendFormat"] for target in panel["targets"])
    references = [target["refId"] for target in panel["targets"]]
    assert len(set(references)) == len(references)


@each_dashboard
def test_panels_have_numbers_of_their_own(dashboard: dict[str, Any]) -> None:
    rows = [panel for panel in dashboard["panels"] if panel["type"] == "row"]
    numbers = [panel["id"] for panel in (*rows, *panels(dashboard))]
    assert len(set(numbers)) == len(numbers)


@each_dashboard
def test_panels_lie_in_the_grid_and_not_on_each_other(dashboard: dict[str, Any]) -> None:
    shown = [panel["gridPos"] for panel in dashboard["panels"]]
    opened = [p["panels"] for p in dashboard["panels"] if p["type"] == "row" and p["panels"]]
    for places in (shown, *([panel["gridPos"] for panel in row] for row in opened)):
        assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for place in places)
        for one, other in combinations(places, 2):
            assert not _overlap(one, other)


def test_every_state_of_a_consumer_has_a_colour_of_its_own() -> None:
    (panel,) = (
        panel
        for panel in panels(DASHBOARDS["consumer.json"])
        if panel["title"] == "Who learns, who stands by"
    )
    ((expression,),) = ((target["expr"] for target in panel["targets"]),)
    numbered = dict(re.findall(r'(\d+) \* streamfit_state\{[^}]*state="(\w+)"', expression))
    (mapping,) = panel["fieldConfig"]["defaults"]["mappings"]
    assert set(numbered.values()) == set(State)
    assert set(mapping["options"]) == set(numbered)
    assert len({each["color"] for each in mapping["options"].values()}) == len(State)


def test_grafana_finds_the_data_source_and_the_dashboards() -> None:
    source = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yaml").read_text())
    (prometheus,) = source["datasources"]
    assert prometheus["type"] == prometheus["uid"] == "prometheus"
    assert prometheus["url"] == "http://prometheus:9090"
    provided = yaml.safe_load((PROVISIONING / "dashboards" / "streamfit.yaml").read_text())
    (provider,) = provided["providers"]
    assert provider["folder"] == "streamfit"
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"


def test_grafana_counts_on_the_interval_at_which_prometheus_scrapes() -> None:
    source = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yaml").read_text())
    scraping = yaml.safe_load(
        (written.DIRECTORY.parents[1] / "prometheus" / "prometheus.yaml").read_text()
    )
    (prometheus,) = source["datasources"]
    assert prometheus["jsonData"]["timeInterval"] == scraping["global"]["scrape_interval"]


def _data_sources(part: Any) -> list[Any]:
    if isinstance(part, list):
        return [each for item in part for each in _data_sources(item)]
    if not isinstance(part, dict):
        return []
    own = [part["datasource"]] if "datasource" in part else []
    return own + [each for value in part.values() for each in _data_sources(value)]


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )
