"""The report of a simulation: one file that loads nothing, says what the table says, and that everybody can read."""

import asyncio
import hashlib
import json
import re
from base64 import b64encode
from pathlib import Path

from stream_app.page.simulation import Simulation, verdict
from stream_app.page.trade_off import trade_off
from stream_app.simulate.specs import parsed
from stream_app.simulate.trade_off import Curve, Point, swept
from tests.page.browser import tab
from tests.page.test_browser import AXE, AXE_SHA256, PICTURES, needs_axe, needs_chromium
from tests.simulate.test_command import figures, simulate

POLICIES = ("--policy", "RS", "--policy", "cost", "--policy", "min_max:cover_days=0")


def reported(folder: Path, *options: str) -> str:
    result = simulate(folder, *POLICIES, "--html", str(folder / "report.html"), *options)
    assert result.exit_code == 0, result.output
    return (folder / "report.html").read_text()


def test_the_report_loads_nothing_and_allows_nothing_but_its_own_style(tmp_path: Path) -> None:
    html = reported(tmp_path, "--trade-off", "0.8,0.95")
    assert not re.findall(r"<script|<link|<img|https?://|url\(|@import| style=| on\w+=", html)
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in html


def test_the_report_says_what_the_figures_say_and_how_to_read_them(tmp_path: Path) -> None:
    html = reported(tmp_path, "--trade-off", "0.8,0.95", "--json", str(tmp_path / "out.json"))
    found = json.loads((tmp_path / "out.json").read_text())
    for run in found["runs"]:
        assert f"{run['cost']['total']:,.2f}" in html
        assert f"{run['fill_rate']:.2%}" in html
    for curve in found["trade_off"]:
        assert [point["service"] for point in curve["points"]] == [0.8, 0.95]
        assert all(f"{point['days_of_stock']:,.2f}" in html for point in curve["points"])
    assert {curve["policy"] for curve in found["trade_off"]} == {"RS", "min_max:cover_days=0"}
    for said in ("2011-01-30 to 2011-02-27", "28 of 1 day", "is lost", "How to read it", "catalog.csv", "main"):
        assert said in html


def test_the_same_figures_give_the_same_bytes(tmp_path: Path) -> None:
    assert reported(tmp_path, "--trade-off", "0.9") == reported(tmp_path, "--trade-off", "0.9")


def test_a_target_of_the_sweep_is_what_the_policy_at_that_target_is(tmp_path: Path) -> None:
    simulate(tmp_path, "--policy", "RS", "--trade-off", "0.9", "--json", str(tmp_path / "swept.json"))
    (curve,) = json.loads((tmp_path / "swept.json").read_text())["trade_off"]
    (alone,) = figures(tmp_path, "--policy", "RS:service=0.9")
    (point,) = curve["points"]
    assert point["cost"] == alone["cost"]["total"]
    assert {name: point[name] for name in ("fill_rate", "days_of_stock", "orders")} == {
        name: alone[name] for name in ("fill_rate", "days_of_stock", "orders")
    }


def test_a_target_out_of_range_is_refused_in_words(tmp_path: Path) -> None:
    refused = simulate(tmp_path, "--policy", "RS", "--trade-off", "95")
    assert "--trade-off 95" in str(refused.exception)
    assert "must be a number from 0.5 to 0.9999" in str(refused.exception)


def test_what_is_written_in_names_of_files_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "<b>&.csv"
    path.write_text("event_id,sku,event_time,type,on_hand\nc,A,2011-01-30T00:00:00Z,stock_counted,5\n")
    html = reported(tmp_path, "--inventory", str(path), "--trade-off", "0.9")
    assert "&lt;b&gt;&amp;.csv" in html
    assert "<b>&.csv" not in html


def test_targets_are_played_once_each_and_only_where_a_policy_has_one() -> None:
    found = swept([parsed("sS:service=0.7,cover_days=3"), parsed("newsvendor")], [0.9, 0.8, 0.9])
    assert [one.played.text for one in found] == ["sS:service=0.8,cover_days=3", "sS:service=0.9,cover_days=3"]


def test_a_verdict_says_when_the_order_may_be_chance() -> None:
    best = {"policy": "RS", "model": "a", "cost": {"total": 10.0}, "fill_rate": 0.9, "days_of_stock": 3.0}
    other = {**best, "model": "b", "cost": {"total": 11.0}, "against_best": {"cost": 1.0, "low": -1.0, "high": 3.0}}
    assert "may be chance" in verdict(Simulation((), [best, other], [[], []], ()))
    free = {**best, "cost": {"total": 0.0}}
    assert verdict(Simulation((), [free], [[]], ())).startswith("Most served: RS with a, 90.00%")


def test_more_service_and_more_stock_lie_further_up_and_to_the_right() -> None:
    run = {"policy": "RS", "model": "a", "fill_rate": 0.95, "days_of_stock": 6.0}
    points = [Point(0.9, 1.0, 0.9, 0.9, 5.0, 1, 0.0), Point(0.99, 1.0, 0.99, 0.9, 9.0, 1, 0.0)]
    low, high, own = trade_off([run], [Curve("RS", "a", points)]).lines[0].marks
    assert own.is_own and not low.is_own
    assert low.x < own.x < high.x
    assert low.y > own.y > high.y


@needs_chromium
async def test_the_report_fits_the_window_in_light_dark_and_on_a_phone(tmp_path: Path) -> None:
    await asyncio.to_thread(reported, tmp_path, "--model", "starter")
    PICTURES.mkdir(parents=True, exist_ok=True)
    async with tab(tmp_path / "profile") as browser:
        for look, width, dark in (("light", 1280, False), ("dark", 1280, True), ("phone", 390, False)):
            await browser.look(width=width, dark=dark, is_phone=look == "phone")
            await browser.open((tmp_path / "report.html").as_uri())
            await browser.picture(PICTURES / f"simulation-{look}.png")
            assert await browser.run("document.documentElement.scrollWidth <= innerWidth"), look
            assert await browser.run("getComputedStyle(document.querySelector('section')).borderRadius") == "12px"
        assert browser.complaints == []


@needs_chromium
@needs_axe
async def test_axe_finds_nothing_serious_in_the_report(tmp_path: Path) -> None:
    await asyncio.to_thread(reported, tmp_path, "--trade-off", "0.9,0.95")
    source = await asyncio.to_thread(AXE.read_bytes)
    assert hashlib.sha256(source).hexdigest() == AXE_SHA256
    async with tab(tmp_path / "profile") as browser:
        for dark in (False, True):
            await browser.look(width=1280, dark=dark)
            await browser.open((tmp_path / "report.html").as_uri())
            await browser.run(source.decode() + ";true")
            found = await browser.run("axe.run().then(r => r.violations.map(v => [v.impact, v.id, v.nodes[0].html]))")
            assert [one for one in found if one[0] in ("serious", "critical")] == []
