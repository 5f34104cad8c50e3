"""The page in a real Chromium, where it is installed: nothing breaks, nothing overflows, everybody can use it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stream_app.embedded.jars import cache_folder
from tests.e2e.shop import SKUS
from tests.page.browser import CHROMIUM, Tab, tab
from tests.page.conftest import PlayedShop
from tests.page.shop import FAST
from tests.page.visitor import Visitor, visitor

PICTURES = Path(__file__).parents[2] / "var/page"
AXE = cache_folder() / "axe-core-4.14.1/axe.min.js"
AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
PAGES = {
    "list": "/",
    "sku": f"/sku?location=main&sku={FAST}",
    "queue": "/queue",
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
    async with visitor(shop.settings) as planner, tab(tmp_path) as browser:
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
            await browser.run(source.decode())
            found = await browser.run("axe.run().then(told => told.violations)")
            serious = [
                (one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")
            ]
            assert not serious, (path, dark)
