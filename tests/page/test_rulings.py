"""Approving and declining on the page: the event of the command line, from a form of the page and nowhere else."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stream_app.approvals import ruling_records, waiting_requests
from stream_app.embedded.kafka import free_ports
from stream_app.embedded.valkey import ValkeyServer
from stream_app.kafka.topics import TopicNames, create
from stream_app.page.recent import Recent
from stream_app.page.rulings import REMEMBERED_SECONDS, Rulings
from stream_app.processor import Processor
from stream_app.settings import Settings
from stream_app.store.reader import StateReader
from stream_app.store.redis_store import RedisStore
from stream_app.topic_reader import Message
from tests.e2e.checker import read_topic
from tests.engine.builders import DAY, HOUR, T0
from tests.page.visitor import Answer, Visitor, settings_of, visitor
from tests.store.clients import client_of
from tests.stream.shop import Kept, Shop, batch, counted, order, record, time_passed

BY = "ann"
COUNTS = 2
"""Counts of stock that the worker took before."""


@dataclass
class Waiting:
    """A product of which two requests wait for approval, and its worker, which is run by hand."""

    settings: Settings
    worker: Processor
    ids: Mapping[str, str]

    def written(self) -> list[Kept]:
        """What lies on ``inventory`` of the rulings."""
        topic = TopicNames(self.settings.topic_prefix).of("inventory")
        found = read_topic(self.settings.kafka, topic)
        return [Kept(COUNTS + place, one.key, one.value) for place, one in enumerate(found)]

    async def acted(self) -> None:
        """Have the worker take what was written."""
        await self.worker.accept(batch("inventory", self.written()))


@asynccontextmanager
async def waiting_at(settings: Settings) -> AsyncIterator[Waiting]:
    """Sell ten of A and B a day, count both at 40, and have each request wait."""
    create(settings.kafka_access(), TopicNames(settings.topic_prefix), 1, 1)
    terms = {"unit_cost": 2.5, "approval_above_units": 0, "supplier": "<b>Harbour"}
    days = [(day, sku) for day in range(10) for sku in "AB"]
    lines = [order(place, sku, T0 + day * DAY + HOUR, 10) for place, (day, sku) in enumerate(days)]
    async with client_of(settings.redis_url) as client:
        worker = await Shop(decide_from=T0 + 5 * DAY).worker(RedisStore(client, settings.state_prefix))
        await worker.accept(batch("catalog", [record(place, sku, **terms) for place, sku in enumerate("AB")]))
        await worker.accept(batch("orders", [*lines, time_passed(20, T0 + 10 * DAY + 2 * HOUR)]))
        counts = [counted(place, sku, T0 + 10 * DAY, 40) for place, sku in enumerate("AB")]
        await worker.accept(batch("inventory", counts))
        found = await waiting_requests(StateReader(client, settings.state_prefix))
        assert {one.sku for one in found} == {"A", "B"}
        yield Waiting(settings, worker, {one.sku: one.restock_id for one in found})


@pytest.fixture
async def waiting(nowhere: Settings) -> AsyncIterator[Waiting]:
    async with waiting_at(nowhere) as made:
        yield made


async def fields_of(planner: Visitor, restock_id: str, verdict: str, note: str = "") -> dict[str, str]:
    """Return what the browser would send of the form of a request."""
    page = (await planner.see("/queue")).page
    form = page.one("details", id=f"rule-{restock_id}").one("form")
    hidden = {one.attributes["name"]: one.attributes["value"] for one in form.all("input", type="hidden")}
    assert verdict in [one.attributes.get("value") for one in form.all("button")]
    return {str(name): str(value) for name, value in hidden.items()} | {"verdict": verdict, "note": note}


async def followed(planner: Visitor, answer: Answer) -> Answer:
    assert answer.status == 303
    return await planner.see(answer.headers["Location"])


def events(waiting: Waiting) -> list[dict[str, Any]]:
    return [json.loads(one.value or b"") for one in waiting.written()]


async def test_the_queue_shows_what_waits_with_units_value_and_reason(waiting: Waiting) -> None:
    async with visitor(waiting.settings) as planner:
        await planner.come_in()
        answer = await planner.see("/queue")
        cards = answer.page.one("ol", kind="waiting").all("li")
        assert sorted(card.one("h3").text for card in cards) == ["A main", "B main"]
        assert "units are more than 0" in cards[0].one("p", lang="en").text
        assert "worth " in cards[0].text and "<b>Harbour" in cards[0].text and "<b>Harbour" not in answer.html
        assert [row[2] for row in answer.rows] == ["waits for approval"] * 2
        assert "had no answer" not in answer.page.one("p", kind="lead").text


async def test_without_the_option_there_is_no_button_and_the_command_that_gives_it_is_named(waiting: Waiting) -> None:
    async with visitor(waiting.settings) as planner:
        await planner.come_in()
        page = (await planner.see("/queue")).page
        assert not page.all("form") and not page.all("button")
        assert "restock page --allow-actions" in page.one("main").text
        fields = {"form": planner.access.form, "id": waiting.ids["A"], "verdict": "approved"}
        answer = await planner.send("/queue", fields)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
        assert "POST is not answered here" in answer.page.one("main").text
        assert "restock page --allow-actions" in answer.page.one("main").text
    assert waiting.written() == []


@pytest.mark.parametrize(("verdict", "said"), [("approved", "Approved: "), ("declined", "Declined: ")])
async def test_a_ruling_writes_the_event_of_the_command_line_and_the_worker_acts_on_it(
    waiting: Waiting, verdict: str, said: str
) -> None:
    async with visitor(waiting.settings, by=BY) as planner:
        await planner.come_in()
        fields = await fields_of(planner, waiting.ids["A"], verdict, " trade fair, 商展 ")
        done = await followed(planner, await planner.send("/queue", fields))
        assert done.page.one("p", kind="good").text.startswith(said)
        assert not done.page.all("details", id=f"rule-{waiting.ids['A']}")
        assert done.page.all("details", id=f"rule-{waiting.ids['B']}")
        (written,) = events(waiting)
        async with client_of(waiting.settings.redis_url) as client:
            reader = StateReader(client, waiting.settings.state_prefix)
            (one,) = [each for each in await waiting_requests(reader) if each.sku == "A"]
            rulings = ruling_records([one], fields["verdict"], 0, BY, "trade fair, 商展")  # type: ignore[arg-type]
            ((_, expected),) = rulings
            assert {**json.loads(expected), "event_time": written["event_time"]} == written
            await waiting.acted()
            assert [each.sku for each in await waiting_requests(reader)] == ["B"]
        assert [card.one("h3").text for card in (await planner.see("/queue")).page.one("ol").all("li")] == ["B main"]


async def test_pressing_twice_writes_the_same_event_and_changes_nothing(waiting: Waiting) -> None:
    async with visitor(waiting.settings, by=BY) as planner:
        await planner.come_in()
        fields = await fields_of(planner, waiting.ids["A"], "approved")
        for _ in range(2):
            assert (await planner.send("/queue", fields)).status == 303
        assert [one["event_id"] for one in events(waiting)] == [f"{waiting.ids['A']}/approved"] * 2
        contrary = await planner.send("/queue", {**fields, "verdict": "declined"})
        assert contrary.status == 409 and "was approved here a moment ago" in contrary.page.one("main").text
        await waiting.acted()
        async with client_of(waiting.settings.redis_url) as client:
            standing = await StateReader(client, waiting.settings.state_prefix).standing(0)
        assert standing is not None and standing.progress.repeated == 1
        answer = await planner.send("/queue", fields)
        assert answer.status == 409
        told = answer.page.one("main").text
        assert "Nothing was written" in told and "was released already" in told and "Back to the restock queue" in told
        assert not answer.page.all(id="live"), "the sentence must not be replaced by the queue"
    assert len(waiting.written()) == 2


async def test_a_form_of_another_site_an_earlier_start_or_without_the_cookie_writes_nothing(waiting: Waiting) -> None:
    async with visitor(waiting.settings, by=BY) as planner:
        stranger = await planner.send("/queue", {"form": planner.access.form, "id": waiting.ids["A"]})
        assert stranger.status == 401
        await planner.come_in()
        fields = await fields_of(planner, waiting.ids["A"], "approved")
        refused = [
            await planner.send("/queue", fields, Origin="http://evil.example"),
            await planner.send("/queue", fields, Origin="null"),
            await planner.send("/queue", fields, Origin=""),
            await planner.send("/queue", fields, Origin="http://127.0.0.1:1"),
            await planner.send("/queue", fields, Sec_Fetch_Site="cross-site"),
            await planner.send("/queue", fields, Sec_Fetch_Site="same-site"),
            await planner.send("/queue", {**fields, "form": "guess"}),
            await planner.send("/queue", {**fields, "form": "é"}),
            await planner.send("/queue", {**fields, "verdict": "released"}),
            await planner.send("/queue", fields, Content_Type="text/plain"),
            await planner.send("/queue", {}),
        ]
        for answer in refused:
            assert answer.status == 403
            assert "not sent by a form of this page" in answer.page.one("main").text
        assert (await planner.send("/queue", fields, Host="evil.example")).status == 403
        assert (await planner.send("/", fields)).status == 405
        assert (await planner.see("/queue", "PUT")).headers["Allow"] == "GET, HEAD, POST"
    assert waiting.written() == []


@pytest.mark.parametrize(("note", "status"), [("x" * 501, 400), ("two\nlines", 400), ("x" * 20_000, 413)])
async def test_a_note_that_does_not_fit_is_said_with_its_limit(waiting: Waiting, note: str, status: int) -> None:
    async with visitor(waiting.settings, by=BY) as planner:
        await planner.come_in()
        answer = await planner.send("/queue", await fields_of(planner, waiting.ids["A"], "declined", note))
        assert answer.status == status
        assert "at most 500 bytes" in answer.page.one("main").text
    assert waiting.written() == []


async def test_what_never_was_is_said_to_be_unknown(waiting: Waiting) -> None:
    async with visitor(waiting.settings, by=BY) as planner:
        await planner.come_in()
        fields = await fields_of(planner, waiting.ids["A"], "approved")
        answer = await planner.send("/queue", {**fields, "id": "<i>nobody's"})
        assert answer.status == 409
        assert "there is no request" in answer.page.one("main").text and "<i>" not in answer.html
        assert "Approved" not in (await planner.see("/queue?ruled=<i>nobody's")).page.one("main").text


async def test_kafka_that_is_away_is_said_and_pressing_again_is_harmless(waiting: Waiting) -> None:
    (port,) = free_ports(1)
    away = settings_of({}, **{**waiting.settings.model_dump(), "kafka": f"127.0.0.1:{port}"})
    async with visitor(away, by=BY) as planner:
        await planner.come_in()
        fields = await fields_of(planner, waiting.ids["A"], "approved")
        answer = await planner.send("/queue", fields)
        assert answer.status == 503
        told = answer.page.one("main").text
        assert "Press the button again" in told and f"127.0.0.1:{port}" in told and "restock doctor" in told
        assert await fields_of(planner, waiting.ids["A"], "approved") == fields, "the buttons are still there"


async def test_redis_that_went_away_is_said_and_nothing_is_written(nowhere: Settings, tmp_path: Path) -> None:
    server = ValkeyServer(tmp_path)
    server.start()
    try:
        own = settings_of({}, **{**nowhere.model_dump(), "redis_url": server.url})
        async with waiting_at(own) as waiting, visitor(own, by=BY) as planner:
            await planner.come_in()
            fields = await fields_of(planner, waiting.ids["A"], "approved")
            server.kill()
            assert "cannot be read at present" in (await planner.see("/queue")).page.one("main").text
            answer = await planner.send("/queue", fields)
            assert answer.status == 503
            assert answer.page.one("h1").text == "Nothing was written"
            assert "Redis gives no answer" in answer.page.one("main").text
            assert waiting.written() == []
    finally:
        server.close()


async def test_a_request_that_expired_while_it_waited_can_only_be_declined(waiting: Waiting) -> None:
    later = T0 + 10 * DAY + round(waiting.settings.expiry_days + 1) * DAY
    await waiting.worker.accept(batch("orders", [time_passed(21, later)]))
    async with visitor(waiting.settings, by=BY) as planner:
        await planner.come_in()
        card = (await planner.see("/queue")).page.one("ol", kind="waiting").one("li")
        assert "can only be declined" in card.text
        assert [one.text for one in card.all("button", kind="second")] == ["Decline"]
        assert "Approve " not in card.one("form").text


async def test_every_sentence_of_a_ruling_is_there_in_chinese(waiting: Waiting) -> None:
    async with visitor(waiting.settings, by=BY) as planner:
        await planner.come_in()
        await planner.see("/?lang=zh")
        fields = await fields_of(planner, waiting.ids["A"], "approved")
        done = await followed(planner, await planner.send("/queue", fields))
        assert "已批准" in done.page.one("p", kind="good").text
        assert "没有写入" in (await planner.send("/queue", {})).page.one("main").text


def test_a_ruling_is_remembered_for_a_minute() -> None:
    now = [0.0]
    rulings = Rulings(Settings().kafka_access(), "inventory", BY, now_seconds=lambda: now[0])
    assert rulings.lately("one") is None
    now[0] = REMEMBERED_SECONDS + 1
    assert rulings.lately("one") is None


def test_what_was_taken_back_last_is_first() -> None:
    recent = Recent()
    for number, (restock_id, quantity) in enumerate([("a", 5), ("b", 7), ("b", 0), ("a", 0)]):
        value = {"restock_id": restock_id, "quantity": quantity, "evidence": {}, "withdrawn": "needless"}
        recent.take("restock", Message(0, number, 0, b"main|A", json.dumps(value).encode(), ()))
    assert [request["restock_id"] for request, _ in recent.withdrawals()] == ["a", "b"]
