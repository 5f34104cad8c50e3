"""Requests that wait for approval, read beside the workers, and the events by which a person rules on them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

from replenishment.engine.approvals import no_ruling
from replenishment.engine.restore import request_of
from replenishment.engine.rows import restocks_table, waiting_table
from replenishment.events import RestockApproved, RestockDeclined, RestockRequested
from stream_app.store.reader import Standing, StateReader
from stream_app.wire.times import shown

Verdict: TypeAlias = Literal["approved", "declined"]
LONGEST_NAME_BYTES, LONGEST_NOTE_BYTES = 64, 500
_request = msgspec.json.Decoder(RestockRequested)
_RULINGS: Mapping[Verdict, type[RestockApproved | RestockDeclined]] = {
    "approved": RestockApproved,
    "declined": RestockDeclined,
}


class WaitingRequest(msgspec.Struct, frozen=True):
    """A request that waits for approval; ``value`` is None where no unit cost is known."""

    restock_id: str
    location: str
    sku: str
    supplier: str
    quantity: int
    value: float | None
    reasons: Sequence[str]
    decided_at: str
    needed_by: str
    expires: str
    is_expired: bool


@dataclass(frozen=True, slots=True)
class Examined:
    """What of some requests can be ruled on, in their order, and a sentence for each that cannot."""

    waiting: Sequence[WaitingRequest]
    problems: Sequence[str]


async def waiting_requests(reader: StateReader) -> Sequence[WaitingRequest]:
    """Return the requests that wait for approval, the oldest first.

    Raises:
        Unavailable: If Redis does not answer in time.
        StateCorrupt: If what is stored does not decode.
    """
    found = [one for standing in await _standings(reader) for one in await _waiting(reader, standing)]
    return sorted(found, key=lambda one: (one.decided_at, one.restock_id))


async def examined(reader: StateReader, ids: Sequence[str], verdict: Verdict) -> Examined:
    """Return which requests wait for a ruling, and why the others do not; errors as of ``waiting_requests``."""
    standings = await _standings(reader)
    waiting = {one.restock_id: one for standing in standings for one in await _waiting(reader, standing)}
    known: dict[str, str] = {}
    for standing in standings:
        known.update(await _refused(reader, standing, ids, verdict))
    unknown = "there is no request {}, or it was settled and forgotten; `restock queue` lists what waits"
    problems = [known.get(one, unknown.format(one) if one not in waiting else "") for one in dict.fromkeys(ids)]
    return Examined([waiting[one] for one in dict.fromkeys(ids) if one in waiting], [one for one in problems if one])


def is_tellable(text: str, longest_bytes: int) -> bool:
    r"""Return whether a name or note may stand in a ruling: printable, and not too long.

    Example:
        >>> [is_tellable(text, 6) for text in ("", "商展", "商展!", "two\nlines")]
        [True, True, False, False]
    """
    return len(text.encode()) <= longest_bytes and text.isprintable()


def ruling_records(
    requests: Sequence[WaitingRequest], verdict: Verdict, at: int, by: str, note: str
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the key and value of one record on ``inventory`` for each request.

    The ``event_id`` hangs on request and verdict only: sent twice, it counts once.
    """
    for one in requests:
        event = {
            "type": f"restock_{verdict}",
            "event_id": f"{one.restock_id}/{verdict}",
            "location": one.location,
            "sku": one.sku,
            "event_time": shown(at),
            "restock_id": one.restock_id,
        }
        told = {name: text for name, text in (("by", by), ("note", note)) if text}
        yield f"{one.location}|{one.sku}".encode(), msgspec.json.encode({**event, **told})


async def _standings(reader: StateReader) -> Sequence[Standing]:
    found = [await reader.standing(partition) for partition in await reader.partitions()]
    return [one for one in found if one is not None]


async def _waiting(reader: StateReader, standing: Standing) -> Sequence[WaitingRequest]:
    rows = await reader.small_table(standing.partition, waiting_table().name)
    found = (_request.decode(waiting_table().unpack(row)["request"][0]) for row in rows.values())
    return [_shown(one, standing.progress.clock) for one in found]


def _shown(request: RestockRequested, clock: int) -> WaitingRequest:
    location, _, sku = request.key.decode().partition("|")
    return WaitingRequest(
        restock_id=request.restock_id,
        location=location,
        sku=sku,
        supplier=request.supplier,
        quantity=request.units,
        value=request.evidence.value,
        reasons=request.evidence.approval_reasons or (),
        decided_at=shown(request.decided_at),
        needed_by=shown(request.needed_by),
        expires=shown(request.expires_at),
        is_expired=request.expires_at <= clock,
    )


async def _refused(reader: StateReader, standing: Standing, ids: Sequence[str], verdict: Verdict) -> Mapping[str, str]:
    """Return a sentence for each request of a partition that cannot be ruled on."""
    rows = await reader.rows_of_keys(standing.partition, restocks_table().name, [one.encode() for one in ids])
    refused = {}
    for restock_id, row in rows.items():
        request = request_of(restocks_table().unpack(row)[0].item())
        event = _RULINGS[verdict](b"", "", 0, restock_id.decode())
        refused[restock_id.decode()] = no_ruling(request, event, standing.progress.clock)
    return {restock_id: reason for restock_id, reason in refused.items() if reason}
