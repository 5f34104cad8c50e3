"""Hundreds of hostile records among good ones, in every codec, through a running worker: the judge decides, exactly."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from tests.e2e.checker import Logged, read_topic
from tests.e2e.cluster import cluster, eventually
from tests.e2e.judge import Sent, code_of
from tests.e2e.shop import PARTITIONS, partition_of

CODECS = (None, "gzip", "snappy", "lz4", "zstd")
NOW = round(datetime.now(UTC).timestamp() * 1000)
GOOD: dict[str, Any] = {"order_id": "o1", "location": "uk", "sku": "A", "quantity": 3, "event_time": NOW - 3_600_000}
CANCELLED = {**GOOD, "type": "order_cancelled", "placed_at": NOW - 7_200_000}
NUMBERS = (
    "0",
    "1",
    "-1",
    "1000000",
    "1000001",
    "3.0",
    "1e2",
    "1e400",
    "NaN",
    "Infinity",
    "9" * 100,
    "true",
    "null",
    '"3"',
)
TIMES = (
    *(f'"{time}"' for time in ("2026-01-31T08:00:00Z", "2026-01-31 08:00:00.123456+01:00", "2026-01-31t08:00:00z")),
    *(f'"{time}"' for time in ("2026-01-31T08:00:00", "2026-02-30T08:00:00Z", "1999-12-31T23:59:59Z", "soon", "")),
    *(str(NOW + ms) for ms in (0, 3_000_000, 5_400_000, 10**9, 10**13)),
    *("0", "-1", str(2**63), str(2**70), "1e12", "true", "[]", "{}", "null", str(NOW * 1000), str(NOW // 1000)),
)
TEXTS = (
    *(json.dumps(text) for text in ("A", "", "a" * 64, "a" * 65, "a" * 128, "a" * 129, "a|b", "ä", "A\n", "\x1b[31m")),
    *('"\\u0000"', '"\\ud800"', '"\\u0041"', "7", "true", "[]", '"unclosed', "null"),
)
WHOLE = (
    *(
        None,
        b"",
        b" ",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"{",
        b"}",
        b"{}",
        b"{}{}",
        b"[{}]",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
    ),
    *(b"[" * 5_000, b'{"a":' * 5_000, b'{"a":' + b"[" * 498 + b"]" * 498 + b"}", b'{"pad":"' + b"x" * 70_000 + b'"}'),
    *(b"\x00" * 100, b"\x00\x00\x00\x00\x01" + json.dumps(GOOD).encode(), json.dumps(GOOD).encode() + b"\n"),
    *(json.dumps(GOOD).encode() + b"//", json.dumps(GOOD).encode() * 2, b"\n".join([json.dumps(GOOD).encode()] * 2)),
    *(json.dumps(GOOD).encode("utf-16"), json.dumps(GOOD, indent=2).encode(), json.dumps(GOOD).encode()[:-1]),
)


def values() -> Iterator[bytes | None]:
    """Yield every value of the corpus."""
    yield from WHOLE
    for fields in (GOOD, CANCELLED):
        for name in (*fields, "line", "price", "type", "unknown"):
            rest = json.dumps({one: value for one, value in fields.items() if one != name})[:-1]
            yield f"{rest}}}".encode()
            kinds = (
                TIMES
                if name in ("event_time", "placed_at")
                else NUMBERS
                if name in ("quantity", "line", "price")
                else TEXTS
            )
            for raw in kinds:
                yield f'{rest}, "{name}": {raw}}}'.encode()
    yield json.dumps({**GOOD, "pad": [[[{}]] * 50] * 20}).encode()
    yield b'{"type":"time_passed","event_time":%d}' % (NOW - 60_000)


def corpus() -> list[Sent]:
    """Return the corpus with keys and partitions, most of them right, between good lines."""
    rng = random.Random(5)
    found = []
    for value in values():
        found.append(Sent(partition_of(b"uk|A"), b"uk|A", value))
        if rng.random() < 0.3:
            found.append(Sent(partition_of(b"uk|A"), b"uk|A", json.dumps(GOOD).encode()))
    good = json.dumps(GOOD).encode()
    found += [Sent(partition_of(key), key, good) for key in (b"uk|B", b"", b"uk|", b"\xff", b"uk|A|", b"x" * 5_000)]
    found += [Sent(0, None, good), Sent((partition_of(b"uk|A") + 1) % PARTITIONS, b"uk|A", good)]
    return found


async def send(bootstrap: str, topic: str, codec: str | None, records: list[Sent]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, compression_type=codec, linger_ms=20)
    async with producer:
        sent = [await producer.send(topic, one.value, one.key, one.partition) for one in records]
        await asyncio.gather(*sent)


@pytest.mark.timeout(180)
def test_dead_letters_are_exact_and_all_else_is_applied(
    tmp_path: Path, kafka_bootstrap: str, redis_url: str, unique_name: str
) -> None:
    records = corpus()
    assert len(records) > 250
    with cluster(
        tmp_path, kafka_bootstrap, redis_url, unique_name, RESTOCK_DECIDE_FROM="2099-01-01T00:00:00Z"
    ) as product:
        product.run("topics", "create", "--partitions", str(PARTITIONS))
        product.start_worker()
        product.wait_for_line("ready")
        for codec in CODECS:
            asyncio.run(send(product.bootstrap, product.topic("orders"), codec, records))
        eventually(product.is_caught_up, product.logs())
        eventually(product.is_outbox_empty, "dead letters are published")
        log = read_topic(product.bootstrap, product.topic("orders"))
        letters = read_topic(product.bootstrap, product.topic("dead-letter"))
        keys, summary = product.state()
    assert len(log) == len(CODECS) * len(records)
    expected = {(one.partition, one.offset): code for one in log if (code := judged(one)) is not None}
    found = {position(letter): letter.headers["restock.error.code"].decode() for letter in letters}
    assert found == expected
    assert len(set(found.values())) >= 9, Counter(found.values())
    originals = {(one.partition, one.offset): one for one in log}
    for letter in letters:
        original = originals[position(letter)]
        cut = None if original.value is None else original.value[: 64 * 1024]
        assert (letter.key, letter.value) == (original.key, cut)
    assert summary["rejected"] == len(expected)
    lines = [one.fields for one in log if judged(one) is None]
    counted = [line for line in lines if line.get("sku") == "A" and line.get("type", "order_placed") == "order_placed"]
    assert sum(units for _, units in keys["uk|A"]["window"] + keys["uk|A"]["open"]) <= sum(
        int(line["quantity"]) for line in counted
    )


def judged(record: Logged) -> str | None:
    """What the independent judge says of a logged record; the broker stamped it after it was made."""
    return code_of(Sent(record.partition, record.key, record.value), PARTITIONS, latest_of(record))


def latest_of(record: Logged) -> int:
    """An hour after the record's timestamp, which is within a minute of now; no time of the corpus is near that."""
    return NOW + 3_600_000


def position(letter: Logged) -> tuple[int, int]:
    """Return where the original of a dead letter is."""
    headers = letter.headers
    return int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"])
