"""The table `[drift]`: which detectors watch the errors of the model, and their parameters."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

from learners.drift.catalogue import (
    DEFAULT,
    NAMES,
    DetectorSpec,
    DetectorSpecError,
    require_fit,
    spec_of,
)
from learners.learner import Task

NONE = "none"


def _as_list(value: object) -> object:
    return [] if value == NONE else [value] if isinstance(value, str) else value


def _known(names: list[str]) -> list[str]:
    for name in names:
        if name not in NAMES:
            raise PydanticCustomError(
                "detector",
                "{name} is no drift detector; choose of {choices}, or 'none'",
                {"name": repr(name), "choices": ", ".join(NAMES)},
            )
    if len(set(names)) < len(names):
        raise PydanticCustomError("detector", "names one twice; name each once")
    return names


class DriftSection(BaseModel):
    """What watches the prequential errors; all other keys are parameters by River's names.

    They are those of the one detector; where there are several, each has its own in a table of
    its name: `[drift.adwin]`.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    # One name or several; the environment needs both kinds to be told apart from JSON.
    detector: Annotated[list[str] | str, BeforeValidator(_as_list), AfterValidator(_known)] = [
        DEFAULT
    ]
    """One detector of River, several, or `"none"`: `adwin`, `ddm`, `eddm`, `hddm_a`, `hddm_w` or
    `page_hinkley`. They watch the errors of the model; an alarm is logged and counted, and changes
    nothing.
    """

    @property
    def names(self) -> list[str]:
        """Names of the detectors; none for `"none"`."""
        return list(self.detector)

    def specs(self, task: Task) -> tuple[DetectorSpec, ...]:
        """Give the detectors that are to watch a model.

        A model without labels has none, if none was asked for.

        Raises
        ------
        DetectorSpecError
            If one cannot watch such a model, or is given what it cannot have.
        """
        if task is Task.UNSUPERVISED and not self.model_fields_set:
            return ()
        for name in self.names:
            require_fit(name, task)
        return tuple(
            spec_of(name, given, key) for name, (key, given) in self._by_detector().items()
        )

    def _by_detector(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Give each detector where its parameters stand, and those that are given."""
        found: dict[str, tuple[str, dict[str, Any]]] = {n: ("drift", {}) for n in self.names}
        given = self.__pydantic_extra__ or {}
        for name in sorted(given.keys() & set(NAMES)):
            found[name] = f"drift.{name}", _table(name, given[name], self.names)
        for key in sorted(given.keys() - set(NAMES)):
            found[self._only(key, given[key])][1][key] = given[key]
        return found

    def _only(self, key: str, value: object) -> str:
        if len(self.names) == 1:
            return self.names[0]
        mend = "put it into the table of one, such as [drift.adwin]"
        if not self.names:
            mend = "remove it, or set drift.detector"
        problem = f"drift.detector names {len(self.names)} detectors"
        raise DetectorSpecError(f"drift.{key}", value, problem, mend)


def _table(name: str, table: object, chosen: list[str]) -> dict[str, Any]:
    if not isinstance(table, Mapping):
        raise DetectorSpecError(
            f"drift.{name}", table, "not a table", f"write its parameters into [drift.{name}]"
        )
    if name not in chosen:
        raise DetectorSpecError(
            f"drift.{name}", dict(table), "not among drift.detector", "name it there, or remove it"
        )
    return dict(table)
