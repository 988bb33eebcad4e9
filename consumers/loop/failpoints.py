"""Named places at which tests let the process die; they do nothing unless a plan says so.

The plan comes from the environment, by the settings: `learned:3=kill` kills the process when it
has learned its third batch. Several are joined by commas.
"""

import os
import re
import signal
from collections import Counter
from collections.abc import Callable

from consumers.errors import SettingsError

NAMES = (
    *("assigned", "consumed", "decoded", "learned", "predicted"),
    *("flushed", "saving", "saved", "offsets_sent", "committed", "gc"),
)
_ACTIONS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_PLAN = re.compile(r"(?P<name>\w+):(?P<time>[1-9]\d*)=(?P<action>\w+)")

Reach = Callable[[str], None]


def nothing(_: str) -> None:
    """Go on."""


class Failpoints:
    """Counts how often each place is reached, and sends this process the planned signal there.

    Parameters
    ----------
    plan : str
        `<name>:<nth time>=<kill or stop>`, joined by commas.

    Raises
    ------
    SettingsError
        If the plan names no such place or action.
    """

    def __init__(self, plan: str) -> None:
        self._plan = dict(_parsed(item) for item in plan.split(","))
        self._reached: Counter[str] = Counter()

    def __call__(self, name: str) -> None:
        """Reach a place."""
        self._reached[name] += 1
        action = self._plan.get((name, self._reached[name]))
        if action is not None:
            os.kill(os.getpid(), action)


def failpoints(plan: str) -> Reach:
    """Give what to call at each place; for an empty plan something that costs nothing."""
    return Failpoints(plan) if plan else nothing


def _parsed(item: str) -> tuple[tuple[str, int], signal.Signals]:
    found = _PLAN.fullmatch(item.strip())
    if found is None or found["name"] not in NAMES or found["action"] not in _ACTIONS:
        raise SettingsError(
            f"STREAMFIT_FAILPOINT: {item!r} is no failpoint; write <name>:<n>=<action> with a name "
            f"of {', '.join(NAMES)} and an action of {', '.join(_ACTIONS)}"
        )
    return (found["name"], int(found["time"])), _ACTIONS[found["action"]]
