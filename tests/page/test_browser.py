"""The page in a real Chromium, where it is installed: nothing breaks, nothing overflows, everybody can use it."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stream_app.embedded.jars import cache_folder
from stream_app.settings import Settings
from tests.e2e.shop import SKUS
from tests.page.browser import CHROMIUM, Tab, tab
from tests.page.conftest import PlayedShop
from tests.page.shop import DECLINED, FAST
from tests.page.test_rulings import waiting_at
from tests.page.visitor import Visitor, visitor

PICTURES = Path(__file__).parents[2] / "var/page"
AXE = cache_folder() / "axe-core-4.14.1/axe.min.js"
AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
PAGES = {
    "list": "/",
    "sku": f"/sku?location=main&sku={FAST}",
    "queue": "/queue",
    "declined": f"/sku?location=main&sku={DECLINED}",
    "models": "/models",
    "quality": "/quality",
    "unknown": "/sku?location=main&sku=NEVER",
}
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")
needs_axe = pytest.mark.skipif(not AXE.exists(), reason="axe-core is not in the cache: sh tools/axe.sh")


@pytest.fixture
async def opened(shop: PlayedShop, tmp_path: Path) -> AsyncIterator[tuple[Tab, Visitor]]:
    """A browser that opened the link."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    async with visitor(shop.settings, by="ann") as planner, tab(tmp_path) as browser:
        await browser.open(f"{planner.base}/?token={planner.access.token}")
        await browser.until("location.search === '' && document.querySelector('h1') !== null")
        yield browser, planner


@needs_chromium
async def test_every_page_fits_the_window_in_light_dark_chinese_and_on_a_phone(opened: tuple[Tab, Visitor]) -> None:
    browser, planner = opened
    for name, path in PAGES.items():
        for look, width, dark, language in (
            ("light", 1280, False, "en"),
            ("dark", 1280, True, "en"),
            ("chinese", 1280, False, "zh"),
            ("phone", 390, False, "en"),
        ):
            await browser.look(width=width, dark=dark, is_phone=look == "phone")
            await browser.open(f"{planner.base}{path}{'&' if '?' in path else '?'}lang={language}")
            await browser.picture(PICTURES / f"{name}-{look}.png")
            assert await browser.run("document.documentElement.scrollWidth <= innerWidth"), (name, look)
    expected = {"Failed to load resource: the server responded with a status of 404 (Not Found)"}
    assert set(browser.complaints) <= expected, "only the SKU that is not known is missing"


@needs_chromium
async def test_it_is_used_by_keyboard_and_renews_itself_when_state_was_read_anew(opened: tuple[Tab, Visitor]) -> None:
    browser, planner = opened
    await browser.open(f"{planner.base}/?lang=en")
    await browser.ask("Input.dispatchKeyEvent", type="keyDown", key="/", text="/")
    assert await browser.run("document.activeElement.id") == "search"
    await browser.ask("Input.insertText", text=SKUS[12])
    await browser.ask("Input.dispatchKeyEvent", type="keyDown", key="Enter", text="\r")
    await browser.until("document.querySelectorAll('tbody tr').length === 1")
    await browser.run("document.activeElement.blur(); document.querySelector('tbody').id = 'old'")
    await browser.until("document.getElementById('old') === null && document.querySelector('tbody') !== null")


async def serious_findings(browser: Tab, axe: str) -> list[tuple[str, str]]:
    """Return what axe calls serious on the page as it stands: its rule and the first place."""
    await browser.run(axe)
    found = await browser.run("axe.run().then(told => told.violations)")
    return [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]


async def press(browser: Tab, key: str, text: str = "") -> None:
    """Press a key and let it go."""
    code = {"Tab": 9, "Enter": 13}[key]
    for kind in ("keyDown", "keyUp"):
        said = {"text": text} if text and kind == "keyDown" else {}
        await browser.ask("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **said)


@needs_chromium
async def test_a_request_is_approved_by_keyboard_and_enter_in_the_note_sends_nothing(
    nowhere: Settings, tmp_path: Path
) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    async with waiting_at(nowhere) as waiting, visitor(nowhere, by="ann") as planner, tab(tmp_path) as browser:
        await browser.open(f"{planner.base}/queue?token={planner.access.token}")
        await browser.until("location.search === '' && document.querySelector('summary') !== null")
        await browser.run("document.querySelector('summary').focus()")
        await press(browser, "Enter", "\r")
        await browser.until("document.querySelector('details.ruling').open")
        await press(browser, "Tab")
        assert await browser.run("document.activeElement.name") == "note"
        await browser.ask("Input.insertText", text="trade fair")
        await press(browser, "Enter", "\r")
        for look, width, dark in (("light", 1280, False), ("dark", 1280, True), ("phone", 390, False)):
            await browser.look(width=width, dark=dark, is_phone=look == "phone")
            await browser.picture(PICTURES / f"ruling-{look}.png")
            assert await browser.run("document.documentElement.scrollWidth <= innerWidth"), look
            if AXE.exists():
                assert not await serious_findings(browser, await asyncio.to_thread(AXE.read_text)), look
        assert waiting.written() == [] and await browser.run("location.search") == ""
        await press(browser, "Tab")
        assert await browser.run("document.activeElement.value") == "approved"
        await press(browser, "Enter", "\r")
        await browser.until("location.search.startsWith('?ruled=') && document.activeElement?.id === 'ruled'")
        assert "Approved: " in await browser.run("document.activeElement.textContent")
        await browser.picture(PICTURES / "ruled-phone.png")
        (written,) = [json.loads(one.value or b"") for one in waiting.written()]
        assert (written["type"], written["note"], written["by"]) == ("restock_approved", "trade fair", "ann")
        assert browser.complaints == []


@needs_chromium
@needs_axe
async def test_axe_finds_nothing_serious_on_any_page_in_light_or_dark(opened: tuple[Tab, Visitor]) -> None:
    browser, planner = opened
    source = await asyncio.to_thread(AXE.read_bytes)
    assert hashlib.sha256(source).hexdigest() == AXE_SHA256
    for path in PAGES.values():
        for dark in (False, True):
            await browser.look(width=1280, dark=dark)
            await browser.open(planner.base + path)
            assert not await serious_findings(browser, source.decode()), (path, dark)
