"""What a scrape shows after batches, epochs, rebalances and changes of state."""

import math
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.facts import DriftFacts, RebalanceEvent, RollbackReason, State, TransactionResult
from tests.metrics.scrape import BATCH, EPOCH, REPORT, Scrape


@pytest.fixture
def often() -> Iterator[None]:
    """Let threads take turns a thousand times as often as usual."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(usual)


def test_a_batch_adds_to_its_counters() -> None:
    scrape = Scrape()
    scrape.exporter.batch(BATCH)
    scrape.exporter.batch(BATCH)
    assert scrape.value("records_consumed") == 20
    assert scrape.value("records_decoded") == 14
    assert scrape.value("records_learned") == 8
    assert scrape.value("records_unlabelled") == 4
    assert scrape.value("records_poisoned") == 2
    assert scrape.value("predictions") == 12
    assert scrape.value("records_rejected", "decode", "malformed") == 2
    assert scrape.value("records_skipped", "tombstone") == 2
    assert scrape.value("dead_letters", "learn") == 2
    assert scrape.value("model_version") == 4


def test_each_change_of_the_stream_is_counted_for_the_detector_that_found_it() -> None:
    scrape = Scrape()
    found = [DriftFacts(name, 4, 0, 7) for name in ("adwin", "ddm", "adwin")]
    scrape.exporter.batch(replace(BATCH, drifts=tuple(found)))
    scrape.exporter.batch(BATCH)
    assert scrape.value("drift_detections", "adwin") == 2
    assert scrape.value("drift_detections", "ddm") == 1
    assert scrape.total("drift_detections") == 3


def test_durations_fall_into_buckets_that_tell_them_apart() -> None:
    scrape = Scrape()
    scrape.exporter.batch(BATCH)
    scrape.exporter.epoch(EPOCH)
    samples = scrape.families()["streamfit_stage_duration_seconds"].samples
    buckets = {
        (sample.labels["stage"], float(sample.labels["le"])): sample.value
        for sample in samples
        if sample.name.endswith("_bucket")
    }
    assert buckets["step", 2.5e-5] == 0
    assert buckets["step", 5e-5] == 1
    assert buckets["commit", 0.005] == 0
    assert buckets["commit", 0.01] == 1
    assert min(bound for _, bound in buckets) == 1e-5
    assert sorted({bound for _, bound in buckets})[-2] == 10.0


def test_a_report_without_records_is_no_batch() -> None:
    scrape = Scrape()
    scrape.exporter.batch(REPORT)
    samples = scrape.families()["streamfit_batch_records"].samples
    assert next(s.value for s in samples if s.name.endswith("_count")) == 0
    assert scrape.series("consumer_lag_records") == {("events", "0"): 5.0, ("events", "1"): 0.0}
    assert scrape.value("consumer_lag_seconds", "events", "0") == 1.5


@settings(max_examples=30, deadline=None)
@given(
    batches=st.lists(
        st.tuples(*(st.integers(0, 50) for _ in range(3)), *(st.integers(0, 9) for _ in range(4)))
    )
)
def test_the_counters_add_up(batches: list[tuple[int, ...]]) -> None:
    scrape = Scrape()
    for learned, unlabelled, poisoned, skipped, malformed, mistyped, unknown in batches:
        decoded = learned + unlabelled + poisoned
        rejected = {
            ("decode", "malformed"): malformed,
            ("schema", "wrong_type"): mistyped,
            ("label", "unknown_label"): unknown,
        }
        facts = replace(
            BATCH,
            consumed=decoded + skipped + sum(rejected.values()),
            decoded=decoded,
            learned=learned,
            unlabelled=unlabelled,
            poisoned=poisoned,
            rejected=rejected,
            skipped={"tombstone": skipped},
        )
        scrape.exporter.batch(facts)
    consumed, decoded_total = scrape.total("records_consumed"), scrape.total("records_decoded")
    assert consumed == sum(map(sum, batches))
    refused = scrape.total("records_rejected") + scrape.total("records_skipped")
    assert consumed == decoded_total + refused
    fates = ("records_learned", "records_unlabelled", "records_poisoned")
    assert decoded_total == sum(map(scrape.total, fates))


@pytest.mark.usefixtures("often")
def test_the_counters_add_up_in_every_scrape_while_batches_go_by() -> None:
    scrape = Scrape()
    done = threading.Event()
    seen: list[tuple[float, float]] = []

    def scrape_until_done() -> None:
        while not done.is_set():
            found = {family.name: family for family in scrape.registry.collect()}
            consumed, *parts = (
                sum(sample.value for sample in found[f"streamfit_{name}"].samples)
                for name in (
                    *("records_consumed", "records_learned", "records_unlabelled"),
                    *("records_poisoned", "records_rejected", "records_skipped"),
                )
            )
            seen.append((consumed, sum(parts)))

    thread = threading.Thread(target=scrape_until_done)
    thread.start()
    for _ in range(1000):
        scrape.exporter.batch(BATCH)
    done.set()
    thread.join()
    assert [one for one in seen if one[0] != one[1]] == []


def test_a_good_epoch_shows_what_was_committed() -> None:
    scrape = Scrape()
    assert math.isnan(scrape.value("checkpoint_last_success_timestamp_seconds"))
    scrape.exporter.epoch(EPOCH)
    assert scrape.value("checkpoints", "ok") == 1
    assert scrape.value("checkpoint_last_success_timestamp_seconds") == 1_700_000_000.0
    assert scrape.value("checkpoint_size_bytes") == 5000
    assert scrape.series("committed_offset") == {("events", "0"): 10.0, ("events", "1"): 20.0}


def test_a_failed_epoch_leaves_the_last_success_as_it_was() -> None:
    scrape = Scrape()
    scrape.exporter.epoch(EPOCH)
    failed = replace(EPOCH, ok=False, time_s=EPOCH.time_s + 60, checkpoint_bytes=0, committed={})
    scrape.exporter.epoch(failed)
    assert scrape.series("checkpoints") == {("ok",): 1.0, ("failed",): 1.0}
    assert scrape.value("checkpoint_last_success_timestamp_seconds") == EPOCH.time_s
    assert scrape.value("checkpoint_size_bytes") == 5000


@pytest.mark.parametrize("event", [RebalanceEvent.REVOKED, RebalanceEvent.LOST])
def test_series_of_partitions_that_went_end(event: RebalanceEvent) -> None:
    scrape = Scrape()
    scrape.exporter.batch(REPORT)
    scrape.exporter.epoch(EPOCH)
    scrape.exporter.rebalance(event, [0, 7])
    for name in ("consumer_lag_records", "consumer_lag_seconds", "committed_offset"):
        assert set(scrape.series(name)) == {("events", "1")}
    assert scrape.value("rebalances", event) == 1


def test_a_partition_that_comes_back_has_series_again() -> None:
    scrape = Scrape()
    scrape.exporter.batch(REPORT)
    scrape.exporter.rebalance(RebalanceEvent.REVOKED, [0])
    scrape.exporter.rebalance(RebalanceEvent.ASSIGNED, [0])
    assert set(scrape.series("consumer_lag_records")) == {("events", "1")}
    scrape.exporter.batch(replace(REPORT, lag={0: 3}))
    assert scrape.value("consumer_lag_records", "events", "0") == 3


def test_exactly_one_state_is_one() -> None:
    scrape = Scrape()
    changes: list[tuple[State, Callable[[], None]]] = [(State.STARTING, lambda: None)]
    changes += [(state, partial(scrape.exporter.state, state)) for state in State]
    for state, change in changes:
        change()
        assert scrape.series("state") == {(str(s),): float(s is state) for s in State}


def test_a_stage_the_exporter_does_not_know_is_counted_nevertheless() -> None:
    scrape = Scrape()
    scrape.exporter.batch(replace(BATCH, seconds={"encode": 0.1}))
    samples = scrape.families()["streamfit_stage_duration_seconds"].samples
    sums = {s.labels["stage"]: s.value for s in samples if s.name.endswith("_sum")}
    assert sums["encode"] == 0.1


def test_row_31_records_that_are_gone_count_as_consumed_and_skipped_but_not_as_a_read() -> None:
    scrape = Scrape()
    gap = replace(BATCH, consumed=40, decoded=0, learned=0, unlabelled=0, poisoned=0)
    scrape.exporter.batch(replace(gap, rejected={}, dead_letters={}, skipped={"gap": 40}))
    assert scrape.value("records_skipped", "gap") == 40
    assert scrape.value("records_consumed") == 40
    assert reads(scrape) == (0.0, 0.0)
    assert scrape.value("uncheckpointed_records") == 0  # nothing hangs on what is gone
    scrape.exporter.batch(replace(BATCH, consumed=14, skipped={"tombstone": 1, "gap": 4}))
    assert reads(scrape) == (1.0, 10.0)


def reads(scrape: Scrape) -> tuple[float, float]:
    """Number of reads and of the records that they brought."""
    samples = scrape.families()["streamfit_batch_records"].samples
    values = {sample.name.rpartition("_")[2]: sample.value for sample in samples}
    return values["count"], values["sum"]


def test_transactions_are_counted_by_how_they_ended() -> None:
    scrape = Scrape()
    for result in (TransactionResult.COMMITTED, TransactionResult.COMMITTED):
        scrape.exporter.transaction(result)
    scrape.exporter.transaction(TransactionResult.FAILED)
    counted = {("committed",): 2.0, ("aborted",): 0.0, ("failed",): 1.0}
    assert scrape.series("transactions") == counted


@pytest.mark.parametrize("reason", list(RollbackReason))
def test_ways_back_are_counted_by_reason(reason: RollbackReason) -> None:
    scrape = Scrape()
    scrape.exporter.rollback(reason)
    assert scrape.value("rollbacks", reason) == 1
    assert scrape.total("rollbacks") == 1


def test_row_37_what_has_no_checkpoint_grows_until_an_epoch_counts() -> None:
    scrape = Scrape()
    scrape.exporter.batch(BATCH)
    scrape.exporter.batch(BATCH)
    assert scrape.value("uncheckpointed_records") == 20
    scrape.exporter.epoch(replace(EPOCH, ok=False, uncheckpointed=20))
    scrape.exporter.batch(BATCH)
    assert scrape.value("uncheckpointed_records") == 30
    scrape.exporter.epoch(EPOCH)
    assert scrape.value("uncheckpointed_records") == 0


def test_a_way_back_leaves_nothing_without_a_checkpoint() -> None:
    scrape = Scrape()
    scrape.exporter.batch(BATCH)
    scrape.exporter.rollback(RollbackReason.COMMIT)
    assert scrape.value("uncheckpointed_records") == 0


@pytest.mark.parametrize(
    ("partitioned", "state", "left"),
    [
        (False, State.RESTORING, 0),
        (False, State.STANDBY, 0),
        (True, State.STANDBY, 0),
        (True, State.RESTORING, 10),  # the other partitions' models are in the middle of an epoch
        (False, State.STOPPING, 10),
    ],
)
def test_what_has_no_checkpoint_is_forgotten_with_the_models(
    state: State, left: float, *, partitioned: bool
) -> None:
    scrape = Scrape(partitioned=partitioned)
    scrape.exporter.batch(BATCH)
    scrape.exporter.state(state)
    assert scrape.value("uncheckpointed_records") == left


def test_row_37_a_pause_is_shown_as_long_as_it_lasts() -> None:
    scrape = Scrape()
    scrape.exporter.paused(on=True)
    assert scrape.value("paused") == 1
    scrape.exporter.paused(on=False)
    assert scrape.value("paused") == 0
