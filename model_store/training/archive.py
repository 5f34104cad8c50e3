"""The trainer's own archive of the topic ``demand``: what was read once need not stay in Kafka.

Parquet files, one row a record in the order of reading, numbered from 1 and
never changed. A file appears whole or not at all and holds the offsets of its
records, so what is in the archive and where reading goes on cannot disagree.
Columns are those of the topic's records, and ``kafka_partition`` and ``offset``.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec
import polars as pl

from model_store.files import replace_durably
from model_store.training.demand_reader import Progress, TopicRecord, new_records
from model_store.training.demand_topic import DemandRecord, decoded, history_told
from model_store.training.errors import UnusableHistory
from model_store.training.history import DemandHistory
from server_access.kafka import KafkaAccess

MOST_RECORDS = 2_000
MOST_BYTES = 64 * 2**20
"""A file holds no more, so that the first reading of a long topic needs little memory and can be interrupted."""
_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "schema": pl.Int64,
    "partition": pl.Int64,
    "bucket_start": pl.String,
    "bucket_seconds": pl.Int64,
    "kind": pl.String,
    "chunk": pl.Int64,
    "location": pl.List(pl.String),
    "sku": pl.List(pl.String),
    "units": pl.List(pl.Int64),
    "order_lines": pl.List(pl.Int64),
    "available_fraction": pl.List(pl.Float64),
}
_PLACE = {"kafka_partition": pl.Int64, "offset": pl.Int64}


class Archive:
    """A directory of demand records; it need not exist before something is added. One process writes it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def files(self) -> list[Path]:
        """The files, oldest first."""
        return sorted(self.directory.glob("demand-*.parquet"))

    def next_offsets(self) -> dict[int, int]:
        """Return the offset after the last record held of each partition of the topic.

        Raises:
            UnusableHistory: If a file is damaged.
        """
        found: dict[int, int] = {}
        for path in self.files:
            # The last file that has a partition holds: a topic made anew begins again at 0.
            places = self._read(path, list(_PLACE)).group_by("kafka_partition").agg(pl.col("offset").max())
            found |= {partition: offset + 1 for partition, offset in places.iter_rows()}
        return found

    def follow(self, kafka: KafkaAccess, topic: str, progress: Progress, lost: Callable[[str], None]) -> int:
        """Add what is new in a topic on a Kafka server, and return how many records that is.

        Raises:
            UnusableHistory: As `new_records`; if a file is damaged, or a record is no demand.
        """
        return self.add(new_records(kafka, topic, self.next_offsets(), progress, lost), topic)

    def add(self, records: Iterable[TopicRecord], topic: str) -> int:
        """Add records of a topic, file by file, and return how many.

        Raises:
            UnusableHistory: If a record is no demand; earlier files are kept.
        """
        count = 0
        for batch in _batched(records):
            rows = [
                msgspec.structs.asdict(
                    decoded(one.value, f"offset {one.offset} of partition {one.partition} of {topic}")
                )
                for one in batch
            ]
            places = {
                "kafka_partition": [one.partition for one in batch],
                "offset": [one.offset for one in batch],
            }
            frame = pl.DataFrame(rows, schema=_SCHEMA, orient="row").with_columns(
                pl.Series(name, values, dtype=_PLACE[name]) for name, values in places.items()
            )
            self._write(frame)
            count += len(batch)
        return count

    def history(self) -> DemandHistory:
        """Return the demand that the archive tells, corrections applied.

        Raises:
            UnusableHistory: If it is empty, or a file is damaged.
        """
        return history_told(self._records(), f"the archive {self.directory}")

    def _records(self) -> Iterator[DemandRecord]:
        for path in self.files:
            for row in self._read(path, list(_SCHEMA)).iter_rows(named=True):
                yield DemandRecord(**row)

    def _write(self, frame: pl.DataFrame) -> None:
        number = int(self.files[-1].stem.removeprefix("demand-")) + 1 if self.files else 1
        raw = io.BytesIO()
        frame.write_parquet(raw)
        self.directory.mkdir(parents=True, exist_ok=True)
        replace_durably(self.directory / f"demand-{number:08}.parquet", raw.getvalue())

    def _read(self, path: Path, columns: list[str]) -> pl.DataFrame:
        try:
            return pl.read_parquet(path, columns=columns)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise UnusableHistory(
                f"{path} of the archive cannot be read ({str(error)[:200]}). Restore it, or move {self.directory} "
                "away: what Kafka still holds is read again"
            ) from error


def _batched(records: Iterable[TopicRecord]) -> Iterator[list[TopicRecord]]:
    batch: list[TopicRecord] = []
    size = 0
    for record in records:
        batch.append(record)
        size += len(record.value)
        if len(batch) >= MOST_RECORDS or size >= MOST_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
