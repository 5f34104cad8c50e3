"""A link to Redis that can fail: it cuts, refuses, or loses answers, and counts what passed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit


class Link:
    """Forwards bytes between a client and the server.

    ``answers_lost`` is how many coming answers are swallowed, the connection
    closed instead; while ``is_cut`` nobody gets through.
    """

    def __init__(self, redis_url: str, socket: Path) -> None:
        self._server_url = urlsplit(redis_url)
        self._socket = socket
        self.answers_lost = 0
        self.is_cut = False
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def address(self) -> str:
        """What a client connects to."""
        return f"unix://{self._socket}?db=0"

    @asynccontextmanager
    async def up(self) -> AsyncIterator["Link"]:
        """Serve while the context is open."""
        server = await asyncio.start_unix_server(self._connected, self._socket)
        try:
            yield self
        finally:
            self.cut()
            server.close()
            await server.wait_closed()

    def cut(self) -> None:
        """Close every connection and let none in."""
        self.is_cut = True
        for writer in self._open:
            writer.close()

    def mend(self) -> None:
        """Let connections in again."""
        self.is_cut = False

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_cut:
            writer.close()
            return
        url = self._server_url
        if url.scheme == "unix":
            from_server, to_server = await asyncio.open_unix_connection(url.path)
        else:
            from_server, to_server = await asyncio.open_connection(url.hostname, url.port)
        self._open |= {writer, to_server}
        asking = asyncio.create_task(self._ask(reader, to_server))
        await self._answer(from_server, writer)
        for one in (writer, to_server):
            self._open.discard(one)
            one.close()
        await asking

    async def _ask(self, reader: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while content := await reader.read(65_536):
                to_server.write(content)
                await to_server.drain()
        to_server.close()

    async def _answer(self, from_server: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while content := await from_server.read(65_536):
                if self.answers_lost:
                    self.answers_lost -= 1
                    return
                writer.write(content)
                await writer.drain()
