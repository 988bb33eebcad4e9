"""The warm-up learns with whatever model there is, and only with the one it was given."""

import pytest

from consumers.loop.warmup import warm_up
from consumers.settings import from_tables
from consumers.wiring import learning_of
from tests.settings_tables import REMOVED, tables

NO_LABEL = {"schema.label": REMOVED, "schema.classes": REMOVED}
MODELS = {
    "compiled": {"model.steps": [{"use": "StandardScaler"}, {"use": "SGDClassifier"}]},
    "general": {"model.steps": [{"use": "GaussianNB"}]},
    "in strides": {"model.steps": [{"use": "GaussianNB"}], "learning.stride": 2},
    "three classes": {"schema.classes": ["a", "b", "c"]},
    "numbers": {"model.steps": [{"use": "SGDRegressor"}], "schema.classes": REMOVED},
    "clusters": {**NO_LABEL, "model.steps": [{"use": "MiniBatchKMeans", "n_clusters": 5}]},
    "one-class": {**NO_LABEL, "model.steps": [{"use": "SGDOneClassSVM"}]},
}


@pytest.mark.parametrize("changes", MODELS.values(), ids=MODELS.keys())
def test_any_model_can_be_warmed_up(changes: dict[str, object]) -> None:
    settings = from_tables(tables(changes))
    thrown_away, kept = learning_of(settings), learning_of(settings)
    before = kept.snapshot().state
    warm_up(thrown_away, 2)
    assert thrown_away.learner.model_version == 3
    assert kept.snapshot().state == before
    assert kept.learner.model_version == 0
