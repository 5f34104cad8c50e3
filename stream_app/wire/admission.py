"""What holds for a record of any topic beside its own fields: its key, its partition, its time.

Characters and partition of a key are checked once, when the key is new; then
it is only compared.
"""

from zlib import crc32

from aiokafka.partitioner import murmur2

from replenishment.keys import StockKey, key_bytes, stock_key
from stream_app.ports import Record
from stream_app.wire.fields import Fields
from stream_app.wire.refusals import Code, Faults, excerpt
from stream_app.wire.times import shown

EARLIEST_AT = 946_684_800_000
"""2000-01-01T00:00:00Z."""
LATEST_AT = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z: the last time that RFC 3339 can write."""
MOST_KNOWN_KEYS = 2**20
"""Of one partition; when there are more, all are checked anew."""


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key under Kafka's default partitioner.

    Example:
        >>> partition_of(b"uk|85123A", 3), partition_of(b"uk|85123A", 1)
        (2, 0)
    """
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


def librdkafka_partition_of(key: bytes, partitions: int) -> int:
    """Return where the default partitioner of librdkafka's clients (CRC32) puts a key.

    Example:
        >>> partition_of(b"uk|A", 3), librdkafka_partition_of(b"uk|A", 3)
        (2, 0)
    """
    return crc32(key) % partitions


class Admission:
    """Checks keys and times.

    Args:
        partitions: How many the input topics have.
        max_future_seconds: How far an event time may be after its record's
            timestamp; None where there are no timestamps.

    Raises:
        ValueError: If ``partitions`` is less than 1 or ``max_future_seconds`` is negative.
    """

    def __init__(self, partitions: int, max_future_seconds: int | None) -> None:
        if partitions < 1:
            raise ValueError(f"topics have {partitions} partitions, must have at least 1")
        if max_future_seconds is not None and max_future_seconds < 0:
            raise ValueError(f"max_future_seconds is {max_future_seconds}, must be 0 or more")
        self.partitions = partitions
        self.max_future_ms = None if max_future_seconds is None else max_future_seconds * 1000
        self._known: dict[int, dict[bytes | None, StockKey]] = {}

    def known(self, partition: int) -> dict[bytes | None, StockKey]:
        """Return the keys that were found to be stock keys of a partition."""
        return self._known.setdefault(partition, {})

    def admit(self, key: bytes | None, partition: int) -> StockKey | None:
        """Return the parts of a key if it is a stock key of the partition."""
        known = self.known(partition)
        parts = known.get(key)
        if parts is None and key is not None:
            parts = stock_key(key)
            if parts is not None and partition_of(key, self.partitions) != partition:
                return None
            if parts is not None:
                if len(known) >= MOST_KNOWN_KEYS:
                    known.clear()
                known[key] = parts
        return parts

    def check_key(self, record: Record, location: str, sku: str, partition: int, faults: Faults) -> None:
        """Note if a record's key is not ``location|sku``, or belongs to another partition."""
        expected = key_bytes(location, sku)
        if record.key != expected:
            received = "null" if record.key is None else excerpt(record.key)
            faults.add(
                Code.WRONG_KEY,
                f"the record's key is {received}, must be location|sku of the value: {excerpt(expected)}",
            )
        elif self.admit(expected, partition) is None:
            self._refuse_partition(expected, partition, faults)

    def check_tombstone(self, key: bytes | None, partition: int, faults: Faults) -> None:
        """Note if a record without value has no stock key of the partition."""
        if self.admit(key, partition) is not None:
            return
        if key is None or stock_key(key) is None:
            received = "null" if key is None else excerpt(key)
            faults.add(Code.WRONG_KEY, f"the key of the tombstone is {received}, must be location|sku")
        else:
            self._refuse_partition(key, partition, faults)

    def latest_at(self, record: Record) -> int:
        """Return the latest event time that a record may have."""
        if self.max_future_ms is None or record.timestamp < 0:
            return LATEST_AT
        return min(LATEST_AT, record.timestamp + self.max_future_ms)

    def check_event_time(self, at: int, record: Record, fields: Fields) -> None:
        """Note if an event lies in the future or before 2000."""
        latest = self.latest_at(record)
        if at > latest:
            reason = "the record's timestamp plus RESTOCK_MAX_FUTURE_SECONDS" if latest < LATEST_AT else "no later time"
            fields.refuse(Code.FUTURE_DATED, "event_time", f"at most {shown(latest)}, {reason}")
        check_age(at, "event_time", fields)

    def _refuse_partition(self, key: bytes, partition: int, faults: Faults) -> None:
        right = partition_of(key, self.partitions)
        is_crc32 = librdkafka_partition_of(key, self.partitions) == partition
        hint = "; librdkafka's default (CRC32) put it here: set partitioner=murmur2_random" if is_crc32 else ""
        faults.add(
            Code.WRONG_PARTITION,
            f"the record is in partition {partition}, must be in {right} of {self.partitions}: "
            "use the default partitioner (murmur2) with the record's key" + hint,
        )


def check_age(at: int, name: str, fields: Fields) -> None:
    """Note if a time is before 2000."""
    if at < EARLIEST_AT:
        fields.refuse(Code.TOO_OLD, name, f"at least {shown(EARLIEST_AT)}")
