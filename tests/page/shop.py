"""A small shop played through a real worker: history, counts, requests, some of them answered, some refused records."""

import asyncio
import os
import random
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from stream_app.inspect import summarised
from stream_app.settings import Settings
from stream_app.store.reader import StateReader
from tests.e2e.checker import read_topic
from tests.e2e.cluster import Cluster, eventually
from tests.e2e.shop import DAY, LIVE, PARTITIONS, SKUS, Record, counted, history, keyed, order_line, time_passed
from tests.store.clients import client_of

LIVE_DAYS = 7
LINES = 6_000
FAST = SKUS[7]
"""Sells most; in the live days more than ever."""
WAITING, DECLINED = SKUS[18], SKUS[27]
"""Whose requests wait for approval; of the second the first one is declined."""
HOSTILE = "<script>alert(1)</script>"
"""A supplier's name that must stay text."""


def played(product: Cluster) -> Mapping[str, dict[str, Any]]:
    """Play all of it; return the requests by id."""
    product.run("topics", "create", "--partitions", str(PARTITIONS))
    product.produce("catalog", catalog())
    product.produce("signals", promotions())
    product.produce("orders", history(LINES))
    product.produce("orders", seasonal())
    product.start_worker()
    _settle(product)
    for day in range(LIVE_DAYS):
        product.produce("orders", live_day(day))
        product.produce("orders", time_passed(LIVE + (day + 1) * DAY))
        if day == 0:
            product.produce("inventory", counted(LIVE + DAY, 70))
        _settle(product)
        if day < LIVE_DAYS - 2:
            product.produce("inventory", answers(requests_of(product), day))
            _settle(product)
            product.produce("inventory", declined(requests_of(product), day))
            _settle(product)
    product.produce("orders", refused())
    _settle(product)
    return requests_of(product)


def requests_of(product: Cluster) -> Mapping[str, dict[str, Any]]:
    """Return the requests on the topic by id."""
    records = read_topic(product.bootstrap, product.topic("restock"))
    return {record.fields["restock_id"]: record.fields for record in records}


def _settle(product: Cluster) -> None:
    eventually(lambda: _is_settled(product), f"all applied: {product.logs()}")


def _is_settled(product: Cluster) -> bool:
    """Whether every record is applied and all that left is published, asked in this process: it is asked often."""
    return asyncio.run(_is_applied(product)) and product.is_outbox_empty()


async def _is_applied(product: Cluster) -> bool:
    settings = product.environment
    async with client_of(settings["RESTOCK_REDIS_URL"]) as client:
        reader = StateReader(client, settings["RESTOCK_STATE_PREFIX"])
        summary = await summarised(reader, settings["RESTOCK_TOPIC_PREFIX"])
    applied = {(topic, int(number)): end for topic, ends in summary.applied.items() for number, end in ends.items()}
    return bool(applied) and all(applied.get(at, 0) >= end for at, end in _ends(product).items())


def _ends(product: Cluster) -> Mapping[tuple[str, int], int]:
    with closing(KafkaConsumer(bootstrap_servers=product.bootstrap, enable_auto_commit=False)) as consumer:
        topics = [product.topic(role) for role in ("orders", "inventory", "catalog", "signals")]
        found = consumer.end_offsets([TopicPartition(topic, one) for topic in topics for one in range(PARTITIONS)])
    return {(at.topic, at.partition): end for at, end in found.items()}


def catalog() -> Iterator[Record]:
    """Yield terms: four suppliers, one of them hostile, three categories, one SKU that is not active."""
    for number, sku in enumerate(SKUS):
        entry: dict[str, Any] = {
            "location": "main",
            "sku": sku,
            "supplier": (HOSTILE, "Nordlicht GmbH", "华东供应", "Harbour & Sons")[number % 4],
            "category": ("kitchen", "garden", "toys")[number % 3],
            "lead_time_days": 3 + number % 5,
        }
        if sku in (WAITING, DECLINED):
            entry |= {"unit_cost": 2.5, "approval_above_units": 0}
        yield keyed(f"main|{sku}".encode(), entry | ({"active": False} if number == 89 else {}))


def promotions() -> Iterator[Record]:
    """Yield what is planned of the fast seller: one sale of the past, one to come, one that was called off."""
    for name, first, last in (("spring", -20, -17), ("summer", LIVE_DAYS + 1, LIVE_DAYS + 4), ("off", -10, -9)):
        plan = {"signal_id": name, "type": "planned", "location": "main", "sku": FAST, "promotion": 0.5, "price": 8}
        times = {"starts_at": round((LIVE + first * DAY) * 1000), "ends_at": round((LIVE + last * DAY) * 1000)}
        yield keyed(f"main|{FAST}".encode(), plan | times)
    off = {"signal_id": "off", "type": "withdrawn", "location": "main", "sku": FAST}
    yield keyed(f"main|{FAST}".encode(), off)


def seasonal() -> Iterator[Record]:
    """Yield more lines of the fast seller, with a weekly rhythm."""
    rng = random.Random(7)
    for day in range(60):
        for number in range(1 + (4 if day % 7 in (4, 5) else 0) + rng.randint(0, 2)):
            yield line(FAST, f"s{day}-{number}", LIVE - 60 * DAY + day * DAY + 3_600 * (number + 1), rng.randint(2, 6))


def live_day(day: int) -> Iterator[Record]:
    """Yield a day of lines, a third of them of ten SKUs that run out."""
    for number in range(120):
        at = LIVE + day * DAY + number * 600
        yield order_line(100_000 + day * 1_000 + number, at)
        if number % 3 == 0:
            yield line(SKUS[number % 10 * 9], f"l{day}-{number}", at, 3)
    for number in range(8):
        yield line(FAST, f"f{day}-{number}", LIVE + day * DAY + number * 7_000, 4)


def line(sku: str, order_id: str, at: float, quantity: int) -> Record:
    """Return an order line."""
    value = {"order_id": order_id, "location": "main", "sku": sku, "quantity": quantity, "event_time": round(at * 1000)}
    return keyed(f"main|{sku}".encode(), value)


def refused() -> Iterator[Record]:
    """Yield records that become dead letters, a late line, and a line that came twice."""
    yield from (line(SKUS[3], f"bad-{number}", LIVE + DAY, 0) for number in range(3))
    yield 0, b"main|SKU-000", b"no json"
    yield line(SKUS[4], "late", LIVE + 2 * DAY, 2)
    yield line(SKUS[5], "far-too-late", LIVE - 400 * DAY, 2)


def answers(requests: Mapping[str, dict[str, Any]], day: int) -> Iterator[Record]:
    """Yield acceptance of all but every fifth request, shipment of some, and receipt of those of days before."""
    for number, restock_id in enumerate(sorted(requests)):
        request = requests[restock_id]
        about = {name: request[name] for name in ("restock_id", "location", "sku", "quantity")}
        key, at = f"{request['location']}|{request['sku']}".encode(), round((LIVE + (day + 1) * DAY) * 1000)
        if number % 5 == 0 or request.get("requires_approval"):
            continue
        for step, kind in enumerate(("restock_accepted", "restock_shipped", "stock_received")):
            if step <= number % 4:
                yield keyed(key, {**about, "type": kind, "event_id": f"{kind}-{restock_id}", "event_time": at})


def declined(requests: Mapping[str, dict[str, Any]], day: int) -> Iterator[Record]:
    """Yield a person's answer to each request that waits of the SKU whose requests are declined."""
    for restock_id, request in sorted(requests.items()):
        if request["sku"] == DECLINED and request.get("requires_approval"):
            event = {"type": "restock_declined", "event_id": f"{restock_id}/declined", "restock_id": restock_id}
            about = {"location": "main", "sku": DECLINED, "event_time": round((LIVE + (day + 1) * DAY) * 1000)}
            yield keyed(f"main|{DECLINED}".encode(), event | about | {"by": "Bob"})


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the environment of a command on a product."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("RESTOCK_")}
    names = ("kafka", "redis_url", "topic_prefix", "state_prefix")
    return {**own, **{f"RESTOCK_{name.upper()}": str(getattr(settings, name)) for name in names}}
