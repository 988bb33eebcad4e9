"""How a course of numbers is kept for an hour, in memory that does not grow."""

import numpy as np

from metrics.status.course import LONGEST_STEP_S, ROWS, Course


def run(course: Course, seconds: int, every_s: float = 0.25) -> None:
    for now_s in np.arange(0, seconds, every_s).tolist():
        course.add(now_s, (now_s,))


def test_a_young_course_has_a_row_each_second() -> None:
    course = Course(1)
    run(course, 60)
    assert course.since()[:, 0].tolist() == list(range(60))


def test_a_course_of_hours_spans_the_last_hour_or_nearly_with_rows_evenly_apart() -> None:
    course = Course(1)
    run(course, 5 * 3600, every_s=1)
    times = course.since()[:, 0]
    assert len(times) == ROWS
    assert times[-1] - times[0] > 3600
    assert times[-1] > 5 * 3600 - 2 * LONGEST_STEP_S
    assert set(np.diff(times)) == {LONGEST_STEP_S}


def test_rows_never_cross_and_hold_what_was_told_at_their_time() -> None:
    course = Course(1, rows=10)
    for seconds in range(1, 300, 7):
        run_on = np.arange(seconds, seconds + 7)
        for now_s in run_on.tolist():
            course.add(now_s, (now_s * 2,))
        rows = course.since()
        assert (np.diff(rows[:, 0]) > 0).all()
        assert (rows[:, 1] == rows[:, 0] * 2).all()


def test_only_rows_after_a_time_are_given() -> None:
    course = Course(1)
    run(course, 10)
    assert course.since(7.0)[:, 0].tolist() == [8, 9]
    assert course.since(9.0).shape == (0, 2)


def test_what_is_given_does_not_change_later() -> None:
    course = Course(1, rows=4)
    run(course, 4, every_s=1)
    given = course.since()
    run(course, 40, every_s=1)
    assert given[:, 0].tolist() == [0, 1, 2, 3]
