"""The planner's morning on a shop that was really played: every page, against what state and topics say."""

import json
from typing import Any

import pytest

from tests.e2e.shop import SKUS
from tests.page.conftest import PlayedShop
from tests.page.shop import DECLINED, FAST, HOSTILE, WAITING
from tests.page.test_states import until
from tests.page.visitor import visitor


def days(text: str) -> float:
    """Return a number of days of the list."""
    return {"no demand": 1e9, "–": 1e10}.get(text) or float(text.removeprefix("> ").replace(",", "") or 0)


def whole(text: str) -> int:
    return int(text.rstrip("?").strip().replace(",", "").replace("−", "-"))


@pytest.fixture(scope="session")
def states(shop: PlayedShop) -> dict[str, dict[str, Any]]:
    found, _ = shop.product.state()
    return found


async def test_what_runs_out_first_is_on_top_and_every_key_is_on_some_page(
    shop: PlayedShop, states: dict[str, dict[str, Any]]
) -> None:
    async with visitor(shop.settings) as planner:
        await planner.come_in()
        first, second = await planner.see("/"), await planner.see("/?page=2")
        rows = first.rows + second.rows
        assert sorted(row[0] for row in rows) == SKUS[:-1], "all but the one that is not active"
        lasting = [days(row[3]) for row in rows]
        assert lasting == sorted(lasting)
        for row in rows:
            state = states[f"main|{row[0]}"]
            assert whole(row[7]) == state["inventory_position"]
            assert row[8] == ("–" if state["reorder_point"] is None else f"{state['reorder_point']:,}")


async def test_the_list_is_sorted_searched_filtered_and_paged_by_its_address(shop: PlayedShop) -> None:
    async with visitor(shop.settings) as planner:
        await planner.come_in()
        positions = [whole(row[7]) for row in (await planner.see("/?sort=position&dir=desc")).rows]
        assert positions == sorted(positions, reverse=True) and len(positions) == 50
        assert [row[0] for row in (await planner.see("/?q=sku-01&sort=key")).rows] == SKUS[10:20]
        garden = await planner.see("/?category=garden&sort=key")
        assert [row[0] for row in garden.rows] == SKUS[1::3]
        assert "30 stock keys" in garden.page.one("caption").text
        assert "Nothing matches" in (await planner.see("/?q=nothing-like-it")).page.one("main").text
        assert (await planner.see("/?page=999")).page.one("nav", kind="pager").text.startswith("← Page 2 of 2")


async def test_the_tiles_count_how_keys_stand_and_choose_them(shop: PlayedShop) -> None:
    async with visitor(shop.settings) as planner:
        await planner.come_in()
        tiles = (await planner.see("/")).page.one("ul", kind="tiles").all("a")
        assert sum(whole(tile.one("b").text) for tile in tiles) == len(SKUS)
        for tile in tiles:
            chosen = await planner.see(tile.attributes["href"] or "")
            count = whole(tile.one("b").text)
            assert count == 0 or f"of {count} stock keys" in chosen.page.one("caption").text
        (inactive,) = (await planner.see("/?condition=inactive")).rows
        assert inactive[0] == SKUS[89]


@pytest.mark.parametrize(
    ("query", "named"),
    [("sort=price", "days_of"), ("condition=lost", "owed, out"), ("page=-1", "1–999999"), (f"q={'x' * 131}", "1–130")],
)
async def test_a_query_that_cannot_be_is_answered_with_what_it_may_be(shop: PlayedShop, query: str, named: str) -> None:
    async with visitor(shop.settings) as planner:
        await planner.come_in()
        answer = await planner.see(f"/?{query}")
        assert answer.status == 400
        assert (named if query != "sort=price" else "stock, reorder") in answer.page.one("main").text


async def test_one_sku_shows_its_demand_levels_position_and_why(
    shop: PlayedShop, states: dict[str, dict[str, Any]]
) -> None:
    async with visitor(shop.settings) as planner:
        await planner.come_in()
        await until(planner, f"/sku?location=main&sku={FAST}", "settled")
        page = (await planner.see(f"/sku?location=main&sku={FAST}")).page
        state = states[f"main|{FAST}"]
        assert f"Position: {state['inventory_position']:,} units" in page.one("h2", id="position").text
        bars = [bar for bar in page.all("rect", kind="closed") if bar.all("title")]
        told = [f"{start[:10]}: {units:,}" for start, units in state["window"]]
        assert [bar.text for bar in bars] == told
        fan = page.one("svg", kind="fan")
        assert fan.one("line", kind="reorder") and fan.one("line", kind="up-to") and len(fan.all("polygon")) == 2
        requested = [one for one in shop.requests.values() if one["sku"] == FAST]
        assert len(page.all("g", kind="requested")) == len(requested) > 0
        assert page.all("g", kind="received")
        planned = [one.text for one in page.all("rect", kind="planned")]
        assert len(planned) == 2 and all("price 8.00, promotion 50.0 %" in one for one in planned)
        assert len(page.one("details", id="plans").one("tbody").all("tr")) == 2, "what was called off is no plan"
        assert f"The inventory position of {FAST} in main is" in page.one("main").text


async def test_a_request_is_explained_and_computed_again(shop: PlayedShop) -> None:
    restock_id, request = next((one, told) for one, told in shop.requests.items() if told["sku"] == FAST)
    async with visitor(shop.settings) as planner:
        await planner.come_in()
        page = (await planner.see(f"/request?id={restock_id}")).page
        assert f"{request['quantity']:,} units, the same" in page.one("p", kind="good").text
        evidence = {row.one("th").text: row.one("td").text for row in page.one("tbody").all("tr")}
        assert evidence["Expected demand over it"]
        assert whole(evidence["Position just before"]) == request["evidence"]["inventory_position"]
        assert whole(evidence["Requested"]) == request["quantity"]


async def test_the_queue_has_every_request_that_is_not_settled_the_oldest_first(
    shop: PlayedShop, states: dict[str, dict[str, Any]]
) -> None:
    coming = sum(
        state["inventory"]["on_order"] + state["inventory"]["in_transit"] + state["inventory"]["pending"]
        for state in states.values()
    )
    async with visitor(shop.settings) as planner:
        await planner.come_in()
        answer = await planner.see("/queue")
        assert f"{coming:,} units in all" in answer.page.one("p", kind="lead").text
        ages = [float(row[5].removesuffix(" days")) for row in answer.rows]
        assert ages == sorted(ages, reverse=True) and ages
        assert {"waits for approval", "asked for", "accepted", "in transit"} == {row[2] for row in answer.rows}


async def test_what_waits_is_apart_and_what_was_declined_is_said_to_be_so(shop: PlayedShop) -> None:
    waiting = next(one for one in shop.requests.values() if one["sku"] == WAITING)
    declined = next(one for one in shop.requests.values() if one["sku"] == DECLINED and not one["quantity"])
    async with visitor(shop.settings, by="ann") as planner:
        await planner.come_in()
        queue = (await planner.see("/queue")).page
        address = f"/request?id={waiting['restock_id']}"
        (card,) = [one for one in queue.one("ol", kind="decisions").all("li") if one.all("a", href=address)]
        assert card.one("h3").text == f"{WAITING} main" and card.one("b").text == f"{waiting['quantity']:,} units"
        assert f"worth {waiting['quantity'] * 2.5:,.2f}" in card.text
        (back, *_) = queue.one("section", aria_labelledby="taken-back").one("tbody").all("tr")
        assert back.one("th").text.startswith(DECLINED)
        assert [one.text for one in back.all("td")][1] == "declined" and "Bob" in back.text
        sku = (await planner.see(f"/sku?location=main&sku={DECLINED}")).page
        assert "declined" in sku.one("section", aria_labelledby="requests").text
        assert sku.all("g", kind="withdrawn") and sku.one("li", kind="withdrawn")
        why = (await planner.see(f"/request?id={declined['restock_id']}")).page
        assert "It was declined by Bob" in why.one("main").text and not why.all("form")
        explained = (await planner.see(f"/request?id={waiting['restock_id']}")).page
        assert waiting["restock_id"] in [one.attributes.get("value") for one in explained.one("form").all("input")]


async def test_data_quality_counts_what_was_late_and_what_was_refused_by_code(shop: PlayedShop) -> None:
    _, summary = shop.product.state()
    async with visitor(shop.settings) as planner:
        await planner.come_in()
        page = (await planner.see("/quality")).page
        facts = {one.one("dt").text: whole(one.one("dd").text) for one in page.one("dl").all("div")}
        assert facts["Records rejected"] == summary["rejected"] >= 4
        assert facts["Late lines, too old"] == summary["late_dropped"] == 1
        codes = {row.one("th").text: whole(row.one("td").text) for row in page.all("tbody")[0].all("tr")}
        assert sum(codes.values()) == summary["rejected"]
        assert "main|" not in json.dumps(sorted(codes))


async def test_a_suppliers_name_stays_text_whatever_it_is(shop: PlayedShop) -> None:
    async with visitor(shop.settings) as planner:
        await planner.come_in()
        for path in (
            "/",
            f"/sku?location=main&sku={SKUS[0]}",
            "/queue",
            "/?supplier=%3Cscript%3Ealert(1)%3C/script%3E",
        ):
            answer = await planner.see(path)
            assert HOSTILE not in answer.html
            assert {one.attributes.get("src") for one in answer.page.all("script")} == {"/static/page.js"}
        assert HOSTILE in answer.rows[0][1]


@pytest.mark.parametrize(
    "path", ["/sku?location=main&sku=<i>", "/sku?location=main&sku=NEVER", "/request?id=<i>", "/?sort=<i>", "/?q=<i>"]
)
async def test_what_stands_in_an_address_stays_text(shop: PlayedShop, path: str) -> None:
    async with visitor(shop.settings) as planner:
        await planner.come_in()
        answer = await planner.see(path)
        assert "<i>" not in answer.html
        assert answer.status in (200, 400, 404)


async def test_every_page_is_there_in_chinese_and_the_choice_is_kept(shop: PlayedShop) -> None:
    async with visitor(shop.settings) as planner:
        await planner.come_in()
        assert (await planner.see("/", Accept_Language="zh-CN,zh;q=0.9")).page.one("html").attributes["lang"] == "zh"
        assert "最先缺货" in (await planner.see("/?lang=zh")).page.one("h1").text
        for path in ("/", f"/sku?location=main&sku={FAST}", "/queue", "/models", "/quality", "/nowhere"):
            page = (await planner.see(path)).page
            assert page.one("html").attributes["lang"] == "zh"
            assert any("\u4e00" <= letter <= "\u9fff" for letter in page.one("h1").text + page.one("main").text)


async def test_an_open_page_is_told_when_state_was_read_anew(shop: PlayedShop) -> None:
    async with visitor(shop.settings) as planner:
        await planner.come_in()
        async with planner.session.get(f"{planner.base}/live") as stream:
            assert stream.headers["Content-Type"] == "text/event-stream"
            assert await stream.content.readline() == b"event: reading\n"
