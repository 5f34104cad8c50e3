"""Order records to columns, quickly: usual lines all at once, whatever is unusual one by one in ``order_record``.

A usual line is an ``order_placed`` that fits in every respect. The quick way
accepts only those, so it never decides on a refusal.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated, Literal, cast

import msgspec
import numpy as np
from msgspec import Meta, Struct

from replenishment.arrays import Bools, Int64s
from replenishment.engine.columns import LineKind, OrderColumns, Span
from replenishment.events import Rejection
from replenishment.keys import StockKey
from stream_app.ports import Record, RecordBatch
from stream_app.wire.admission import EARLIEST_AT, LATEST_AT, Admission
from stream_app.wire.envelope import is_plain, joined_plain
from stream_app.wire.fields import LONGEST_ID, MOST_UNITS, has_control_characters
from stream_app.wire.identities import Identities, line_identities
from stream_app.wire.order_record import (
    HIGHEST_PRICE,
    LARGEST_LINE,
    NO_PRICE,
    PRICE_PARTS,
    OrderRow,
    read_order,
)
from stream_app.wire.times import instants_at


class _UsualLine(Struct, gc=False):
    order_id: Annotated[str, Meta(min_length=1, max_length=LONGEST_ID)]
    location: str
    sku: str
    quantity: Annotated[int, Meta(ge=1, le=MOST_UNITS)]
    event_time: Annotated[int, Meta(ge=EARLIEST_AT, le=LATEST_AT)] | str
    line: Annotated[int, Meta(ge=1, le=LARGEST_LINE)] | None = None
    price: Annotated[float, Meta(ge=0, le=HIGHEST_PRICE)] | None = None
    type: Literal["order_placed"] | None = None


_USUAL = msgspec.json.Decoder(_UsualLine)
_parts = attrgetter("location", "sku")


@dataclass(frozen=True, slots=True)
class _Columns:
    """Accepted records: ``place`` of each in the batch, (N,), rising; see ``OrderColumns`` for the rest."""

    place: Int64s
    kinds: Int64s
    keys: Sequence[bytes]
    occurred_at: Int64s
    placed_at: Int64s
    units: Int64s
    prices: Int64s
    identities: Identities


def decode_orders(batch: RecordBatch, admission: Admission) -> OrderColumns:
    """Return the lines of a batch as columns; what is refused is in ``rejections``."""
    lines, line_places, unusual = _usual_lines(batch.records)
    usual, failed = _usual_columns(batch, lines, line_places, admission)
    rows: dict[int, OrderRow] = {}
    rejections: list[Rejection] = []
    for place in sorted(unusual + failed):
        read = read_order(batch.records[place], batch.partition, admission)
        if isinstance(read, Rejection):
            rejections.append(read)
        else:
            rows[place] = read
    columns = _merged(usual, _columns_of(rows)) if rows else usual
    offsets = np.array([record.offset for record in batch.records], dtype=np.int64)
    return OrderColumns(
        span=Span("orders", batch.start, batch.end),
        rejections=rejections,
        offsets=offsets[columns.place],
        kinds=columns.kinds.astype(np.uint8),
        keys=columns.keys,
        occurred_at=columns.occurred_at,
        placed_at=columns.placed_at,
        units=columns.units,
        prices=columns.prices,
        identities=columns.identities.lines,
        orders=columns.identities.orders,
    )


def _usual_lines(records: Sequence[Record]) -> tuple[list[_UsualLine], list[int], list[int]]:
    """Return the values that look like usual lines, their places, and the places of all others."""
    lines = _all_usual(records)
    if lines is not None:
        return lines, list(range(len(lines))), []
    lines = []
    places: list[int] = []
    unusual: list[int] = []
    decode = _USUAL.decode
    for place, record in enumerate(records):
        if is_plain(record):
            try:
                lines.append(decode(record.value or b""))
                places.append(place)
                continue
            except (ValueError, RecursionError):  # read_order finds out why
                pass
        unusual.append(place)
    return lines, places, unusual


def _all_usual(records: Sequence[Record]) -> list[_UsualLine] | None:
    """Return the lines of a batch read in one go, None if one of them is not a plain usual line.

    Values are joined by newlines. Each must begin with ``{`` and end with
    ``}``, and no line break may be within one. No object can then reach over
    a line break: behind the ``}`` of an inner object JSON has no ``{``, and
    texts have no line breaks. So each value is at least one object, and as
    many objects as values means that each is exactly one.
    """
    joined = joined_plain(records)
    if joined is None:
        return None
    breaks = len(records) - 1
    if joined.count(b"\n") != breaks or joined.count(b"}\n{") != breaks or joined[:1] + joined[-1:] != b"{}":
        return None
    try:
        lines = _USUAL.decode_lines(joined)
    except (ValueError, RecursionError):
        return None
    return lines if len(lines) == len(records) else None


def _usual_columns(
    batch: RecordBatch, lines: Sequence[_UsualLine], places: Sequence[int], admission: Admission
) -> tuple[_Columns, list[int]]:
    """Return the lines that fit in every respect as columns, and the places of those that may not."""
    records = [batch.records[place] for place in places]
    keys = [record.key for record in records]
    occurred_at, is_read = _occurred_at(lines)
    fits = is_read & (occurred_at >= EARLIEST_AT) & (occurred_at <= _latest_at(records, admission))
    fits &= _have_right_keys(keys, lines, batch.partition, admission)
    orders = [line.order_id for line in lines]
    if not "".join(orders).isprintable():
        fits &= ~np.array([has_control_characters(order) for order in orders], dtype=np.bool_)
    numbers = np.array([line.line or 0 for line in lines], dtype=np.int64)
    prices = _prices(lines)
    units = np.array([line.quantity for line in lines], dtype=np.int64)
    place = np.array(places, dtype=np.int64)
    if fits.all():
        placed = np.full(len(place), LineKind.PLACED, dtype=np.int64)
        identities = line_identities(orders, numbers, placed)
        # each key is its value's, so none is missing
        known_keys = cast(list[bytes], keys)
        return _Columns(place, placed, known_keys, occurred_at, occurred_at, units, prices, identities), []
    fitting_keys = [key for key, one in zip(keys, fits.tolist(), strict=True) if one and key is not None]
    at = occurred_at[fits]
    kinds = np.full(len(at), LineKind.PLACED, dtype=np.int64)
    identities = line_identities([orders[one] for one in np.flatnonzero(fits).tolist()], numbers[fits], kinds)
    usual = _Columns(place[fits], kinds, fitting_keys, at, at, units[fits], prices[fits], identities)
    return usual, place[~fits].tolist()


def _occurred_at(lines: Sequence[_UsualLine]) -> tuple[Int64s, Bools]:
    """Return event times (N,), and which of them were read (N,)."""
    times = [line.event_time for line in lines]
    if not any(type(time) is str for time in times):
        return np.array(times, dtype=np.int64), np.ones(len(times), dtype=np.bool_)
    is_text = np.array([type(time) is str for time in times], dtype=np.bool_)
    at = np.array([0 if isinstance(time, str) else time for time in times], dtype=np.int64)
    at[is_text], is_text_read = instants_at([time for time in times if isinstance(time, str)])
    is_read = np.ones(len(times), dtype=np.bool_)
    is_read[is_text] = is_text_read
    return at, is_read


def _latest_at(records: Sequence[Record], admission: Admission) -> Int64s | int:
    """Return the latest event time that each record may have, (N,) or one for all."""
    if admission.max_future_ms is None:
        return LATEST_AT
    stamped = np.array([record.timestamp for record in records], dtype=np.int64)
    return np.where(stamped < 0, LATEST_AT, np.minimum(stamped + admission.max_future_ms, LATEST_AT))


def _have_right_keys(
    keys: Sequence[bytes | None], lines: Sequence[_UsualLine], partition: int, admission: Admission
) -> Bools:
    """Return which records have the key of their value, a stock key of this partition, (N,)."""
    wanted = list(map(_parts, lines))
    found: list[StockKey | None] = list(map(admission.known(partition).get, keys))
    if None in found:
        found = [admission.admit(key, partition) if one is None else one for key, one in zip(keys, found, strict=True)]
    if found == wanted:
        return np.ones(len(keys), dtype=np.bool_)
    return np.array([one == parts for one, parts in zip(found, wanted, strict=True)], dtype=np.bool_)


def _prices(lines: Sequence[_UsualLine]) -> Int64s:
    prices = [line.price for line in lines]
    if not any(price is not None for price in prices):
        return np.full(len(prices), NO_PRICE, dtype=np.int64)
    is_known = np.array([price is not None for price in prices], dtype=np.bool_)
    parts = np.rint(np.array([price or 0.0 for price in prices], dtype=np.float64) * PRICE_PARTS)
    return np.where(is_known, parts.astype(np.int64), NO_PRICE)


def _columns_of(rows: dict[int, OrderRow]) -> _Columns:
    read = rows.values()
    kinds = _int64s((row.kind for row in read), len(rows))
    numbers = _int64s((row.line for row in read), len(rows))
    return _Columns(
        place=np.array(list(rows), dtype=np.int64),
        kinds=kinds,
        keys=[row.key for row in read],
        occurred_at=_int64s((row.occurred_at for row in read), len(rows)),
        placed_at=_int64s((row.placed_at for row in read), len(rows)),
        units=_int64s((row.units for row in read), len(rows)),
        prices=_int64s((row.price for row in read), len(rows)),
        identities=line_identities([row.order_id for row in read], numbers, kinds),
    )


def _merged(one: _Columns, other: _Columns) -> _Columns:
    """Return the rows of both in the order of their places."""
    order = np.argsort(np.concatenate([one.place, other.place]), kind="stable")
    keys = [*one.keys, *other.keys]

    def merge(left: Int64s, right: Int64s) -> Int64s:
        return np.concatenate([left, right])[order]

    return _Columns(
        place=merge(one.place, other.place),
        kinds=merge(one.kinds, other.kinds),
        keys=[keys[place] for place in order.tolist()],
        occurred_at=merge(one.occurred_at, other.occurred_at),
        placed_at=merge(one.placed_at, other.placed_at),
        units=merge(one.units, other.units),
        prices=merge(one.prices, other.prices),
        identities=Identities(
            np.concatenate([one.identities.lines, other.identities.lines])[order],
            np.concatenate([one.identities.orders, other.identities.orders])[order],
        ),
    )


def _int64s(values: Iterable[int], count: int) -> Int64s:
    return np.fromiter(values, dtype=np.int64, count=count)
