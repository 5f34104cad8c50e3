"""What the transport relies on in Faust and aiokafka beyond their public API, so that an upgrade fails here first."""

import inspect
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.structs import ConsumerRecord
from faust.transport import consumer as faust_consumer
from faust.transport.drivers import aiokafka as stock

PARAMETERS = [
    (stock.Consumer, "_getmany", ["self", "active_partitions", "timeout"]),
    (stock.Consumer, "_add_gap", ["self", "tp", "offset_from", "offset_to"]),
    (stock.Consumer, "_new_offset", ["self", "tp"]),
    (stock.Consumer, "on_buffer_full", ["self", "tp"]),
    (stock.Consumer, "on_partitions_revoked", ["self", "revoked"]),
    (stock.Consumer, "perform_seek", ["self"]),
    (stock.Consumer, "seek_wait", ["self", "partitions"]),
    (stock.Consumer, "earliest_offsets", ["self", "partitions"]),
    (stock.Consumer, "highwaters", ["self", "partitions"]),
    (stock.Consumer, "_to_message", ["self", "tp", "record"]),
    (stock.Consumer, "_new_consumer_thread", ["self"]),
    (stock.AIOKafkaConsumerThread, "_create_worker_consumer", ["self", "transport"]),
    (
        stock.AIOKafkaConsumerThread,
        "_fetch_records",
        ["self", "consumer", "active_partitions", "timeout", "max_records"],
    ),
    (fetcher.PartitionRecords, "_consumer_record", ["self", "tp", "record"]),
]


@pytest.mark.parametrize(("owner", "name", "parameters"), PARAMETERS, ids=[name for _, name, _ in PARAMETERS])
def test_faust_calls_what_we_override_as_it_did(owner: type, name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters


@pytest.mark.parametrize("name", ["_acked", "_acked_index", "_committed_offset", "_read_offset", "_gap"])
def test_faust_keeps_its_offsets_by_the_names_we_use(name: str) -> None:
    assert f"self.{name} = " in inspect.getsource(faust_consumer.Consumer.__init__)


def test_faust_fetches_through_the_method_we_override() -> None:
    source = inspect.getsource(faust_consumer.Consumer._wait_next_records)
    assert "await self._getmany(\n" in source


def test_faust_acknowledges_by_the_offset_of_the_message() -> None:
    source = inspect.getsource(faust_consumer.Consumer.ack)
    assert "acked_for_tp.append(offset)" in source
    assert "offset >= committed" in source


def test_faust_gives_up_recovery_later_than_we_do() -> None:
    from faust.types.settings import Settings

    from stream_app.kafka.transport import RESTORE_TIMEOUT_SECONDS

    declared: Any = Settings.broker_request_timeout  # a float on an instance, its declaration on the class
    assert declared.default > RESTORE_TIMEOUT_SECONDS


def test_aiokafka_reads_the_wait_of_a_fetch_when_it_starts() -> None:
    assert "fetch_max_wait_ms=self._fetch_max_wait_ms" in inspect.getsource(AIOKafkaConsumer.start)


def test_aiokafka_buffers_results_in_one_dictionary_and_unpacks_when_asked() -> None:
    assert "self._records = collections.OrderedDict()" in inspect.getsource(fetcher.Fetcher.__init__)
    assert "self._records[tp] = FetchResult(" in inspect.getsource(fetcher.Fetcher._proc_fetch_request)
    assert "self._partition_records = partition_records" in inspect.getsource(fetcher.FetchResult.__init__)
    assert "self._consumer_record(tp, record)" in inspect.getsource(fetcher.PartitionRecords._unpack_records)


def test_a_record_as_unpacked_has_all_that_the_product_reads() -> None:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1_000)
    builder.append(0, 1_700_000_000_000, b"key", b"value", [("name", b"content")])
    (record,) = DefaultRecordBatch(bytes(builder.build()))
    assert (record.offset, record.timestamp, record.key, record.value) == (0, 1_700_000_000_000, b"key", b"value")
    assert list(record.headers) == [("name", b"content")]


def test_a_batch_fits_into_the_record_faust_expects() -> None:
    fields = ConsumerRecord.__dataclass_fields__
    assert list(fields) == [
        "topic",
        "partition",
        "offset",
        "timestamp",
        "timestamp_type",
        "key",
        "value",
        "checksum",
        "serialized_key_size",
        "serialized_value_size",
        "headers",
    ]
