"""A real Chromium without a window, steered by its DevTools protocol over one WebSocket: no driver is needed."""

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium")
START_SECONDS = 30
FLAGS = (
    "--headless",
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--remote-debugging-port=0",
)
LEFT = ("Inspected target navigated or closed", "Cannot find context with specified id")


class PageLeft(Exception):
    """The page went away while it was asked: another one is coming."""


class Tab:
    """One page of the browser; made by ``tab``."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self.complaints: list[str] = []

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the answer to a command; remember what the page complains of meanwhile."""
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            told = await self._socket.receive_json(timeout=START_SECONDS)
            self._note(told)
            if told.get("id") == self._number:
                if told.get("error", {}).get("message") in LEFT:
                    raise PageLeft(told)
                assert "error" not in told, told
                answer: dict[str, Any] = told["result"]
                return answer

    async def open(self, address: str) -> None:
        """Go to an address and wait until its page and scripts are there."""
        await self.ask("Page.navigate", url=address)
        await self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def run(self, script: str) -> Any:
        """Return what an expression, or its promise, gives."""
        told = await self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    async def until(self, condition: str) -> None:
        """Wait until an expression is true, on the page that comes too when this one is being left."""
        async with asyncio.timeout(START_SECONDS):
            while not await self._holds(condition):
                await asyncio.sleep(0.05)

    async def _holds(self, condition: str) -> bool:
        try:
            return bool(await self.run(condition))
        except PageLeft:
            return False

    async def look(self, *, width: int, height: int = 900, dark: bool = False, is_phone: bool = False) -> None:
        """Set how large the window is and which colours are preferred."""
        scale = 2 if is_phone else 1
        await self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=is_phone
        )
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        await self.ask("Emulation.setEmulatedMedia", features=scheme)

    async def picture(self, path: Path) -> None:
        """Write all of the page to a PNG."""
        told = await self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(told["data"]))

    def _note(self, told: dict[str, Any]) -> None:
        if told.get("method") == "Log.entryAdded" and told["params"]["entry"]["level"] == "error":
            self.complaints.append(told["params"]["entry"]["text"])
        if told.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(told["params"]["exceptionDetails"]))


@asynccontextmanager
async def tab(profile: Path) -> AsyncIterator[Tab]:
    """Start a browser with a profile of its own; it is gone afterwards."""
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(await _page_address(profile, session), max_msg_size=0) as socket,
        ):
            opened = Tab(socket)
            for domain in ("Page", "Runtime", "Log", "Network"):
                await opened.ask(f"{domain}.enable")
            yield opened
    finally:
        process.terminate()
        await process.wait()


async def _page_address(profile: Path, session: aiohttp.ClientSession) -> str:
    file = profile / "DevToolsActivePort"
    async with asyncio.timeout(START_SECONDS):
        while not (file.exists() and len(file.read_text().splitlines()) == 2):
            await asyncio.sleep(0.05)
        port = file.read_text().splitlines()[0]
        while True:
            async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                pages = [one for one in await answer.json() if one["type"] == "page"]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
            await asyncio.sleep(0.05)
