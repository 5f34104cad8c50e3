"""Every row of a hash in chunks, without blocking the server."""

from collections.abc import AsyncIterator
from functools import partial

from redis.asyncio import Redis

from stream_app.errors import StateCorrupt
from stream_app.store.connection import command
from stream_app.store.patience import Patience

CHUNK_ROWS = 2_000
LOOKED_AT_ROWS = 20_000
"""Of a hash of which few rows are wanted, in one request."""


async def rows_of(
    client: Redis, patience: Patience, key: str, row_bytes: int, match: str = ""
) -> AsyncIterator[tuple[list[bytes], bytes]]:
    """Yield the names and packed rows of a hash, chunk by chunk, each name once.

    Args:
        client: As ``connected`` makes it.
        patience: How long to ask.
        key: Of the hash.
        row_bytes: Width of its rows.
        match: Redis' pattern of the names that are wanted; empty = all.

    Raises:
        StateCorrupt: If a row has another width, or the key is no hash.
    """
    seen: set[bytes] = set()
    cursor = 0
    how = ("MATCH", match, "COUNT", LOOKED_AT_ROWS) if match else ("COUNT", CHUNK_ROWS)
    while True:
        cursor, found = await patience.ask(partial(command, client, "HSCAN", key, cursor, *how))
        # a scan may return a row twice while the hash is being resized
        fresh = {name: row for name, row in found.items() if name not in seen}
        for name, row in fresh.items():
            if len(row) != row_bytes:
                raise StateCorrupt(
                    f"row {name.decode(errors='backslashreplace')} of {key} has {len(row)} bytes, must have "
                    f"{row_bytes}. Keep the Redis files and restore a back-up"
                )
        seen.update(fresh)
        if fresh:
            yield list(fresh), b"".join(fresh.values())
        if not cursor:
            return
