"""Decimal numbers to float64, against Python's own reading, bit for bit."""

import math
import struct
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from learners.decimals import nearest

_MOST_MANTISSA = 2**64 - 1


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """Compile before the first example is timed."""
    nearest(np.uint64(1), 0)


def bits(value: float) -> bytes:
    return struct.pack("d", value)


def is_normal(value: float) -> bool:
    return sys.float_info.min <= abs(value) <= sys.float_info.max


def check(mantissa: int, power: int) -> None:
    """Compare with what Python reads; not sure may it be only where the number is not normal."""
    given = nearest(np.uint64(mantissa), power)
    expected = float(f"{mantissa}e{power}")
    if math.isnan(given):
        assert not is_normal(expected)
    else:
        assert bits(given) == bits(expected)


@given(st.integers(0, _MOST_MANTISSA), st.integers(-400, 400))
@example(0, 0)
@example(0, 500)
@example(2**53, 22)
@example(2**53, -22)
@example(2**53 + 1, 0)
@example(17976931348623157, 292)
@example(17976931348623159, 292)
@example(22250738585072014, -324)
@example(22250738585072011, -324)
@example(9007199254740993, 0)
@example(9007199254740995, 0)
@example(5, -324)
def test_what_is_sure_is_the_nearest_float(mantissa: int, power: int) -> None:
    check(mantissa, power)


@given(st.floats(min_value=0, allow_infinity=False), st.integers(1, 19))
def test_floats_written_with_some_digits_are_read_as_python_reads_them(
    value: float, n_digits: int
) -> None:
    digits, _, power = f"{value:.{n_digits - 1}e}".partition("e")
    check(int(digits.replace(".", "")), int(power) - n_digits + 1)


def test_many_random_decimals_are_the_nearest_float() -> None:
    random = np.random.default_rng(0)
    widths = random.integers(1, 64, 20_000)
    powers = random.integers(-60, 60, 20_000)
    for width, power in zip(widths.tolist(), powers.tolist(), strict=True):
        check(int(random.integers(0, 2**width)), power)


@given(st.integers(2**52, 2**53 - 1), st.integers(0, 10), st.integers(-1, 1))
def test_halfway_between_two_floats_it_is_the_even_one(
    mantissa: int, shift: int, beside: int
) -> None:
    between = ((2 * mantissa + 1) << shift) + beside
    check(between, 0)


@given(st.integers(2**53, 2**54 - 1), st.integers(-4, 23))
def test_halfway_with_a_power_of_ten_it_is_the_even_one(between: int, power: int) -> None:
    # An odd number of 54 bits, as a mantissa times a power of five; powers of two change nothing.
    odd = between // 5**power | 1 if power >= 0 else (between | 1) * 5**-power
    if odd <= _MOST_MANTISSA:
        check(odd, power)


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_the_decimals_nearest_to_halfway_between_two_floats_are_told_apart(value: float) -> None:
    halfway = (Fraction(value) + Fraction(math.nextafter(value, math.inf))) / 2
    power = math.floor(math.log10(value)) - 18
    near = math.floor(halfway / Fraction(10) ** power)
    for mantissa in (near - 1, near, near + 1):
        if mantissa <= _MOST_MANTISSA:
            check(mantissa, power)


@pytest.mark.parametrize(("mantissa", "power"), [(1, 309), (1, -343), (1, 10**9), (2, 308)])
def test_what_is_no_normal_number_is_not_sure(mantissa: int, power: int) -> None:
    assert math.isnan(nearest(np.uint64(mantissa), power))
