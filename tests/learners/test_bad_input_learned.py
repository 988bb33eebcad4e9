"""The table of bad input, a test for each row: rows 20 to 37, what is learned or not.

Rows 22, 24, 28 and 29 (late labels, doubled ids, schema registry) are of things that are not
built.
"""

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest

from consumers.errors import DeadLetterLimitError
from consumers.loop.limits import DeadLetterLimits
from learners.decoding import JsonDecoder
from learners.events import Headers, Records
from learners.general import GeneralLearner
from learners.model_spec import StepSpec
from learners.pipeline import build_pipeline
from learners.rejections import Reason
from learners.schema import Kind
from producers.dead_letters import dead_letter
from tests.records import SCHEMA, event, records_of
from tests.refusals import (
    GOOD,
    a,
    accepted,
    assert_same,
    decode,
    learned,
    probabilities,
    raw,
    refused,
)


def test_bad_input_20_a_first_read_of_one_class_only() -> None:
    decoded = decode(*[raw()] * 5)
    learner, predictions = learned(decoded)
    assert learner.model_version == 5
    assert probabilities(predictions).shape == (5, 2)


def test_bad_input_21_without_a_label_it_is_predicted_and_not_learned() -> None:
    decoded = decode(*GOOD, raw(label="null"), b'{"id":"x","features":[1,2]}')
    learner, _ = learned(decoded)
    assert decoded.rejections == ()
    assert learner.model_version == len(GOOD)


@pytest.mark.parametrize("weight", ["-5", "NaN-like", "1e300"])
def test_bad_input_23_there_are_no_weights_a_field_of_that_name_is_ignored(weight: str) -> None:
    plain, heavy = json.loads(raw()), {**json.loads(raw()), "sample_weight": weight}
    one, other = (learned(decode(*GOOD, json.dumps(v).encode()))[0] for v in (plain, heavy))
    assert_same(one, other)


@pytest.mark.parametrize("time_ms", [0, -1, 4_102_444_800_000, 10**30])
def test_bad_input_25_strange_times_change_nothing_but_the_time(time_ms: int) -> None:
    decoder = JsonDecoder(replace(SCHEMA, time="ts"))
    values = [event(i, ts=time_ms if i == 3 else i) for i in range(8)]
    decoded = decoder.decode(records_of(values))
    assert decoded.rejections == ()
    assert_same(learned(decoded)[0], learned(decode(*GOOD))[0])


def test_bad_input_26_a_value_beyond_the_limit_is_refused_before_it_is_parsed() -> None:
    assert refused(b"[" * 10_000_000) == [Reason.TOO_LARGE]


def test_bad_input_27_what_is_compressed_stays_so() -> None:
    assert refused(gzip.compress(b" " * 50_000_000 + GOOD[0])) == [Reason.MALFORMED]


@pytest.mark.parametrize("text", [r"a\u0000b", r"\u202eabc", r"a\n{\"level\":\"error\"}"])
def test_bad_input_30_strange_text_in_an_id_is_kept_and_too_much_of_it_refused(text: str) -> None:
    accepted(raw(name=f'"{text}"'))
    assert decode(raw(name=f'"{text}"')).batch.ids == [json.loads(f'"{text}"')]
    assert refused(raw(name='"' + "x" * 900_000 + '"')) == [Reason.WRONG_LENGTH]


def test_bad_input_31_headers_of_any_kind_go_with_the_dead_letter() -> None:
    headers: Headers = [("same", b"\xff\xfe"), ("same", None), ("", b"x")]
    records = records_of([b"{"], headers=headers)
    (rejection,) = JsonDecoder(SCHEMA).decode(records).rejections
    letter = dead_letter(records, rejection, version="0.0")
    assert list(letter.headers)[:3] == headers


@pytest.mark.parametrize("number", ["0", "3"])
def test_bad_input_32_features_that_never_change_and_reads_of_nothing(number: str) -> None:
    constant = decode(*[raw(f'{{"a":{number},"b":{number}}}')] * 5)
    learner, predictions = learned(constant)
    probabilities(predictions)
    learner.test_then_train(decode(b"{", None).batch)
    assert_same(learner, learned(constant)[0])


def test_bad_input_33_a_negative_count_is_the_events_fault_and_no_others() -> None:
    counts = [raw(f'{{"a":{i},"b":{9 - i}}}') for i in range(6)]
    bayes = StepSpec("MultinomialNB", {})
    learner, predictions = learned(decode(*counts[:3], a("-1"), *counts[3:]), bayes)
    assert np.flatnonzero(~predictions.accepted).tolist() == [3]
    assert_same(learner, learned(decode(*counts), bayes)[0])


def test_bad_input_34_categories_without_end_take_no_more_columns() -> None:
    kinds = (Kind.NUMBER, Kind.CATEGORY)
    decoder = JsonDecoder(replace(SCHEMA, kinds=kinds, n_hashed=64))
    values = [raw(f'{{"a":{i % 3},"b":"{i:0999}"}}') for i in range(500)]
    decoded = decoder.decode(records_of(values))
    assert decoded.rejections == ()
    assert decoded.batch.X.shape == (500, 65)
    linear = [StepSpec("SGDClassifier", {"loss": "log_loss"})]
    learner = GeneralLearner(build_pipeline(linear), ("down", "up"))
    assert learner.test_then_train(decoded.batch).accepted.all()
    assert learner.pipeline[-1].coef_.shape == (1, 65)


def test_bad_input_35_labels_that_are_all_turned_around_are_learned_and_harm_no_number() -> None:
    accepted(*(event(i, y=("up", "down")[i % 3 == 0]) for i in range(200)))


def test_bad_input_36_offsets_that_are_left_out_are_no_fault() -> None:
    records = Records.joined([records_of(GOOD[:2], first=5), records_of(GOOD[2:], first=90)])
    decoded = JsonDecoder(SCHEMA).decode(records)
    assert decoded.batch.offsets.tolist() == [5, 6, *range(90, 96)]
    assert records.next_offsets() == {0: 96}


def test_bad_input_37_nothing_but_bad_input_trips_the_limit() -> None:
    limits = DeadLetterLimits(window=10_000, count=500, run=100)
    decoded = decode(*[b"{"] * 100)
    rows = [each.row for each in decoded.rejections]
    assert limits.trips_at(100, rows) == 99
    with pytest.raises(DeadLetterLimitError, match="100 dead letters in a row"):
        limits.update(100, rows)
