"""What the page says when there is nothing yet, or something that it needs is away."""

import asyncio
from pathlib import Path

from stream_app.embedded.kafka import free_ports
from stream_app.embedded.valkey import ValkeyServer
from stream_app.settings import Settings
from stream_app.store.redis_store import RedisStore
from tests.engine.builders import DAY, HOUR, T0
from tests.page.visitor import Answer, Visitor, settings_of, visitor
from tests.store.clients import client_of
from tests.stream.shop import Shop, batch, counted, order, time_passed

PATIENCE_SECONDS = 60


async def until(planner: Visitor, path: str, text: str) -> Answer:
    """Look again until a page has a text."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            answer = await planner.see(path)
            if text in answer.page.one("main").text:
                return answer
            await asyncio.sleep(0.2)


async def sold(redis_url: str, prefix: str) -> None:
    """Ten units of A a day for ten days, counted at 40."""
    async with client_of(redis_url) as client:
        processor = await Shop(decide_from=T0 + 5 * DAY).worker(RedisStore(client, prefix))
        lines = [order(day, "A", T0 + day * DAY + HOUR, 10) for day in range(10)]
        await processor.accept(batch("orders", [*lines, time_passed(10, T0 + 10 * DAY + 2 * HOUR)]))
        await processor.accept(batch("inventory", [counted(0, "A", T0 + 10 * DAY, 40)]))


async def test_where_nothing_was_applied_yet_the_commands_that_begin_are_there(nowhere: Settings) -> None:
    async with visitor(nowhere) as planner:
        await planner.come_in()
        told = (await planner.see("/")).page.one("main").text
        assert "No stock keys yet" in told and nowhere.state_prefix in told
        assert "restock topics create" in told and "restock worker" in told
        assert "The queue is empty" in (await planner.see("/queue")).page.one("main").text
        assert "0" in (await planner.see("/quality")).page.one("dl").text


async def test_where_there_are_no_topics_yet_the_command_that_creates_them_is_named(nowhere: Settings) -> None:
    async with visitor(nowhere) as planner:
        await planner.come_in()
        await until(planner, "/queue", "does not exist: run `restock topics create`")


async def test_where_no_version_was_trained_the_command_that_trains_is_named(nowhere: Settings, tmp_path: Path) -> None:
    async with visitor(settings_of({}, **{**nowhere.model_dump(), "models": tmp_path / "none"})) as planner:
        await planner.come_in()
        told = (await planner.see("/models")).page.one("main").text
        assert "No version was trained yet" in told and "model-store train" in told


async def test_a_damaged_model_store_is_said_to_be_so(nowhere: Settings, tmp_path: Path) -> None:
    (tmp_path / "champion").write_bytes(b"nonsense")
    async with visitor(settings_of({}, **{**nowhere.model_dump(), "models": tmp_path})) as planner:
        await planner.come_in()
        answer = await planner.see("/models")
        assert answer.status == 200
        assert str(tmp_path) in answer.page.one("div", kind="empty").text


async def test_redis_that_never_answered_is_an_error_with_cause_and_next_command(nowhere: Settings) -> None:
    (port,) = free_ports(1)
    away = settings_of({}, **{**nowhere.model_dump(), "redis_url": f"redis://127.0.0.1:{port}/0"})
    async with visitor(away) as planner:
        await planner.come_in()
        for path in ("/", "/queue", "/quality"):
            answer = await until(planner, path, "Redis gives no answer")
            assert answer.status == 503
            assert "restock doctor" in answer.page.one("main").text
        assert (await planner.see("/models")).status == 200


async def test_the_password_of_redis_is_on_no_page_even_if_redis_refuses_it(nowhere: Settings, tmp_path: Path) -> None:
    secret, server = tmp_path / "password", ValkeyServer(tmp_path)
    secret.write_text("canary-4711\n")
    server.start()
    try:
        async with client_of(server.url) as client:
            await client.config_set("requirepass", "another")
        own = {**nowhere.model_dump(), "redis_url": server.url, "redis_password_file": secret}
        async with visitor(settings_of({}, **own)) as planner:
            await planner.come_in()
            for path in ("/", "/sku?location=main&sku=A", "/queue", "/models", "/quality"):
                answer = await planner.see(path)
                assert answer.status == (200 if path == "/models" else 503)
                assert "canary" not in answer.html + str(answer.headers)
            assert "restock doctor" in (await planner.see("/")).html
    finally:
        server.close()


async def test_kafka_that_does_not_answer_leaves_the_state_and_says_what_is_not_up_to_date(nowhere: Settings) -> None:
    (port,) = free_ports(1)
    await sold(nowhere.redis_url, nowhere.state_prefix)
    away = settings_of({}, **{**nowhere.model_dump(), "kafka": f"127.0.0.1:{port}"})
    async with visitor(away) as planner:
        await planner.come_in()
        answer = await until(planner, "/sku?location=main&sku=A", f"Kafka at 127.0.0.1:{port} does not answer")
        assert answer.status == 200
        assert answer.page.one("svg", kind="ladder")


async def test_when_redis_goes_away_the_last_state_stays_with_its_age_and_the_cause(
    nowhere: Settings, tmp_path: Path
) -> None:
    server = ValkeyServer(tmp_path)
    server.start()
    try:
        await sold(server.url, nowhere.state_prefix)
        own = settings_of({}, **{**nowhere.model_dump(), "redis_url": server.url})
        async with visitor(own) as planner:
            await planner.come_in()
            assert (await planner.see("/")).rows[0][0] == "A"
            server.kill()
            stale = await until(planner, "/", "s old: it could not be read anew")
            assert stale.rows[0][0] == "A"
            assert "Redis gives no answer" in stale.page.one("p", kind="danger", role="status").text
            assert (await planner.see("/sku?location=main&sku=A")).status == 503
    finally:
        server.close()
