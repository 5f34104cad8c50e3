"""The archive of demand: what was read is kept, goes on where it stopped, and tells what is missing."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from model_store.training import archive as archives
from model_store.training.archive import Archive
from model_store.training.demand_reader import TopicRecord
from model_store.training.demand_topic import history_of
from model_store.training.errors import UnusableHistory
from server_access.kafka import KafkaAccess
from tests.model_store.training.builders import by_sku, record

ROOT = Path(__file__).parents[3]
VALUES = [
    record(10, {"a": 1, "b": 2}),
    record(11, {"a": 3, "b": 0}),
    record(10, {"a": 5}, kind="correction"),
    record(12, {"a": 4, "b": 1}),
]


def placed(values: Sequence[bytes], first: int = 0, partition: int = 0) -> list[TopicRecord]:
    return [TopicRecord(partition, first + place, value) for place, value in enumerate(values)]


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive" / "demand")


def test_archive_tells_the_history_of_the_records_with_corrections_applied(archive: Archive) -> None:
    assert archive.add(placed(VALUES), "demand") == 4
    told, wanted = archive.history(), history_of(VALUES, "demand")
    assert by_sku(told) == by_sku(wanted) == {"a": [5, 3, 4], "b": [2, 0, 1]}
    assert np.array_equal(told.available_ratio, wanted.available_ratio)


@pytest.mark.parametrize("cut", range(5))
def test_any_split_into_readings_gives_the_same_history_and_offsets(archive: Archive, cut: int) -> None:
    archive.add(placed(VALUES[:cut]), "demand")
    archive.add(placed(VALUES[cut:], cut), "demand")
    assert by_sku(archive.history()) == {"a": [5, 3, 4], "b": [2, 0, 1]}
    assert archive.next_offsets() == {0: 4}


def test_files_are_bounded_and_each_partition_goes_on_by_itself(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MOST_RECORDS", 2)
    archive.add([*placed(VALUES), TopicRecord(1, 7, record(10, {"z": 1}, partition=1))], "demand")
    assert [path.name for path in archive.files] == [f"demand-{n:08}.parquet" for n in (1, 2, 3)]
    assert archive.next_offsets() == {0: 4, 1: 8}


def test_nothing_new_adds_no_file(archive: Archive) -> None:
    assert archive.add([], "demand") == 0
    assert archive.files == []
    with pytest.raises(UnusableHistory, match="no closed demand yet"):
        archive.history()


def test_records_read_again_change_nothing(archive: Archive) -> None:
    archive.add(placed(VALUES), "demand")
    archive.add(placed(VALUES), "demand")  # as after the topic was made anew from a mirror
    assert by_sku(archive.history()) == {"a": [5, 3, 4], "b": [2, 0, 1]}


def test_bucket_that_was_never_read_is_missing_rather_than_zero(archive: Archive) -> None:
    archive.add(placed([VALUES[0]]), "demand")
    archive.add(placed([record(13, {"a": 4, "b": 1, "new": 6})], 5), "demand")
    history = archive.history()
    rows = {key.decode().partition("|")[2]: row for row, key in enumerate(history.keys)}
    assert history.available_ratio[rows["a"]].tolist() == [1, 0, 0, 1]
    assert history.born[rows["new"]] == 3, "nobody knows a key before its first bucket"


def test_record_that_is_no_demand_is_named_by_its_offset_and_nothing_of_it_is_kept(archive: Archive) -> None:
    with pytest.raises(UnusableHistory, match="offset 1 of partition 0 of demand is no closed demand"):
        archive.add(placed([VALUES[0], b"{}"]), "demand")
    assert archive.files == []


def test_damaged_file_is_named_with_what_to_do(archive: Archive) -> None:
    archive.add(placed(VALUES), "demand")
    archive.files[0].write_bytes(b"PAR1 torn")
    for read in (archive.history, archive.next_offsets):
        with pytest.raises(UnusableHistory, match=r"demand-00000001\.parquet of the archive cannot be read.*away"):
            read()


WRITER = """
import sys
from pathlib import Path
from model_store.training import archive
from tests.model_store.training.test_archive import placed, record
kept = archive.Archive(Path(sys.argv[1]))
first = kept.next_offsets().get(0, 0)
print("begins", first, flush=True)
for one in placed([record(10 + one, {"a": one}) for one in range(first, 60)], first):
    kept.add([one], "demand")
    print("kept", one.offset, flush=True)
"""


def test_archive_that_is_killed_again_and_again_loses_and_doubles_nothing(archive: Archive) -> None:
    begun: list[int] = []
    while len(archive.files) < 60:
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(archive.directory)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        ) as process:
            assert process.stdout is not None
            begun.append(int(process.stdout.readline().split()[1]))
            while process.poll() is None and len(archive.files) < begun[-1] + 17:
                process.stdout.readline()
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
        assert archive.next_offsets() == {0: len(archive.files)}
    assert begun[0] == 0 and len(begun) > 2
    assert by_sku(archive.history()) == {"a": list(range(60))}


def test_archive_follows_a_topic_and_says_what_was_deleted_before_it_was_read(
    archive: Archive, kafka_bootstrap: str
) -> None:
    topic = "archived-demand"
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    admin.create_topics([NewTopic(topic, 1, 1)])
    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap)
    lost: list[str] = []

    def send(values: Sequence[bytes]) -> None:
        for value in values:
            producer.send(topic, value, partition=0).get(timeout=30)

    def follow() -> int:
        return archive.follow(KafkaAccess(kafka_bootstrap), topic, lambda _done, _total: None, lost.append)

    send(VALUES[:2])
    assert (follow(), follow()) == (2, 0)
    send(VALUES[2:])
    assert follow() == 2
    assert by_sku(archive.history()) == {"a": [5, 3, 4], "b": [2, 0, 1]}
    assert lost == []
    send([record(13, {"a": 1, "b": 1}), record(14, {"a": 2, "b": 2})])
    from kafka import TopicPartition

    admin.delete_records({TopicPartition(topic, 0): 5})
    assert follow() == 1
    assert lost == [
        f"partition 0 of {topic} has lost the offsets 4 to 4 before they were read; their buckets count as missing"
    ]
    assert archive.history().available_ratio[0].tolist() == [1, 1, 1, 0, 1]
    producer.close()
    admin.close()
