"""Tables of a settings file for tests, small and valid."""

import copy
from typing import Any

TABLES: dict[str, Any] = {
    "kafka": {"bootstrap_servers": "localhost:9092"},
    "input": {"topic": "events", "group": "tests"},
    "schema": {"features": ["a", "b"], "id": "id", "label": "y", "classes": ["down", "up"]},
    "model": {"steps": [{"use": "StandardScaler"}, {"use": "SGDClassifier", "eta0": 0.01}]},
    "output": {"topic": "predictions"},
    "checkpoint": {"store": "file:///somewhere"},
}
REMOVED = object()


def tables(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """Give the tables with `section.key` set to other values, or to `REMOVED`."""
    result = copy.deepcopy(TABLES)
    for path, value in (changes or {}).items():
        section, _, key = path.partition(".")
        target = result.setdefault(section, {}) if key else result
        if value is REMOVED:
            del target[key or section]
        else:
            target[key or section] = value
    return result
