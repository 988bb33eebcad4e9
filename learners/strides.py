"""Updates of the predictor by strides, and the row to blame where one fails.

What holds for the guard: with stride 1 a row is judged by the model as it is right after that row,
whatever the batches. With a longer stride the rows of an open stride are tried on a copy of the
model at the end of each batch, before any prediction of that batch is used, and the first row
with which the stride's beginning fails is guilty. So a guilty row never is one whose prediction
is out already. Batch cuts can matter in one case only: a weight that passes the limit and comes
back below it within one stride may go unseen in a larger batch. Non-finite numbers never come back.
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learners.guard import Guard
from learners.learner import Task
from learners.rows import stacked, stored
from learners.scikit_rows import ROW_ERRORS, is_within, learn
from learners.state import ModelState


@dataclass(frozen=True, slots=True)
class OpenStride:
    """The rows that a predictor has yet to learn; they are kept in the learner's state.

    Attributes
    ----------
    state : ModelState
        Changed by `close`.
    classes : ndarray of shape (n_classes,) or None
        All classes, sorted.
    task : Task
        Without labels, the predictor gets none.
    guard : Guard
        Limit on the weights.
    """

    state: ModelState
    classes: NDArray[Any] | None
    task: Task
    guard: Guard

    def is_full(self) -> bool:
        """Tell whether it is time for an update."""
        due = self.state.model_version % self.state.stride == 0
        return due and len(self.state.open_labels) >= self._least_rows()

    def close(self) -> bool:
        """Update the predictor; if that fails, leave it as it was and return False.

        With a single row it may be left changed: the learner goes back before that row anyway.
        """
        state, steps = self.state, self.state.pipeline.steps
        before = deepcopy(steps[-1][1]) if len(state.open_labels) > 1 else None
        if self._learn(steps[-1][1], len(state.open_labels)):
            state.open_rows, state.open_labels = [], []
            return True
        if before is not None:
            steps[-1] = (steps[-1][0], before)
        return False

    def try_first(self, n_rows: int) -> bool:
        """Tell whether the predictor could learn so many of the rows; changes nothing."""
        if n_rows < self._least_rows():
            # They will be clusters themselves, and must not be found too large only then.
            numbers = stored(stacked(self.state.open_rows[:n_rows]))
            return bool(np.abs(numbers).max(initial=0.0) <= self.guard.max_weight)
        return self._learn(deepcopy(self.state.pipeline[-1]), n_rows)

    def first_guilty(self, origin: list[int]) -> int:
        """Bisect for the row with which the stride's beginning first fails.

        Parameters
        ----------
        origin : list of int
            Where each row of the stride stands in the batch; negative for those of earlier
            batches, which have been tried.

        Returns
        -------
        int
            Where the guilty row stands.
        """
        good, bad = sum(row < 0 for row in origin), len(origin)
        while bad - good > 1:
            middle = (good + bad) // 2
            good, bad = (middle, bad) if self.try_first(middle) else (good, middle)
        return origin[bad - 1]

    def _least_rows(self) -> int:
        """Rows that the next update needs: MiniBatchKMeans starts from one for each cluster."""
        model = self.state.pipeline[-1]
        return 1 if self.state.started else int(getattr(model, "n_clusters", 1))

    def _learn(self, model: Any, n_rows: int) -> bool:
        Z = stacked(self.state.open_rows[:n_rows])
        y: NDArray[Any] | None = np.array(self.state.open_labels[:n_rows])
        if self.task is Task.UNSUPERVISED:
            y = None
        elif self.classes is not None:
            y = self.classes[y]
        try:
            learn(model, Z, y, self.classes)
        except ROW_ERRORS:
            return False
        return is_within(model, self.guard.max_weight)
