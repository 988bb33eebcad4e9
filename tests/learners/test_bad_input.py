"""The table of bad input, a test for each row: rows 1 to 19, what is decoded or not.

More cases of the same stand in `test_decoding`; the other rows in `test_bad_input_learned`.
"""

import pytest

from learners.rejections import Reason, SkipReason
from tests.refusals import GOOD, a, accepted, assert_same, decode, learned, raw, refused


def test_bad_input_1_half_an_event_none_or_two_in_one() -> None:
    assert refused(GOOD[0][:20], b"", GOOD[0] * 2) == [
        *(Reason.MALFORMED, Reason.EMPTY, Reason.MALFORMED)
    ]


def test_bad_input_2_nan_and_infinity() -> None:
    assert set(refused(a("NaN"), a("Infinity"), a("-Infinity"))) == {Reason.MALFORMED}


def test_bad_input_3_an_exponent_beyond_all_numbers() -> None:
    assert refused(a("1e999")) == [Reason.OUT_OF_RANGE]


def test_bad_input_4_a_large_integer_is_no_feature_and_as_an_id_keeps_its_digits() -> None:
    assert refused(a(str(2**70))) == [Reason.OUT_OF_RANGE]
    accepted(raw(name=str(2**70)))
    assert decode(raw(name=str(2**70))).batch.ids == [2**70]


def test_bad_input_5_an_integer_of_5000_digits() -> None:
    assert set(refused(a("9" * 5000), raw(name="9" * 5000))) == {Reason.OUT_OF_RANGE}


def test_bad_input_6_finite_numbers_beyond_the_bound_and_one_on_it() -> None:
    beyond = ("1e308", "1e30", "-1e155", "1.1e15")
    assert set(refused(*map(a, beyond))) == {Reason.OUT_OF_RANGE}
    accepted(a("1e15"))


def test_bad_input_7_denormals_and_minus_zero_are_numbers() -> None:
    accepted(a("5e-324"), a("-0.0"))


def test_bad_input_8_of_duplicate_keys_the_last_counts() -> None:
    assert decode(raw('{"a":1,"a":2,"b":3}')).batch.X.tolist() == [[2.0, 3.0]]


def test_bad_input_9_bytes_that_are_no_utf_8() -> None:
    assert refused(GOOD[0].replace(b"e0", b"\xff")) == [Reason.INVALID_UTF8]


def test_bad_input_10_a_byte_order_mark_and_utf_16() -> None:
    marked, wide = b"\xef\xbb\xbf" + GOOD[0], GOOD[0].decode().encode("utf-16")
    assert set(refused(marked, wide)) == {Reason.MALFORMED}


def test_bad_input_11_a_lone_surrogate() -> None:
    assert refused(raw(name=r'"\ud800"')) == [Reason.MALFORMED]


@pytest.mark.parametrize("depth", [1500, 100_000])
def test_bad_input_12_nesting(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    assert set(refused(nested.encode(), a(nested))) == {Reason.WRONG_TYPE}


def test_bad_input_13_a_root_that_is_no_object() -> None:
    assert set(refused(b"null", b"1", b'"x"', b"[1,2]", b"true")) == {Reason.WRONG_TYPE}


def test_bad_input_14_a_tombstone_is_skipped_and_is_no_dead_letter() -> None:
    decoded = decode(None, *GOOD, None)
    assert decoded.rejections == ()
    assert decoded.skipped == {SkipReason.TOMBSTONE: 2}
    assert_same(learned(decoded)[0], learned(decode(*GOOD))[0])


def test_bad_input_15_an_array_of_another_length() -> None:
    assert set(refused(raw("[1]"), raw("[1,2,3]"))) == {Reason.WRONG_LENGTH}


def test_bad_input_16_a_feature_that_is_missing_and_one_that_nobody_knows() -> None:
    missing, unknown = raw('{"a":1}'), raw('{"a":1,"b":2,"c":3}')
    assert refused(missing, unknown) == [Reason.MISSING_FIELD, Reason.UNKNOWN_FEATURE]


def test_bad_input_17_text_truth_and_nothing_for_a_number() -> None:
    assert set(refused(a('"1.5"'), a("true"), a("null"), raw("[1,null]"))) == {Reason.WRONG_TYPE}


def test_bad_input_18_a_class_that_is_not_declared() -> None:
    assert refused(raw(label='"sideways"')) == [Reason.UNKNOWN_LABEL]


def test_bad_input_19_a_label_of_another_kind() -> None:
    kinds = ("1.5", "1", "true", "1e30", "[]", "{}")
    assert set(refused(*(raw(label=kind) for kind in kinds))) == {Reason.WRONG_TYPE}
    assert refused(raw(label="NaN")) == [Reason.MALFORMED]
