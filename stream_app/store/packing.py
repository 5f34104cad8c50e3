"""Many values as few arguments: lists of names as one MessagePack array, rows and records as one run of bytes.

Thousands of separate arguments cost more to encode than all the rest of a
turn. The MessagePack reader of Redis does not know byte strings, so names are
texts and bytes travel beside a list of their lengths.
"""

from collections.abc import Mapping, Sequence

import msgspec

from stream_app.ports import OutgoingRecord

ABSENT = -1
_encode = msgspec.msgpack.Encoder().encode
_headers = msgspec.msgpack.Decoder(list[tuple[str, bytes]])


def packed(value: object) -> bytes:
    """Return a value as MessagePack."""
    return _encode(value)


def packed_names(names: Sequence[bytes]) -> bytes:
    r"""Return ASCII names as one array of texts.

    Example:
        >>> packed_names([b"a", b"b"])
        b'\x92\xa1a\xa1b'
    """
    return _encode([name.decode("ascii") for name in names])


def packed_records(records: Sequence[OutgoingRecord]) -> tuple[bytes, bytes]:
    """Return the lengths of all parts of all records (-1 = absent), and the parts one after the other."""
    parts = [
        part for one in records for part in (one.topic.encode(), one.key, one.value, _encode([*map(list, one.headers)]))
    ]
    lengths = [ABSENT if part is None else len(part) for part in parts]
    return _encode(lengths), b"".join(part for part in parts if part is not None)


def unpacked_record(fields: Mapping[bytes, bytes]) -> OutgoingRecord:
    """Return the record of an outbox entry.

    Raises:
        ValueError: If a field is missing or does not decode.
    """
    if b"topic" not in fields or b"headers" not in fields:
        raise ValueError(f"has fields {sorted(fields)}, needs topic and headers")
    headers = tuple(_headers.decode(fields[b"headers"]))
    return OutgoingRecord(fields[b"topic"].decode(), fields.get(b"key"), fields.get(b"value"), headers)
