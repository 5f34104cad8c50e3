"""All that is known of one stock key, read from Redis beside the workers."""

from redis.asyncio import Redis

from replenishment.keys import key_bytes
from stream_app.approvals import waiting_requests
from stream_app.explain.silence import Known
from stream_app.inspect import Selection, key_rows, key_states
from stream_app.settings import Settings
from stream_app.store.patience import Patience
from stream_app.store.reader import StateReader
from stream_app.store.redis_store import RedisStore


async def known_of(client: Redis, settings: Settings, patience: Patience, location: str, sku: str) -> Known | None:
    """Return what is known of a stock key, None if no partition has it.

    Raises:
        Unavailable: If Redis does not answer in time.
        StateCorrupt: If what is stored does not decode.
    """
    key = key_bytes(location, sku)
    reader = StateReader(client, settings.state_prefix, patience, more=("terms",))
    is_paused = await RedisStore(client, settings.state_prefix, patience).is_paused()
    for partition in await reader.partitions():
        snapshot = await reader.snapshot(partition, key)
        if snapshot is None:
            continue
        for _, state in key_states(snapshot, Selection(location, sku)):
            rows = key_rows(snapshot, key)
            waiting = await waiting_requests(reader)
            units = sum(one.quantity for one in waiting if (one.location, one.sku) == (location, sku))
            return Known(state, rows, snapshot.standing.progress, is_paused, settings.max_request_ratio, units)
    return None
