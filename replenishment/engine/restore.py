"""From stored rows back to the state of a partition, table by table."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from replenishment.arrays import Int64s, Records
from replenishment.engine.effects import RowWrites
from replenishment.engine.held import HeldLine, held_table
from replenishment.engine.known import KeptSignal
from replenishment.engine.repeats import SeenLines
from replenishment.engine.rows import (
    NEVER,
    REMEMBERED_EVENTS,
    Table,
    accuracy_table,
    deliveries_table,
    events_table,
    hot_table,
    restocks_table,
    seen_table,
    signals_table,
    waiting_table,
    window_table,
)
from replenishment.engine.state import OpenRequest, PartitionState
from replenishment.engine.terms import terms_table
from replenishment.events import RestockRequested
from replenishment.stock import Approval, RequestParts, RequestStatus

NO_KEY = b""
"""Stands for a key whose row is not loaded yet."""
_request = msgspec.json.Decoder(RestockRequested)


class StateMismatch(Exception):
    """Loaded rows contradict each other: a row of a key that no other table knows, or a hole in the ordinals."""


def tables(state: PartitionState) -> Sequence[Table]:
    """Return the tables to load at a claim, in the order in which ``restore`` wants them."""
    plan = state.plan
    own = [hot_table(plan), window_table(plan), terms_table(), restocks_table(), events_table()]
    own += [deliveries_table(), accuracy_table(), waiting_table(), held_table(), signals_table()]
    if state.first_open_bucket != NEVER:
        own += [seen_table(state.first_open_bucket + ahead) for ahead in range(plan.open_buckets)]
    return own if state.champion.grid is None else [*own, state.champion.table]


def restore(state: PartitionState, writes: RowWrites) -> None:
    """Put one loaded chunk of a table in; ``hot`` comes first, since it gives each key its row.

    Raises:
        StateMismatch: If a row belongs to a key that ``hot`` does not have.
    """
    by_name = {table.name: table for table in tables(state)}
    records = by_name[writes.table].unpack(writes.packed)
    name, _, rest = writes.table.partition(":")
    if name == "seen":
        state.seen.setdefault(int(rest), SeenLines()).restore(records)
        return
    try:
        _RESTORE[name](state, writes.keys, records)
    except KeyError as missing:
        raise StateMismatch(f"table {writes.table} of partition {state.partition} has a row for {missing}") from None


def restored(state: PartitionState) -> None:
    """Put in order what a store gives in none, and check that all rows are there, once every table is in.

    Raises:
        StateMismatch: If an ordinal is missing.
    """
    for ids in state.asked.values():
        ids.sort(key=lambda one: (state.requests[one].asked_bucket, state.requests[one].slot))
    if NO_KEY in state.keys.keys:
        row = state.keys.keys.index(NO_KEY)
        raise StateMismatch(f"table hot of partition {state.partition} has no row with ordinal {row}")


def _restore_hot(state: PartitionState, keys: Sequence[bytes], records: Records) -> None:
    highest = max(records["ordinal"].tolist(), default=-1)
    known = state.keys.keys
    known.extend([NO_KEY] * (highest + 1 - len(known)))
    state.reserve(len(known))
    rows = records["ordinal"].astype(np.int64)
    state.hot[rows] = records
    for key, row in zip(keys, rows.tolist(), strict=True):
        state.keys.rows[key] = row
        known[row] = key


def _restore_restocks(state: PartitionState, ids: Sequence[bytes], records: Records) -> None:
    for restock_id, record in zip(ids, records.tolist(), strict=True):
        request = state.requests[restock_id.decode()] = request_of(record)
        row, parts = request.row, request.parts
        state.open_requests += parts.is_open
        if request.is_ours:
            state.asked.setdefault(row, []).append(restock_id.decode())
        state.pending[row] += parts.pending
        state.on_order[row] += parts.on_order
        state.in_transit[row] += parts.in_transit


def request_of(record: tuple[Any, ...]) -> OpenRequest:
    """Return the request that a row of ``restocks`` holds."""
    ordinal, status, pending, on_order, in_transit, received, withdrawn, *rest = record
    parts = RequestParts(pending, on_order, in_transit, received, RequestStatus(status), withdrawn)
    request = OpenRequest(ordinal, parts, *rest)
    request.approval = Approval(request.approval)
    return request


def _restore_waiting(state: PartitionState, ids: Sequence[bytes], records: Records) -> None:
    for restock_id, request in zip(ids, records["request"].tolist(), strict=True):
        state.waiting[restock_id.decode()] = _request.decode(request)


def _restore_events(state: PartitionState, keys: Sequence[bytes], records: Records) -> None:
    for key, fingerprints in zip(keys, records["fingerprints"].tolist(), strict=True):
        state.events[state.keys.rows[key]] = deque((one for one in fingerprints if one), maxlen=REMEMBERED_EVENTS)


def _restore_window(state: PartitionState, keys: Sequence[bytes], records: Records) -> None:
    state.window[_known_rows(state, keys)] = records


def _restore_deliveries(state: PartitionState, keys: Sequence[bytes], records: Records) -> None:
    state.deliveries[_known_rows(state, keys)] = records


def _restore_terms(state: PartitionState, keys: Sequence[bytes], records: Records) -> None:
    state.terms[_known_rows(state, keys)] = records


def _restore_forecast(state: PartitionState, keys: Sequence[bytes], records: Records) -> None:
    state.champion.rows[_known_rows(state, keys)] = records


def _restore_accuracy(state: PartitionState, versions: Sequence[bytes], records: Records) -> None:
    for place, name in enumerate(versions):
        version, account = name.decode(), records[place : place + 1].copy()
        if version == state.champion.version:
            state.champion.account = account
        else:
            state.accounts[version] = account


def _restore_held(state: PartitionState, offsets: Sequence[bytes], records: Records) -> None:
    for offset, record in zip(offsets, records.tolist(), strict=True):
        state.held[int(offset)] = HeldLine(*record)


def _restore_signals(state: PartitionState, fields: Sequence[bytes], records: Records) -> None:
    for name, record in zip(fields, records.tolist(), strict=True):
        ordinal, serial, channel = name.decode().split(".", 2)
        row = int(ordinal)
        if row >= state.keys.count:
            raise KeyError(name)
        signal, said_at, starts_at, ends_at, known_from, known_until, value, is_planned = record
        found = {word.serial: word for word in state.signals.of(row)}
        values = found[int(serial)].values if int(serial) in found else ()
        if channel:
            values = tuple(sorted((*values, (channel, value))))
        found[int(serial)] = KeptSignal(
            serial=int(serial),
            signal=signal,
            is_planned=bool(is_planned),
            said_at=said_at,
            known_from=known_from,
            known_until=known_until,
            starts_at=starts_at,
            ends_at=ends_at,
            values=values,
        )
        state.signals.put(row, [found[one] for one in sorted(found)])


def _known_rows(state: PartitionState, keys: Sequence[bytes]) -> Int64s:
    return np.array([state.keys.rows[key] for key in keys], dtype=np.int64)


_RESTORE = {
    "hot": _restore_hot,
    "window": _restore_window,
    "terms": _restore_terms,
    "restocks": _restore_restocks,
    "waiting": _restore_waiting,
    "events": _restore_events,
    "deliveries": _restore_deliveries,
    "forecast": _restore_forecast,
    "accuracy": _restore_accuracy,
    "held": _restore_held,
    "signals": _restore_signals,
}
