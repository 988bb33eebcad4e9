"""A model as the settings describe it, and the error that says what is wrong with it.

What is allowed is decided in `learners.pipeline` and `learners.parameters`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class ModelSpecError(ValueError):
    """A model in the settings that cannot be built or cannot learn from a stream.

    Attributes
    ----------
    key : str
        Where it stands in the settings, such as `model.steps[1].loss`.
    value : Any
        What stands there.
    problem : str
        What is wrong with it.
    mend : str
        What to write instead.
    """

    def __init__(self, key: str, value: Any, problem: str, mend: str) -> None:
        super().__init__(f"{key} = {value!r}: {problem}; {mend}")
        self.key = key
        self.value = value
        self.problem = problem
        self.mend = mend


@dataclass(frozen=True)
class StepSpec:
    """One step of a pipeline, as the settings give it.

    Attributes
    ----------
    use : str
        Name of a scikit-learn class, without its module.
    params : mapping of str to Any
        Its parameters; the others keep scikit-learn's defaults.
    """

    use: str
    params: Mapping[str, Any]
