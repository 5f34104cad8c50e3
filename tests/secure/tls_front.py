"""TLS in front of a server that has none: what comes in by TLS on loopback goes on to a unix socket."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def tls_in_front_of(unix_socket: str, server_pem: Path, host: str = "127.0.0.1") -> Iterator[int]:
    """Forward from a port with this certificate for as long as the context is open; yield the port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(server_pem)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="tls-front", daemon=True)
    thread.start()
    front = asyncio.run_coroutine_threadsafe(_listening(unix_socket, context, host), loop).result(10)
    try:
        yield int(front.sockets[0].getsockname()[1])
    finally:
        asyncio.run_coroutine_threadsafe(_closed(front), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _listening(unix_socket: str, context: ssl.SSLContext, host: str) -> asyncio.Server:
    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(unix_socket)
        await asyncio.gather(_copied(reader, inner_writer), _copied(inner_reader, writer))

    return await asyncio.start_server(forward, host, 0, ssl=context)


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


async def _closed(front: asyncio.Server) -> None:
    front.close()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
