"""What holds floods of the log back, and tells of them afterwards."""

import logging

from consumers.views.rate_limit import RateLimit


def record(
    second: float, line: int = 1, name: str = "streamfit.kafka", text: str = "text"
) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.WARNING, "file.py", line, text, (), None)
    made.created = second
    return made


def test_a_place_may_say_a_few_lines_a_second_and_goes_on_in_the_next() -> None:
    limit = RateLimit()
    shown = [limit.filter(record(100 + i / 100, text="x" * i)) for i in range(20)]
    assert shown == [True] * 5 + [False] * 15
    assert limit.filter(record(101.0, text="other"))


def test_the_same_words_come_once_in_ten_seconds_whatever_the_numbers_in_them() -> None:
    limit = RateLimit()
    shown = [limit.filter(record(100.0 + i, text=f"refused after {i} ms")) for i in range(20)]
    assert [i for i, each in enumerate(shown) if each] == [0, 10]


def test_a_flood_in_one_place_hides_nothing_of_another() -> None:
    limit = RateLimit()
    for i in range(20):
        limit.filter(record(100.0, text="x" * i))
    assert limit.filter(record(100.0, line=2))
    assert limit.filter(record(100.0, name="streamfit.runner"))


def test_lines_left_out_are_counted_and_told_when_they_may_come_again() -> None:
    limit = RateLimit()
    for i in range(8):
        limit.filter(record(100.0 + i, text=f"refused after {i} ms"))
    assert limit.over(109.9) == []
    (told,) = limit.over(110.0)
    assert told.getMessage() == "7 lines like this were left out: refused after 1 ms"
    assert told.__dict__["event"] == "lines_left_out"
    assert told.__dict__["fields"] == {"count": 7, "like": None}
    assert (told.name, told.levelno) == ("streamfit.kafka", logging.WARNING)
    assert limit.over(1e9) == []


def test_lines_of_a_flood_are_counted_by_their_place_until_the_next_second() -> None:
    limit = RateLimit()
    for i in range(20):
        limit.filter(record(100.5, text="x" * i))
    assert limit.over(100.9) == []
    (told,) = limit.over(101.0)
    assert told.__dict__["fields"]["count"] == 15


def test_a_line_like_one_left_out_is_told_in_short() -> None:
    limit = RateLimit()
    for _ in range(2):
        limit.filter(record(100.0, text="stack " * 1000))
    (told,) = limit.over(float("inf"))
    assert told.getMessage().startswith("1 line like this was left out: stack ")
    assert len(told.getMessage()) < 300


def test_a_clock_that_is_put_back_mutes_no_warning_and_hides_no_count() -> None:
    limit = RateLimit()
    assert [limit.filter(record(10_000.0 + i)) for i in range(3)] == [True, False, False]
    (told,) = limit.over(6_400.0)
    assert told.__dict__["fields"]["count"] == 2
    shown = [limit.filter(record(6_400.0 + i)) for i in range(12)]
    assert [i for i, each in enumerate(shown) if each] == [0, 10]


def test_a_flood_is_told_of_though_the_clock_is_put_back() -> None:
    limit = RateLimit()
    for i in range(20):
        limit.filter(record(10_000.5, text="x" * i))
    (told,) = limit.over(6_400.0)
    assert told.__dict__["fields"]["count"] == 15
