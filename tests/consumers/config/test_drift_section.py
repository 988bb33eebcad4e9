"""The table [drift]: which detectors, with which parameters, and what is refused."""

import subprocess
import sys
from typing import Any

import pytest

from consumers.errors import SettingsError
from consumers.settings import Settings, from_tables
from consumers.wiring import drift_of, learning_of
from learners.learner import Task
from tests.settings_tables import REMOVED, tables


def settings_of(*overrides: str, **drift: Any) -> Settings:
    return from_tables(tables({"drift": drift}), overrides)


def found(settings: Settings, task: Task = Task.CLASSIFICATION) -> dict[str, dict[str, Any]]:
    return {spec.name: dict(spec.params) for spec in drift_of(settings, task)}


def test_adwin_watches_if_nothing_is_said() -> None:
    assert list(found(from_tables(tables()))) == ["adwin"]
    assert list(found(from_tables(tables()), Task.REGRESSION)) == ["adwin"]


def test_nothing_watches_where_none_is_said_or_there_are_no_labels() -> None:
    assert found(settings_of(detector="none")) == {}
    assert found(settings_of(detector="none"), Task.UNSUPERVISED) == {}
    assert found(from_tables(tables()), Task.UNSUPERVISED) == {}


def test_parameters_of_the_one_detector_stand_beside_it() -> None:
    assert found(settings_of(delta=0.1))["adwin"]["delta"] == 0.1
    assert found(settings_of(detector="ddm", warm_start=7))["ddm"]["warm_start"] == 7
    assert found(settings_of(adwin={"delta": 0.1}))["adwin"]["delta"] == 0.1


def test_of_several_detectors_each_has_a_table_of_its_name() -> None:
    specs = found(settings_of(detector=["adwin", "page_hinkley"], adwin={"delta": 0.1}))
    assert list(specs) == ["adwin", "page_hinkley"]
    assert (specs["adwin"]["delta"], specs["page_hinkley"]["delta"]) == (0.1, 0.005)


def test_detectors_and_parameters_can_be_set_by_environment_and_command_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STREAMFIT_DRIFT__DELTA", "0.01")
    assert found(settings_of())["adwin"]["delta"] == 0.01
    assert (
        found(settings_of("drift.clock=8"))["adwin"]
        == found(settings_of(delta=0.01, clock=8))["adwin"]
    )
    monkeypatch.setenv("STREAMFIT_DRIFT__DETECTOR", "page_hinkley")
    assert list(found(settings_of())) == ["page_hinkley"]
    monkeypatch.delenv("STREAMFIT_DRIFT__DELTA")
    monkeypatch.setenv("STREAMFIT_DRIFT__DETECTOR", '["ddm", "eddm"]')
    assert list(found(settings_of())) == ["ddm", "eddm"]
    assert list(found(settings_of('drift.detector=["hddm_a"]'))) == ["hddm_a"]


@pytest.mark.parametrize(
    ("drift", "told"),
    [
        ({"detector": "admin"}, "drift.detector = 'admin': 'admin' is no drift detector; choose"),
        ({"detector": ["ddm", "ddm"]}, "drift.detector = .*: names one twice; name each once"),
        ({"detector": 3}, "drift.detector = 3: "),
        ({"detector": {"use": "ddm"}}, "drift.detector: "),
    ],
)
def test_what_is_no_detector_is_refused_when_the_settings_are_read(
    drift: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingsError, match=told):
        settings_of(**drift)


@pytest.mark.parametrize(
    ("drift", "told"),
    [
        ({"delta": 2}, "drift.delta = 2: no value for adwin; write a number above 0 and below 1"),
        ({"threshold": 2}, "drift.threshold = 2: adwin has no such parameter; it has delta, "),
        ({"detector": "none", "delta": 0.1}, "drift.delta = 0.1: drift.detector names 0 .*remove"),
        ({"detector": ["adwin", "ddm"], "delta": 0.1}, r"names 2 detectors; .* \[drift.adwin\]"),
        ({"adwin": 0.1}, r"drift.adwin = 0.1: not a table; write its parameters into \[drift.adw"),
        ({"ddm": {"warm_start": 3}}, "drift.ddm = .*: not among drift.detector; name it there"),
        ({"adwin": {"delta": 2}}, "drift.adwin.delta = 2: no value"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_learns(
    drift: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingsError, match=told):
        learning_of(settings_of(**drift))


@pytest.mark.parametrize("name", ["ddm", "eddm", "hddm_a", "hddm_w"])
def test_a_model_of_numbers_cannot_be_watched_by_what_counts_mistakes(name: str) -> None:
    told = f"drift.detector = '{name}': watches right and wrong, .*; write 'adwin' or 'page_hink"
    with pytest.raises(SettingsError, match=told):
        found(settings_of(detector=name), Task.REGRESSION)


def test_a_model_without_labels_cannot_be_watched_at_all() -> None:
    with pytest.raises(SettingsError, match=r"drift.detector = 'adwin': this model takes no label"):
        found(settings_of(detector="adwin"), Task.UNSUPERVISED)


@pytest.mark.parametrize("model", ["SGDRegressor", "MiniBatchKMeans"])
def test_any_kind_of_model_learns_under_the_default(model: str) -> None:
    changes: dict[str, Any] = {"model.steps": [{"use": model}], "schema.classes": REMOVED}
    learning = learning_of(from_tables(tables(changes)))
    watched = model == "SGDRegressor"
    assert bool(learning.drift.snapshot()) is watched


def test_the_detectors_do_not_decide_what_a_model_means() -> None:
    assert settings_of(detector="ddm").meaning_hash() == settings_of().meaning_hash()


def test_settings_are_checked_without_paying_for_river() -> None:
    script = (
        "import sys; from consumers.settings import from_tables; from consumers.wiring import "
        "drift_of; from learners.learner import Task; from tests.settings_tables import tables; "
        "drift_of(from_tables(tables({'drift.delta': 0.1})), Task.CLASSIFICATION); "
        "sys.exit('river' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
