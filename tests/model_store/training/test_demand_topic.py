"""History from the topic demand: written at least once, corrected absolutely, read from beginning to end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from model_store.training.demand_reader import read_demand
from model_store.training.demand_topic import history_of
from model_store.training.errors import UnusableHistory
from replenishment.buckets import BucketWidth
from server_access.kafka import KafkaAccess
from tests.model_store.training.builders import by_sku, record

LOG = [
    record(10, {"a": 2, "b": 1}),
    record(11, {"a": 0, "b": 4}),
    record(10, {"a": 5}, kind="correction"),
    record(12, {"a": 1, "b": 0, "c": 3}),
    record(10, {"a": 4}, kind="correction"),
    record(12, {"d": 8}, partition=1),
]


def test_correction_replaces_the_bucket_and_the_last_one_holds() -> None:
    assert by_sku(history_of(LOG, "demand")) == {"a": [4, 0, 1], "b": [1, 4, 0], "c": [3], "d": [8]}


def test_closing_repeated_after_its_correction_changes_nothing() -> None:
    assert by_sku(history_of([*LOG, LOG[0]], "demand"))["a"] == [4, 0, 1]


@given(st.lists(st.tuples(st.integers(0, len(LOG) - 1), st.integers(0, len(LOG))), max_size=4))
def test_records_sent_again_by_a_restarted_relay_change_nothing(repeats: list[tuple[int, int]]) -> None:
    # A relay that restarts sends a stretch of its outbox again, in order.
    log = list(LOG)
    for start, length in repeats:
        end = min(start + length, len(LOG))
        log = [*log[:end], *LOG[start:end], *log[end:]] if log[:end] == LOG[:end] else log
    assert by_sku(history_of(log, "demand")) == by_sku(history_of(LOG, "demand"))


def test_late_line_before_the_first_bucket_moves_birth_back_over_zeros() -> None:
    log = [record(20, {"a": 6}), record(21, {"a": 1}), record(17, {"a": 2}, kind="correction")]
    assert by_sku(history_of(log, "demand")) == {"a": [2, 0, 0, 6, 1]}


def test_keys_of_a_partition_that_lags_are_missing_in_the_last_buckets() -> None:
    log = [*(record(bucket, {"a": 1}) for bucket in (10, 11, 12)), record(10, {"z": 9}, partition=1)]
    history = history_of(log, "demand")
    row = history.keys.index(b"uk|z")
    assert history.available_ratio[row].tolist() == [1, 0, 0]
    assert history.demand_units[row].tolist() == [9, 0, 0]


def test_bucket_of_which_nothing_is_known_is_missing() -> None:
    log = [record(10, {"a": 1}), record(11, {"a": 0}, available_fraction=[None])]
    assert history_of(log, "demand").available_ratio.tolist() == [[1, 0]]


def test_negative_sum_counts_as_no_demand() -> None:
    assert by_sku(history_of([record(10, {"a": 3}), record(11, {"a": -2})], "demand")) == {"a": [3, 0]}


def test_records_of_an_earlier_bucket_width_are_left_out() -> None:
    log = [record(240, {"a": 1}, width=BucketWidth(3_600)), record(11, {"a": 5})]
    history = history_of(log, "demand")
    assert (history.width, by_sku(history)) == (BucketWidth(86_400), {"a": [5]})


@pytest.mark.parametrize("width", [BucketWidth(86_400, 3_600), BucketWidth(3_600), BucketWidth(7 * 86_400, -18_000)])
def test_width_and_offset_of_buckets_follow_from_their_starts(width: BucketWidth) -> None:
    history = history_of([record(100, {"a": 1}, width=width), record(101, {"a": 2}, width=width)], "demand")
    assert history.start_at == width.start_of(100)
    assert history.width.seconds == width.seconds


def test_key_that_joins_a_chunk_later_is_told_from_its_neighbours() -> None:
    log = [record(10, {"b": 1}), record(11, {"a": 7, "b": 2}), record(12, {"b": 3, "a": 8})]
    assert by_sku(history_of(log, "demand")) == {"b": [1, 2, 3], "a": [7, 8]}


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (b"not json", "no closed demand"),
        (b'{"order_id": "1"}', "missing required field"),
        (record(10, {"a": 1}, schema=2), "schema is 2"),
        (record(10, {"a": 1}, units=[1, 2]), "columns have lengths"),
        (record(10, {"a": 1}, bucket_start="soon"), "no closed demand"),
        (record(10, {"a": 1}, bucket_seconds=5), "60 s to 4 weeks"),
        (b"[" * 100_000, "no closed demand"),
    ],
)
def test_record_that_is_no_demand_is_named_by_its_place(value: bytes, fault: str) -> None:
    with pytest.raises(UnusableHistory, match="record 1 of demand") as raised:
        history_of([record(10, {"a": 1}), value], "demand")
    assert fault in str(raised.value)


def test_empty_topic_is_said_so() -> None:
    with pytest.raises(UnusableHistory, match="no closed demand yet"):
        history_of([], "demand")


def test_history_is_read_from_kafka_to_its_present_end(kafka_bootstrap: str) -> None:
    topic = "training-demand"
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    admin.create_topics([NewTopic(topic, 2, 1)])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap)
    for value in LOG:
        producer.send(topic, value, partition=int(value == LOG[-1])).get(timeout=30)
    producer.close()
    told: list[tuple[int, int]] = []
    history = read_demand(KafkaAccess(kafka_bootstrap), topic, lambda done, total: told.append((done, total)))
    assert by_sku(history) == by_sku(history_of(LOG, topic))
    assert np.array_equal(history.order_lines, history_of(LOG, topic).order_lines)
    assert told[0] == (0, len(LOG))
    with pytest.raises(UnusableHistory, match="there is no topic nothing"):
        read_demand(KafkaAccess(kafka_bootstrap), "nothing", lambda _done, _total: None)


@pytest.mark.parametrize(("address", "fault"), [("127.0.0.1:x", "is no address"), ("127.0.0.1:1", "cannot be read")])
def test_kafka_that_does_not_answer_is_said_so(address: str, fault: str) -> None:
    with pytest.raises(UnusableHistory, match=fault):
        read_demand(KafkaAccess(address), "demand", lambda _done, _total: None)
