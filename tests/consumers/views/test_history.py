"""The history of a run: totals, rate, course of scores, checkpoints."""

import itertools
import threading
from dataclasses import replace

import pytest

from consumers.views.history import History, Measure
from metrics.facts import (
    Baseline,
    BatchFacts,
    DriftFacts,
    EpochFacts,
    RebalanceEvent,
    ScoreFacts,
    State,
    View,
)
from metrics.observer import Observer

BATCH = BatchFacts(
    consumed=10,
    decoded=9,
    learned=8,
    unlabelled=1,
    poisoned=0,
    predicted=9,
    rejected={("decode", "malformed"): 1},
    skipped={},
    dead_letters={"decode": 1},
    seconds={},
    latency_seconds=None,
    model_version=108,
    next_offsets={0: 10},
    lag={0: 5},
)
EPOCH = EpochFacts(True, 3, 0.0, {"flush": 0.1, "save": 0.2, "commit": 0.3}, 1000, {0: 10})


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def scores_at(scored: int, accuracy: float = 0.8) -> ScoreFacts:
    return ScoreFacts(
        scored=scored,
        correct=int(scored * accuracy),
        scores={View.WINDOW: {"accuracy": accuracy, "kappa_t": -0.25}},
        baselines={View.WINDOW: {Baseline.NO_CHANGE: 0.84, Baseline.MAJORITY: 0.5}},
    )


def test_totals_add_up_over_batches() -> None:
    history = History()
    observer: Observer = history
    observer.batch(BATCH)
    observer.batch(replace(BATCH, dead_letters={"decode": 1, "schema": 2}, model_version=116))
    moment = history.moment()
    assert (moment.consumed, moment.decoded, moment.learned, moment.predicted) == (20, 18, 16, 18)
    assert moment.dead_letters == {"decode": 2, "schema": 2}
    assert moment.model_version == 116


def test_changes_of_the_stream_are_counted_by_detector() -> None:
    history = History()
    history.batch(replace(BATCH, drifts=(DriftFacts("adwin", 100, 0, 7),)))
    history.batch(replace(BATCH, drifts=(DriftFacts("adwin", 1, 0, 8), DriftFacts("ddm", 1, 0, 8))))
    assert history.moment().drifts == {"adwin": 2, "ddm": 1}


def test_the_last_known_lag_of_each_partition_is_kept() -> None:
    history = History()
    history.batch(replace(BATCH, lag={0: 5, 1: 7}))
    history.batch(replace(BATCH, lag={0: 3}))
    assert history.moment().lag == {0: 3, 1: 7}


@pytest.mark.parametrize("event", [RebalanceEvent.REVOKED, RebalanceEvent.LOST])
def test_the_lag_of_a_partition_that_went_is_forgotten(event: RebalanceEvent) -> None:
    history = History()
    history.batch(replace(BATCH, lag={0: 5, 1: 7}))
    history.rebalance(event, [1, 2])
    assert history.moment().lag == {0: 5}


def test_the_lag_of_a_partition_that_came_is_kept() -> None:
    history = History()
    history.batch(BATCH)
    history.rebalance(RebalanceEvent.ASSIGNED, [0])
    assert history.moment().lag == {0: 5}


@pytest.mark.parametrize("apart_s", [0.01, 0.1, 0.3])
def test_events_per_second_are_those_of_a_steady_stream(apart_s: float) -> None:
    clock = Clock()
    history = History(clock)
    for _ in range(int(5 / apart_s)):
        clock.now_s += apart_s
        history.batch(replace(BATCH, consumed=int(1000 * apart_s)))
    assert history.moment().events_per_s == pytest.approx(1000, rel=0.06)


def test_events_per_second_follow_a_change_of_pace_within_seconds() -> None:
    clock = Clock()
    history = History(clock)
    for consumed in [100] * 50 + [10] * 30:
        clock.now_s += 0.1
        history.batch(replace(BATCH, consumed=consumed))
    assert history.moment().events_per_s == pytest.approx(100)


def test_events_per_second_fall_to_zero_when_nothing_comes() -> None:
    clock = Clock()
    history = History(clock)
    for _ in range(500):
        clock.now_s += 0.01
        history.batch(BATCH)
    clock.now_s += 3.0
    assert history.moment().events_per_s == 0.0


def test_events_per_second_after_a_pause_do_not_count_the_pause() -> None:
    clock = Clock()
    history = History(clock)
    history.batch(BATCH)
    clock.now_s += 3600.0
    history.batch(replace(BATCH, consumed=5000))
    assert history.moment().events_per_s >= 1000


def test_nothing_per_second_is_known_before_the_second_batch() -> None:
    history = History(Clock())
    assert history.moment().events_per_s == 0.0
    history.batch(BATCH)
    assert history.moment().events_per_s == 0.0


def test_the_course_holds_the_window_scores_as_they_were() -> None:
    history = History()
    history.scores(scores_at(100, 0.7))
    history.scores(scores_at(200, 0.8))
    course = history.moment().course
    assert [(p.scored, p.model) for p in course] == [(100, 0.7), (200, 0.8)]
    assert (course[0].no_change, course[0].simple, course[0].kappa_t) == (0.84, 0.5, -0.25)
    assert history.moment().measure is Measure.ACCURACY


def test_numbers_are_followed_by_mean_absolute_error_and_the_running_mean() -> None:
    history = History()
    history.scores(
        ScoreFacts(
            scored=5,
            correct=0,
            scores={View.WINDOW: {"mae": 2.5, "rmse": 3.0}},
            baselines={View.WINDOW: {Baseline.NO_CHANGE: 4.0, Baseline.RUNNING_MEAN: 6.0}},
        )
    )
    moment = history.moment()
    assert moment.measure is Measure.MAE
    point = moment.course[0]
    assert (point.model, point.no_change, point.simple, point.kappa_t) == (2.5, 4.0, 6.0, None)


@pytest.mark.parametrize(
    "facts",
    [
        ScoreFacts(0, 0, {}, {}),
        ScoreFacts(0, 0, {view: {} for view in View}, {view: {} for view in View}),
        ScoreFacts(1, 0, {View.WINDOW: {"mae": 1.0}}, {View.WINDOW: {Baseline.NO_CHANGE: 1.0}}),
        ScoreFacts(1, 0, {View.WINDOW: {"mae": 1.0}}, {}),
    ],
    ids=["no views", "no scores", "no running mean", "no baselines"],
)
def test_scores_that_are_not_defined_make_no_point_and_raise_nothing(facts: ScoreFacts) -> None:
    history = History()
    history.scores(facts)
    assert history.moment().course == ()
    assert history.moment().scores == facts


def test_the_course_stays_bounded_and_spans_the_whole_run() -> None:
    history = History(points=100)
    for scored in range(1, 10_001):
        history.scores(scores_at(scored))
    at = [point.scored for point in history.moment().course]
    assert 40 < len(at) <= 100
    assert (at[0], at[-1]) == (1, 10_000)
    gaps = [after - before for before, after in itertools.pairwise(at[:-1])]
    assert max(gaps) <= 4 * min(gaps)


def test_the_same_moment_told_twice_is_one_point() -> None:
    history = History()
    history.scores(scores_at(100, 0.7))
    history.scores(scores_at(100, 0.8))
    assert [(p.scored, p.model) for p in history.moment().course] == [(100, 0.8)]


def test_going_back_to_a_checkpoint_undoes_the_course_after_it() -> None:
    history = History()
    for scored in (100, 200, 300, 250):
        history.scores(scores_at(scored))
    assert [point.scored for point in history.moment().course] == [100, 200, 250]


def test_the_age_of_a_checkpoint_is_counted_from_when_it_was_told() -> None:
    clock = Clock()
    history = History(clock)
    assert history.moment().saved_age_s is None
    history.epoch(EPOCH)
    clock.now_s += 1.5
    moment = history.moment()
    assert (moment.saved, moment.saved_age_s) == (EPOCH, 1.5)


def test_a_failed_epoch_is_counted_and_leaves_the_last_good_one() -> None:
    history = History()
    history.epoch(EPOCH)
    history.epoch(replace(EPOCH, ok=False, epoch=4))
    history.epoch(replace(EPOCH, ok=False, epoch=4))
    assert (history.moment().saved, history.moment().failed_epochs) == (EPOCH, 2)
    history.epoch(replace(EPOCH, epoch=4))
    assert history.moment().failed_epochs == 0


def test_the_state_is_starting_until_another_is_told() -> None:
    history = History()
    assert history.moment().state is State.STARTING
    history.state(State.RUNNING)
    assert history.moment().state is State.RUNNING


def test_a_moment_does_not_change_after_it_was_given() -> None:
    history = History()
    history.batch(BATCH)
    history.scores(scores_at(100))
    before = history.moment()
    history.batch(replace(BATCH, lag={1: 1}, dead_letters={"schema": 1}))
    history.scores(scores_at(200))
    assert (before.consumed, before.lag, before.dead_letters) == (10, {0: 5}, {"decode": 1})
    assert len(before.course) == 1


def test_a_reader_in_another_thread_never_sees_half_a_batch() -> None:
    history, done = History(points=10), threading.Event()
    torn: list[tuple[int, int]] = []

    def read() -> None:
        while not done.is_set():
            moment = history.moment()
            if moment.consumed != moment.predicted + moment.dead_letters.get("decode", 0):
                torn.append((moment.consumed, moment.predicted))

    reader = threading.Thread(target=read)
    reader.start()
    for scored in range(3000):
        history.batch(BATCH)
        history.scores(scores_at(scored))
    done.set()
    reader.join()
    assert not torn
