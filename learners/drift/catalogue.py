"""Which drift detectors there are, what they watch, and what their parameters may be.

Nothing of River is imported here, so that settings can be checked without paying for it; it is
imported where a detector is made, in `learners.drift.detectors`. Names and defaults are River's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from learners.drift.parameters import Parameter, Value, choice, count, ratio, share, size, switch
from learners.learner import Task
from learners.model_spec import ModelSpecError


class DetectorSpecError(ModelSpecError):
    """A drift detector in the settings that does not exist or cannot watch this model."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of detector.

    Attributes
    ----------
    module, cls : str
        Where River has it.
    parameters : mapping of str to Parameter
        All that River's constructor takes.
    takes_numbers : bool
        Whether it watches a mean of any numbers; else errors have to be yes or no.
    ordered : tuple of str
        Two parameters of which the first must not be above the second, if there are any.
    """

    module: str
    cls: str
    parameters: Mapping[str, Parameter]
    takes_numbers: bool = False
    ordered: tuple[str, str] | tuple[()] = ()


_HDDM = {
    "drift_confidence": share(0.001),
    "warning_confidence": share(0.005),
    "two_sided_test": switch(),
}
KINDS: Mapping[str, Kind] = {
    "adwin": Kind(
        "river.drift.adwin",
        "ADWIN",
        {
            "delta": share(0.002),
            "clock": count(32),
            "max_buckets": count(5),
            "min_window_length": count(5),
            "grace_period": count(10, least=0),
        },
        takes_numbers=True,
    ),
    "ddm": Kind(
        "river.drift.binary.ddm",
        "DDM",
        {
            "warm_start": count(30, least=0),
            "warning_threshold": size(2.0),
            "drift_threshold": size(3.0),
        },
    ),
    "eddm": Kind(
        "river.drift.binary.eddm",
        "EDDM",
        {"warm_start": count(30, least=0), "alpha": ratio(0.95), "beta": ratio(0.9)},
        ordered=("beta", "alpha"),
    ),
    "hddm_a": Kind("river.drift.binary.hddm_a", "HDDMA", _HDDM),
    "hddm_w": Kind("river.drift.binary.hddm_w", "HDDMW", {**_HDDM, "lambda_val": share(0.05)}),
    "page_hinkley": Kind(
        "river.drift.page_hinkley",
        "PageHinkley",
        {
            "min_instances": count(30, least=0),
            "delta": size(0.005),
            "threshold": size(50.0),
            "alpha": ratio(1 - 0.0001),
            "mode": choice("both", "up", "down"),
        },
        takes_numbers=True,
    ),
}
NAMES = tuple(KINDS)
DEFAULT = "adwin"


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """A detector as the settings ask for it.

    Attributes
    ----------
    name : str
        One of `NAMES`.
    params : mapping of str to bool, int, float or str
        All of its parameters, defaults filled in.
    """

    name: str
    params: Mapping[str, Value] = field(default_factory=dict)


def spec_of(name: str, given: Mapping[str, object], key: str = "drift") -> DetectorSpec:
    """Check what the settings say of one detector.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    given : mapping of str to object
        Parameters by River's names; the others keep River's defaults.
    key : str
        Where they stand in the settings, for the error.

    Raises
    ------
    DetectorSpecError
        If it has no such parameter, or a value is none that it may have.

    Examples
    --------
    >>> spec_of("ddm", {"warm_start": 50}).params
    {'warm_start': 50, 'warning_threshold': 2.0, 'drift_threshold': 3.0}
    """
    kind = KINDS[name]
    params = {parameter: each.default for parameter, each in kind.parameters.items()}
    for parameter, value in given.items():
        params[parameter] = _checked(kind, name, parameter, value, f"{key}.{parameter}")
    if kind.ordered:
        low, high = kind.ordered
        if params[low] > params[high]:  # type: ignore[operator]  # of one type, as both were read
            problem = f"above {high} = {params[high]!r}"
            raise DetectorSpecError(
                f"{key}.{low}", params[low], problem, f"lower it, or raise {high}"
            )
    return DetectorSpec(name, params)


def _checked(kind: Kind, name: str, parameter: str, value: object, key: str) -> Value:
    if parameter not in kind.parameters:
        known = ", ".join(kind.parameters)
        raise DetectorSpecError(key, value, f"{name} has no such parameter", f"it has {known}")
    found = kind.parameters[parameter].read(value)
    if found is None:
        told = kind.parameters[parameter].told
        raise DetectorSpecError(key, value, f"no value for {name}", f"write {told}")
    return found


def require_fit(name: str, task: Task, key: str = "drift.detector") -> None:
    """Refuse a detector that cannot watch a model.

    Raises
    ------
    DetectorSpecError
        If the model takes no labels, so that nothing says what is an error; or if it predicts
        numbers and the detector wants to know of right and wrong.
    """
    if task is Task.UNSUPERVISED:
        raise DetectorSpecError(
            key, name, "this model takes no labels, so it has no errors to watch", "write 'none'"
        )
    if task is Task.REGRESSION and not KINDS[name].takes_numbers:
        able = " or ".join(repr(each) for each in NAMES if KINDS[each].takes_numbers)
        raise DetectorSpecError(
            key, name, "watches right and wrong, and this model predicts numbers", f"write {able}"
        )
