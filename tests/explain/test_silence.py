"""Why nothing was requested: each reason, read from a real Redis after real records."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from click.testing import CliRunner

from stream_app.cli.explain import NotExplained
from stream_app.cli.main import cli
from stream_app.store.redis_store import RedisStore
from tests.engine.builders import DAY, HOUR, T0
from tests.store.clients import client_of
from tests.stream.shop import Kept, Shop, batch, counted, order, record, time_passed


@pytest.fixture
def prefix(redis_url: str, unique_name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("RESTOCK_REDIS_URL", redis_url)
    monkeypatch.setenv("RESTOCK_STATE_PREFIX", unique_name)
    return unique_name


def sold(days: int = 10) -> list[Kept]:
    """Ten units of A a day, then an hour of the next day."""
    lines = [order(day, "A", T0 + day * DAY + HOUR, 10) for day in range(days)]
    return [*lines, time_passed(days, T0 + days * DAY + 2 * HOUR)]


def applied(
    redis_url: str,
    prefix: str,
    orders: Sequence[Kept],
    inventory: Sequence[Kept] = (),
    catalog: Sequence[Kept] = (),
    is_requesting: bool = False,
    **shop: Any,
) -> None:
    """Run records through a worker's processor over Redis."""

    async def run() -> None:
        async with client_of(redis_url) as client:
            processor = await Shop(**{"decide_from": T0 + 5 * DAY, **shop}).worker(
                RedisStore(client, prefix), is_requesting=is_requesting
            )
            for topic, records in (("catalog", catalog), ("orders", orders), ("inventory", inventory)):
                if records:
                    assert (await processor.accept(batch(topic, records))).is_durable  # type: ignore[arg-type]

    asyncio.run(run())


def explained(sku: str = "A") -> dict[str, Any]:
    result = CliRunner().invoke(cli, ["explain", "--location", "main", "--sku", sku, "--json"])
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def terms(**fields: Any) -> list[Kept]:
    return [record(0, "A", **fields)]


def test_enough_is_said_with_when_it_will_not_be(redis_url: str, prefix: str) -> None:
    applied(redis_url, prefix, sold())
    told = explained()
    assert told["why"] == "enough"
    assert "is above the reorder point of 116" in told["sentences"][-1]
    # assumed at S of day 5, less five days of ten units
    assert told["sentences"][0].startswith("The inventory position of A in main is 153 = 153 on hand (assumed")
    plain = CliRunner().invoke(cli, ["explain", "--location", "main", "--sku", "A"])
    assert "reorder point s" in plain.stdout


def test_before_deciding_begins_nothing_is_requested(redis_url: str, prefix: str) -> None:
    applied(redis_url, prefix, sold(), decide_from=T0 + 90 * DAY)
    assert explained()["why"] == "not_deciding"


def test_a_key_without_a_closed_bucket_has_no_levels(redis_url: str, prefix: str) -> None:
    applied(redis_url, prefix, sold(), inventory=[counted(0, "B", T0 + 10 * DAY, 5)])
    assert explained("B")["why"] == "no_levels"


def test_the_stop_button_is_named(redis_url: str, prefix: str) -> None:
    applied(redis_url, prefix, sold())
    assert CliRunner().invoke(cli, ["pause"]).exit_code == 0
    assert explained()["why"] == "paused"


@pytest.mark.parametrize(
    ("given", "on_hand", "why"),
    [
        ({"active": False}, 0, "inactive"),
        ({"pack_units": 500, "maximum_units": 400}, 0, "not_feasible"),
        ({"order_quantity_units": 50, "maximum_units": 2, "minimum_order_units": 9}, 0, "not_feasible"),
        ({"review_period_days": 3}, 0, "not_reviewed_yet"),
        ({}, 0, "due"),
        ({"levels_from": "textbook"}, 85, "enough"),
    ],
)
def test_the_reason_is_the_first_rule_that_holds(
    given: dict[str, Any], on_hand: int, why: str, redis_url: str, prefix: str
) -> None:
    inventory = [counted(0, "A", T0 + 10 * DAY + HOUR, on_hand)]
    applied(redis_url, prefix, sold(), inventory, terms(**given))
    assert explained()["why"] == why


def test_the_cool_down_is_named(redis_url: str, prefix: str) -> None:
    # 108 are requested of S = 203; of the 90 that are missing then the cool-down makes nothing
    counts = [counted(number, "A", T0 + 10 * DAY + HOUR, on_hand) for number, on_hand in enumerate((95, 5))]
    applied(redis_url, prefix, sold(), counts, terms(cool_down_buckets=5), is_requesting=True)
    assert explained()["why"] == "cooling_down"
    assert "the cool-down of 5 buckets withholds it" in explained()["sentences"][-1]


def test_what_waits_for_approval_is_said_and_listed(redis_url: str, prefix: str) -> None:
    counts = [counted(0, "A", T0 + 10 * DAY + HOUR, 95)]
    limits = terms(approval_above_units=100, unit_cost=2)
    applied(redis_url, prefix, sold(), counts, limits, is_requesting=True)
    assert explained()["why"] == "enough"
    assert "Of those, 108 wait for approval: `restock queue` lists them." in explained()["sentences"]
    (waiting,) = (json.loads(line) for line in CliRunner().invoke(cli, ["queue", "--json"]).stdout.splitlines())
    assert (waiting["sku"], waiting["quantity"], waiting["value"]) == ("A", 108, 216.0)
    plain = CliRunner().invoke(cli, ["queue"])
    assert "108 units are more than 100" in plain.stdout
    checked = CliRunner().invoke(cli, ["reject", waiting["restock_id"], "--dry-run", "--json"])
    assert json.loads(checked.stdout)["written"] is False
    missing = CliRunner().invoke(cli, ["approve", waiting["restock_id"], "r-9", "--dry-run"])
    assert str(missing.exception).startswith("nothing was written:\n    there is no request r-9")
    assert CliRunner().invoke(cli, ["approve", "r-9", "--by", "x" * 65]).exit_code == 2


def test_the_next_review_is_named(redis_url: str, prefix: str) -> None:
    applied(redis_url, prefix, sold(), [counted(0, "A", T0 + 10 * DAY, 0)], terms(review_period_days=3))
    # decided from day 5 on: reviews at the ends of days 5, 8, 11, …
    assert "ends at or after 2011-02-10 00:00" in explained()["sentences"][-1]


def test_an_unknown_key_says_where_it_is_not(redis_url: str, prefix: str) -> None:
    applied(redis_url, prefix, sold())
    missing = CliRunner().invoke(cli, ["explain", "--location", "main", "--sku", "Z"])
    assert isinstance(missing.exception, NotExplained)
    assert f"main|Z is in no partition of RESTOCK_STATE_PREFIX={prefix}" in str(missing.exception)
