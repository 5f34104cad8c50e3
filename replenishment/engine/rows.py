"""Durable rows: one little-endian dtype per table, the same in memory, in Redis and for readers.

Nobody else knows a layout. A table in memory is one structured array with a row per key, so that packing
touched rows is a copy and a line finds all it needs of a key in two cache
lines. Change a dtype and raise ``LAYOUT``: stored state of another layout is
refused by name.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from replenishment.accuracy import MEASURES, SCORED_LEVELS
from replenishment.arrays import Records
from replenishment.drift import Watch
from replenishment.engine.effects import RowWrites
from replenishment.engine.known import KeptSignal
from replenishment.engine.plan import Plan
from replenishment.lead_time import REMEMBERED_DELIVERIES
from replenishment.segments import CELLS

LAYOUT = 4
NEVER = -(2**62)
"""A bucket before any other: a key without lines, a row that was never stepped."""
SEEN_IN_A_ROW = 64
"""How many fingerprints of order lines are stored together."""
REMEMBERED_EVENTS = 64
"""How many ``event_id``s of a key are remembered."""
LONGEST_REQUEST_BYTES = 6_144
"""Room for one request with its evidence, several times what there is of it."""
FOREVER_UNITS = 2**31 - 1
"""Largest sum of a closed bucket; beyond it the window saturates."""
FIXED_LEADS = (1, 7, 14)
"""Leads in buckets at which forecasts of every key are scored, beside the key's own protection interval."""
LEAD_NAMES = ("protection", *map(str, FIXED_LEADS))
LEADS = len(LEAD_NAMES)


@dataclass(frozen=True)
class Table:
    """One hash of a partition: its name and the dtype of a row."""

    name: str
    row: np.dtype[np.void]

    @cached_property
    def row_bytes(self) -> int:
        """Width of a packed row."""
        return self.row.itemsize

    def unpack(self, packed: bytes) -> Records:
        """Return packed rows as records (B,).

        Raises:
            ValueError: If the bytes are no whole number of rows.
        """
        return np.frombuffer(packed, dtype=self.row)

    def writes(self, keys: list[bytes], records: Records, gone: tuple[bytes, ...] = ()) -> RowWrites:
        """Return the rows as bytes to write, one for each key."""
        return RowWrites(self.name, self.row_bytes, keys, records.tobytes(), gone)


def hot_table(plan: Plan) -> Table:
    """Open buckets and stock: written with every line."""
    opened = (plan.open_buckets,)
    return Table(
        "hot",
        np.dtype(
            [
                ("net_units", "<i8"),  # on hand minus backorders
                ("counted_at", "<i8"),
                ("open_units", "<i8", opened),  # column = bucket modulo open buckets
                ("open_prices", "<i8", opened),  # sums in 1/10,000
                ("open_lines", "<u4", opened),
                ("open_priced", "<u4", opened),
                ("open_short_ms", "<u4", opened),  # time of each in which the key was short, but for the last time
                ("short_since", "<i8"),  # event times: the last time it was short, NEVER = not yet
                ("short_until", "<i8"),  # NEVER = it still is
                ("ordinal", "<u4"),  # the key's row number, so that order survives a restart
                ("slot", "<u4"),  # requests since the last closing
                ("stock", "u1"),  # StockKnowledge
                ("is_held", "u1"),  # refused: nothing more before the next closing
                ("is_cooling", "u1"),  # it was said since the last closing that the cool-down withholds a request
            ]
        ),
    )


def window_table(plan: Plan) -> Table:
    """Facts of closed buckets, no model's business: written at closings and for late lines."""
    window = (plan.window_buckets,)
    return Table(
        "window",
        np.dtype(
            [
                ("born_bucket", "<i8"),
                ("closed_bucket", "<i8"),
                ("units", "<i4", window),  # column = bucket modulo window; signed sums
                ("lines", "<u2", window),
                ("short_steps", "u1", window),  # of 200 in which nothing could be sold
            ]
        ),
    )


def forecast_table(version: str, memory_floats: int, levels: int) -> Table:
    """All that one model version derived, with the terms that were in force when it did."""
    return Table(
        f"forecast:{version}",
        np.dtype(
            [
                ("stepped_bucket", "<i8"),
                ("reorder_point", "<i8"),
                ("order_up_to_level", "<i8"),
                ("service_level", "<f8"),
                ("used_level", "<f8"),  # the same after calibration
                ("lead_time_days", "<f8"),
                ("review_period_days", "<f8"),
                ("cover_days", "<f8"),
                ("reorder_units", "<f8"),  # s and S before whole units were made of them
                ("order_up_to_units", "<f8"),
                ("textbook_reorder_units", "<f8"),  # what the last 28 days say instead
                ("textbook_order_up_to_units", "<f8"),
                ("order_quantity_units", "<i8"),  # the lot of (s,nQ), 0 = none
                ("shelf_life_days", "<f8"),
                ("shelf_life_units", "<i8"),  # expected to sell until an order perishes; only with a shelf life
                ("expected_daily_units", "<f8"),  # that stand in for demand; 0 = the forecast decides
                ("lost_units", "<f8"),  # expected to be lost before delivery, which S need not cover
                ("lead_time_mean_buckets", "<f4"),  # of promises and deliveries together
                ("lead_time_deviation_buckets", "<f4"),
                ("deliveries_observed", "<u4"),
                ("protection_buckets", "<i4"),
                ("cover_buckets", "<i4"),
                ("policy", "u1"),  # Policy
                ("service_kind", "u1"),  # ServiceKind
                ("traits", "u1"),  # Traits
                ("order_days", "u1"),
                ("scored_lead", "<u2", (LEADS,)),  # forecasts that wait for their demand, protection interval first
                ("scored_due", "<i4", (LEADS,)),  # the bucket with whose end it is known, 0 = none waits
                ("scored_units", "<f4", (LEADS, len(SCORED_LEVELS) + 1)),  # quantiles, then the mean
                ("decided_level", "<f4"),  # of the forecast over protection that waits; 0 = decided otherwise
                ("decided_units", "<f4"),
                ("curve", "<f4", (levels,)),  # demand over the protection interval
                ("planned_units", "<f4"),  # what plans add to expected demand over the protection interval
                ("memory", "<f4", (memory_floats,)),
            ]
        ),
    )


def accuracy_table() -> Table:
    """How good a version's forecasts turned out to be in this partition; field = the version."""
    return Table(
        "accuracy",
        np.dtype(
            [
                ("sums", "<f8", (LEADS, CELLS, MEASURES)),
                ("fast_units", "<f8"),  # least units of a fast key
                ("residual_sum", "<f8"),  # of the bucket that is closing
                ("residual_count", "<f8"),
                ("watch", "<f8", (len(Watch._fields),)),
                ("drifted_bucket", "<i8"),  # since when retraining is asked for, 0 = it is not
                ("shift", "<f8", (CELLS,)),  # of decision levels, in log-odds
                ("shifted_bucket", "<i8", (CELLS,)),
                ("miss_sum", "<f8", (CELLS,)),
                ("miss_count", "<f8", (CELLS,)),
                ("miss_lead_buckets", "<f8", (CELLS,)),
            ]
        ),
    )


def restocks_table() -> Table:
    """One row per request that may still be answered; field = ``restock_id``."""
    return Table(
        "restocks",
        np.dtype(
            [
                ("ordinal", "<u4"),
                ("status", "u1"),
                ("pending", "<i8"),
                ("on_order", "<i8"),
                ("in_transit", "<i8"),
                ("received", "<i8"),
                ("withdrawn", "<i8"),  # asked for and taken back
                ("expires_at", "<i8"),
                ("settled_at", "<i8"),
                ("needed_by", "<i8"),  # NEVER = not asked for by us
                ("late_unit_buckets", "<i8"),  # sum over receipts of units times buckets after needed_by
                ("lead_time_buckets", "<u2"),  # the promise when it was asked for
                ("is_overdue", "u1"),  # was said to be late
                ("asked_bucket", "<i8"),  # with the slot the order in which a key's requests were made
                ("slot", "<u4"),
                ("revision", "<u4"),
                ("supplier", "S64"),  # who was asked
                ("asked_at", "<i8"),
                ("asked_units", "<i8"),
                ("asked_value", "<f8"),  # 0 = not known
                ("approval", "u1"),  # Approval
            ]
        ),
    )


def deliveries_table() -> Table:
    """Lead times of a key's latest deliveries in buckets; column = number of the delivery modulo those remembered."""
    return Table("deliveries", np.dtype([("observed", "<u4"), ("buckets", "<u2", (REMEMBERED_DELIVERIES,))]))


def events_table() -> Table:
    """Fingerprints of the last inventory events of a key, oldest first, 0 = none."""
    return Table("events", np.dtype([("fingerprints", "<u8", (REMEMBERED_EVENTS,))]))


def signals_table() -> Table:
    """Words on signals, one row for each channel; field = ordinal of the key, serial of the word, channel."""
    return Table(
        "signals",
        np.dtype(
            [
                ("signal", "<u8"),  # fingerprint of its id
                ("said_at", "<i8"),
                ("starts_at", "<i8"),
                ("ends_at", "<i8"),
                ("known_from", "<i8"),  # buckets
                ("known_until", "<i8"),
                ("value", "<f8"),  # NaN = the word names no channel
                ("is_planned", "u1"),  # 0 = withdrawn
            ]
        ),
    )


def signal_rows(row: int, word: KeptSignal) -> tuple[list[bytes], Records]:
    """Return the fields and rows of one word, one for each channel; without channels it has a row all the same."""
    facts = (word.signal, word.said_at, word.starts_at, word.ends_at, word.known_from, word.known_until)
    values = word.values or (("", np.nan),)
    fields = [f"{row}.{word.serial}.{name}".encode() for name, _ in values]
    records = [(*facts, value, word.is_planned) for _, value in values]
    return fields, np.array(records, dtype=signals_table().row)


def signal_of(field: bytes, record: tuple[Any, ...]) -> tuple[int, KeptSignal]:
    """Return the row of the key and the word that one row of ``signals`` holds, with the one channel that it names.

    Raises:
        ValueError: If the field is not one of ``signal_rows``.
    """
    row, serial, channel = field.decode().split(".", 2)
    signal, said_at, starts_at, ends_at, known_from, known_until, value, is_planned = record
    word = KeptSignal(
        serial=int(serial),
        signal=signal,
        is_planned=bool(is_planned),
        said_at=said_at,
        known_from=known_from,
        known_until=known_until,
        starts_at=starts_at,
        ends_at=ends_at,
        values=((channel, value),) if channel else (),
    )
    return int(row), word


def with_channels(words: Iterable[KeptSignal]) -> list[KeptSignal]:
    """Return the words on one key by their serials, each with all its channels, from words with one channel each."""
    found: dict[int, KeptSignal] = {}
    for word in words:
        known = found.get(word.serial)
        found[word.serial] = word if known is None else replace(word, values=tuple(sorted(known.values + word.values)))
    return [found[one] for one in sorted(found)]


def seen_table(bucket: int) -> Table:
    """Fingerprints of the lines of one open bucket in log order, 0 = none; field = number of the row."""
    return Table(f"seen:{bucket}", np.dtype([("fingerprints", "<u8", (SEEN_IN_A_ROW,))]))


def waiting_table() -> Table:
    """Requests that wait for approval, as JSON, so that they can be said again as they are; field = ``restock_id``."""
    return Table("waiting", np.dtype([("request", f"S{LONGEST_REQUEST_BYTES}")]))
