"""Fetched records as aiokafka unpacks them, without the frozen dataclass it wraps each of them in.

The wrapping costs more than reading a record, and one as it comes out of a
batch has all that ``ports.Record`` asks for. What is private API of aiokafka
here is pinned by tests/kafka/test_transport_contract.py.
"""

from collections import OrderedDict
from collections.abc import Collection
from typing import Any


def _as_it_is(_partition: object, record: Any) -> Any:
    return record


class BareRecords(OrderedDict[Any, Any]):
    """The fetcher's buffer of results by partition; results of some topics hand over bare records."""

    def __init__(self, topics: Collection[str]) -> None:
        super().__init__()
        self._topics = frozenset(topics)

    def __setitem__(self, partition: Any, result: Any) -> None:
        unpacked = getattr(result, "_partition_records", None)
        if unpacked is not None and partition.topic in self._topics:
            unpacked._consumer_record = _as_it_is
        super().__setitem__(partition, result)


def hand_over_bare_records(fetcher: Any, topics: Collection[str]) -> None:
    """Have a fetcher hand over bare records of some topics from now on; to be called on its event loop."""
    if isinstance(fetcher._records, BareRecords):
        return
    buffered = BareRecords(topics)
    buffered.update(fetcher._records)
    fetcher._records = buffered
