"""Stored state against settings and topics: would a worker take it over, and does it belong to these topics."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from redis.exceptions import RedisError

from replenishment.engine.rows import LAYOUT
from stream_app.doctor.finding import Finding, fine, problem
from stream_app.doctor.redis_check import client_of
from stream_app.errors import RestockError
from stream_app.server_settings import variable
from stream_app.settings import Settings
from stream_app.store.patience import Patience
from stream_app.store.reader import Standing, StateReader

ASK_SECONDS = 2.0
_SETTINGS = {
    "open_buckets": "RESTOCK_ALLOWED_LATENESS_SECONDS gives ",
    "row_layout": "this version of the product has ",
}


@dataclass(frozen=True, slots=True)
class StateSeen:
    """Findings, and the partitions that have state; None if Redis did not tell."""

    findings: Sequence[Finding]
    partitions: Sequence[int] | None = None


async def examined_state(settings: Settings, partitions: Mapping[str, int]) -> StateSeen:
    """Return what there is to say of the state under our prefix; nothing where Redis does not answer.

    Args:
        settings: Of the worker.
        partitions: Of the input topics, by role, where known.
    """
    client = None
    try:
        client = client_of(settings.redis_address())
        reader = StateReader(client, settings.state_prefix, Patience(ASK_SECONDS))
        async with asyncio.timeout(ASK_SECONDS):
            found = [await reader.standing(number) for number in await reader.partitions()]
    except (RestockError, RedisError, OSError, TimeoutError):
        return StateSeen([])  # the examination of Redis says why
    finally:
        if client is not None:
            with suppress(RedisError, OSError):
                await client.aclose()
    standings = [one for one in found if one is not None]
    findings = [*_of_layout(settings, standings), *_of_count(settings, standings, partitions)]
    return StateSeen(findings or [fine("state", _summary(settings, standings))], [one.partition for one in standings])


def _summary(settings: Settings, standings: Sequence[Standing]) -> str:
    if not standings:
        return f"there is no state under RESTOCK_STATE_PREFIX={settings.state_prefix} yet"
    keys, unsent = sum(one.keys for one in standings), sum(one.unsent for one in standings)
    return f"state of {len(standings)} partitions with {keys:,} stock keys fits the settings; {unsent:,} entries unsent"


def _of_layout(settings: Settings, standings: Sequence[Standing]) -> Iterator[Finding]:
    wanted = {"row_layout": LAYOUT, **settings.plan().layout}
    differing = {
        (name, one.layout[name], wanted[name])
        for one in standings
        for name in wanted.keys() & one.layout.keys()
        if one.layout[name] != wanted[name]
    }
    for name, stored, here in sorted(differing):
        setting = _SETTINGS.get(name) or f"{variable(name)} is "
        what = f"the stored state has {name.replace('_', ' ')} {stored}, {setting}{here}: a worker would refuse it"
        yield problem("state.layout", what, "set the stored value again, or choose another RESTOCK_STATE_PREFIX")


def _of_count(settings: Settings, standings: Sequence[Standing], partitions: Mapping[str, int]) -> Iterator[Finding]:
    orders, highest = partitions.get("orders"), max((one.partition for one in standings), default=-1)
    if orders is not None and highest >= orders:
        what = f"there is state of partition {highest}, but {settings.topic_prefix}orders has {orders} partitions"
        mend = "give the topics of this state, or choose another RESTOCK_STATE_PREFIX"
        yield problem("state.partitions", what, mend)
