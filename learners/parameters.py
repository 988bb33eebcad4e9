"""The parameters of one step: from the settings' values to scikit-learn's, checked.

Which estimators there are is in `learners.pipeline`.
"""

import re
from difflib import get_close_matches
from typing import Any

from sklearn.utils._param_validation import InvalidParameterError

from learners.model_spec import ModelSpecError, StepSpec

# Pinned because results must not depend on how rows are cut, and the only values that keep it so.
_PINNED = {
    "shuffle": (False, "rows are learned in the order of the stream"),
    "early_stopping": (False, "it needs a data set that is held back"),
    "reassignment_ratio": (0, "rare clusters would be thrown away row by row"),
}


def python_params(cls: Any, key: str, step: StepSpec) -> dict[str, Any]:
    """Give the parameters of a step as Python values, with the pinned ones filled in.

    Parameters
    ----------
    cls : type
        The scikit-learn class.
    key : str
        Where the step stands in the settings.
    step : StepSpec
        As the settings give it.

    Returns
    -------
    dict of str to Any
        What its constructor takes.

    Raises
    ------
    ModelSpecError
        If a parameter is unknown, or has a value that a stream cannot have.
    """
    names = _names(cls)
    for name, value in step.params.items():
        if name not in names:
            close = get_close_matches(name, names, n=1, cutoff=0.5)
            mend = f"did you mean {close[0]}?" if close else f"it takes {', '.join(names)}"
            raise ModelSpecError(f"{key}.{name}", value, f"{step.use} has no such parameter", mend)
        if name in _PINNED and value != _PINNED[name][0]:
            kept, reason = _PINNED[name]
            mend = f"leave it out (it is then {kept})"
            raise ModelSpecError(f"{key}.{name}", value, f"is not possible, {reason}", mend)
    params = {name: _as_python(cls, name, value) for name, value in step.params.items()}
    _refuse_values(key, params)
    return _with_defaults(cls, params)


def _refuse_values(key: str, params: dict[str, Any]) -> None:
    if params.get("class_weight") == "balanced":
        mend = "give the weights as a table of class to weight, or leave it out"
        problem = "needs the whole data set"
        raise ModelSpecError(f"{key}.class_weight", "balanced", problem, mend)
    if "random_state" in params and params["random_state"] is None:
        problem = "a restart could not go on bit for bit"
        mend = "give a whole number, or leave it out (it is then 0)"
        raise ModelSpecError(f"{key}.random_state", None, problem, mend)


def _as_python(cls: Any, name: str, value: Any) -> Any:
    """Turn what TOML can say into what scikit-learn takes: None and tuples."""
    constraints = getattr(cls, "_parameter_constraints", {}).get(name, [])
    if value == "none" and (None in constraints or name == "random_state"):
        return None
    if isinstance(value, list) and tuple in constraints:
        return tuple(value)
    return value


def _with_defaults(cls: Any, params: dict[str, Any]) -> dict[str, Any]:
    fixed = {"random_state": 0} | {name: value for name, (value, _) in _PINNED.items()}
    return {name: fixed[name] for name in _names(cls) if name in fixed} | params


def check_values(estimator: Any, key: str, step: StepSpec) -> None:
    """Let scikit-learn check the values of the parameters, and tell its finding in one line.

    Raises
    ------
    ModelSpecError
        Naming the parameter.
    """
    try:
        estimator._validate_params()  # noqa: SLF001 - its own check, else first seen in partial_fit
        # Rules between the parameters of the SGD family.
        more = getattr(estimator, "_more_validate_params", None)
        if more is not None:
            more(for_partial_fit=True)
    except ValueError as error:
        raise _spec_error(key, step, estimator, error) from error
    if step.use == "CategoricalNB" and estimator.min_categories is None:
        problem = "the number of categories cannot be known from the first rows"
        mend = "give the number of categories of each feature"
        raise ModelSpecError(f"{key}.min_categories", None, problem, mend)


def _spec_error(key: str, step: StepSpec, estimator: Any, error: ValueError) -> ModelSpecError:
    text = " ".join(str(error).split())
    found = re.match(r"The '(\w+)' parameter of \w+ must be (.*?)\.? Got .* instead\.$", text)
    if found and isinstance(error, InvalidParameterError):
        name, allowed = found.groups()
        # scikit-learn lists a set in no order; sorted, so that the line is always the same.
        allowed = re.sub(r"\{(.*?)\}", lambda m: ", ".join(sorted(m[1].split(", "))), allowed)
        return ModelSpecError(
            f"{key}.{name}", getattr(estimator, name), "is not allowed", f"it must be {allowed}"
        )
    # Rules between parameters name several: blame the one that is set, or the first of them.
    named = [name for name in _names(type(estimator)) if re.search(rf"\b{name}\b", text)]
    blamed = next((name for name in named if name in step.params), next(iter(named), "use"))
    value = step.use if blamed == "use" else getattr(estimator, blamed)
    mend = f"change it or {', '.join(n for n in named if n != blamed) or 'leave it out'}"
    return ModelSpecError(f"{key}.{blamed}", value, text.rstrip("."), mend)


def _names(cls: Any) -> list[str]:
    names: list[str] = cls._get_param_names()
    return names
