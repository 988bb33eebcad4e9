"""The rules of deploy/prometheus: what `promtool` says of them, and what they must come with."""

import re
from typing import Any

import pytest
import yaml

from metrics.names import Kind, Metric
from tests.deploy.metrics_page import PAGE
from tests.deploy.prometheus import DEPLOYED, promtool

RUNBOOKS = PAGE.with_name("runbooks.md")
# `runbook_url` is what the usual templates of Alertmanager look for.
ANNOTATIONS = {"summary", "description", "runbook_url"}
SEVERITIES = {"critical", "warning", "info"}
_HISTOGRAM = ("_bucket", "_sum", "_count")


def _rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOYED / "rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in _rules() if "alert" in rule}
TESTS = yaml.safe_load((DEPLOYED / "rules_test.yaml").read_text())["tests"]
RECORDED = {rule["record"]: rule for rule in _rules() if "record" in rule}


def _known_names() -> set[str]:
    return {
        metric.sample_name + suffix
        for metric in Metric
        for suffix in (_HISTOGRAM if metric.value.kind is Kind.HISTOGRAM else ("",))
    }


def _cases(alert: str) -> list[bool]:
    """Tell of each unit test of an alert whether it wants it to fire."""
    return [
        bool(case["exp_alerts"])
        for test in TESTS
        for case in test["alert_rule_test"]
        if case["alertname"] == alert
    ]


def test_the_rules_are_valid() -> None:
    told = promtool("check", "rules", "--lint=all", "--lint-fatal", str(DEPLOYED / "rules.yaml"))
    assert f"{len(_rules())} rules found" in told


def test_the_configuration_is_valid_and_loads_the_rules() -> None:
    told = promtool("check", "config", "--lint=all", str(DEPLOYED / "prometheus.yaml"))
    assert "1 rule files found" in told


def test_each_alert_fires_when_it_should_and_only_then() -> None:
    promtool("test", "rules", str(DEPLOYED / "rules_test.yaml"))


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_is_tested_firing_and_silent(alert: str) -> None:
    assert set(_cases(alert)) == {True, False}


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_has_its_severity_its_texts_and_some_patience(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in SEVERITIES
    assert set(rule["annotations"]) == ANNOTATIONS
    assert re.fullmatch(r"\d+m", rule["for"])


def test_an_alert_has_a_section_of_the_runbooks_and_each_section_an_alert() -> None:
    sections = re.findall(r"^## (\w+)$", RUNBOOKS.read_text(), re.MULTILINE)
    assert sections == list(ALERTS)
    for alert, rule in ALERTS.items():
        # An anchor is the heading in small letters.
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks.md#{alert.lower()}"


def test_each_section_of_the_runbooks_says_the_same_five_things() -> None:
    told = re.findall(r"^- \*\*([\w ]+):\*\*", RUNBOOKS.read_text(), re.MULTILINE)
    assert told == ["Means", "Users see", "Look", "Do", "Harmless when"] * len(ALERTS)


def test_links_between_runbooks_lead_to_sections() -> None:
    anchors = set(re.findall(r"\]\(#(\w+)\)", RUNBOOKS.read_text()))
    assert anchors
    assert anchors <= {alert.lower() for alert in ALERTS}


def test_rules_and_runbooks_ask_for_metrics_that_exist() -> None:
    for name, rule in (ALERTS | RECORDED).items():
        names = set(re.findall(r"[\w:]*streamfit_[\w:]+", rule["expr"]))
        assert names - _known_names() <= set(RECORDED), name
    asked = set(re.findall(r"\bstreamfit_\w+", RUNBOOKS.read_text()))
    assert asked <= _known_names()


def test_no_rule_names_a_job_and_each_keeps_jobs_apart() -> None:
    for name, rule in (ALERTS | RECORDED).items():
        assert not re.search(r"\bjob *[=!]", rule["expr"]), name
        assert not re.search(r"\b(?:sum|max|min|group) *\((?!by)", rule["expr"]), name
        by = re.findall(r"\bby \(([^)]*)\)", rule["expr"])
        assert all(labels.split(", ")[0] == "job" for labels in by), name
