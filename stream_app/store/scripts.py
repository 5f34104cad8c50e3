"""The scripts of the store as package data, run by digest and sent whole only where a server has not seen them."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha1
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from stream_app.store.connection import command


@dataclass(frozen=True)
class Script:
    """One Lua script of this folder."""

    name: str

    @cached_property
    def source(self) -> str:
        """Its text."""
        return files("stream_app.store").joinpath(f"{self.name}.lua").read_text()

    @cached_property
    def digest(self) -> str:
        """What Redis knows it by."""
        return sha1(self.source.encode(), usedforsecurity=False).hexdigest()

    async def run(self, client: Redis, keys: list[str], arguments: list[bytes | str | int]) -> Any:
        """Return what the script returns; keys must be of one slot."""
        try:
            return await command(client, "EVALSHA", self.digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return await command(client, "EVAL", self.source, len(keys), *keys, *arguments)


CLAIM = Script("claim")
APPLY = Script("apply")
MARK_SENT = Script("mark_sent")
