"""The buyer's durable rows: records of one width a table, each with its length before it."""

import msgspec

ROW_BYTES = {"proposals": 8_192, "settled": 128, "accounts": 512, "supplies": 256}
"""Width of each table's rows. A proposal is the largest: its whole event, which is published when it is placed."""
LARGEST_PROPOSAL_BYTES = 4_096
"""Of the event of a proposal: leaves room for what is kept beside it."""
_LENGTH_BYTES = 2
_encode = msgspec.msgpack.Encoder().encode


def packed_row(table: str, value: msgspec.Struct) -> bytes:
    """Return a value as a row of a table.

    Raises:
        ValueError: If it is too long; what comes in is limited so that it is not.
    """
    content, width = _encode(value), ROW_BYTES[table]
    if len(content) + _LENGTH_BYTES > width:
        raise ValueError(f"a row of {table} has {len(content)} bytes, there is room for {width - _LENGTH_BYTES}")
    return (len(content).to_bytes(_LENGTH_BYTES, "little") + content).ljust(width, b"\0")


def unpacked_row(row: bytes) -> bytes:
    """Return the MessagePack of a row."""
    return row[_LENGTH_BYTES : _LENGTH_BYTES + int.from_bytes(row[:_LENGTH_BYTES], "little")]
