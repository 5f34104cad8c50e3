"""What a seed decides beforehand: the size of the cluster, the records, and what is done to it when."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiokafka.partitioner import murmur2

from replenishment.buckets import BucketWidth
from replenishment.engine.columns import Role
from replenishment.engine.plan import Plan

WIDTH = BucketWidth(60)
MINUTE = 60_000
LATENESS_SECONDS = 20
WINDOW = 3
BEGIN = WIDTH.start_of(21_000_000)
PLAN = Plan(
    width=WIDTH, allowed_lateness_seconds=LATENESS_SECONDS, window_buckets=WINDOW, closing_chunk_keys=2, turn_keys=5
)
PLAY_SECONDS = 40.0
"""Virtual seconds in which records come and faults happen."""


@dataclass(frozen=True)
class Coming:
    """A record and when it is produced."""

    at: float
    role: Role
    partition: int
    key: bytes | None
    value: bytes | None
    is_refused: bool = False


@dataclass(frozen=True)
class Scenario:
    """One cluster's life, as far as it is planned."""

    seed: int
    partitions: int
    workers: int
    tick_seconds: float
    has_inventory: bool
    coming: list[Coming]
    deeds: list[tuple[float, str]] = field(default_factory=list)

    @property
    def decide_from(self) -> int:
        """When deciding begins."""
        return BEGIN + 2 * MINUTE


def drawn(seed: int) -> Scenario:
    """Return what a seed decides."""
    rng = random.Random(seed)
    partitions = rng.choice([1, 1, 1, 2, 2])
    has_inventory = rng.random() < 0.4
    coming = _records(rng, partitions, has_inventory=has_inventory)
    kinds = ["failover", "redis away", "join", "leave", "kill", "rebalance", "rebalance", "retention"]
    kinds += ["switch"] if rng.random() < 0.4 else []
    deeds = sorted((rng.uniform(1, PLAY_SECONDS), rng.choice(kinds)) for _ in range(rng.randrange(2, 10)))
    tick_seconds = rng.choice([0.0, 0.0, 3.0])
    return Scenario(seed, partitions, rng.choice([1, 2, 2, 3]), tick_seconds, has_inventory, coming, deeds)


def _records(rng: random.Random, partitions: int, *, has_inventory: bool) -> list[Coming]:
    skus = [f"S{number}" for number in range(rng.randrange(2, 5) * partitions)]
    minutes = rng.randrange(4, 7)
    made: list[Coming] = []
    lines = rng.randrange(30, 90)
    pause = rng.uniform(0, 20) if rng.random() < 0.5 else 0.0
    for number in range(lines):
        share = number / lines
        at = share * (PLAY_SECONDS - pause) + (pause if share > 0.6 else 0.0)
        made += _lines(rng, partitions, rng.choice(skus), number, at, BEGIN + round(share * minutes * MINUTE))
        if has_inventory and rng.random() < 0.1:
            made.append(
                _counted(rng, partitions, rng.choice(skus), number, at, BEGIN + round(share * minutes * MINUTE))
            )
    end = BEGIN + (minutes + 1) * MINUTE
    passed = json.dumps({"type": "time_passed", "event_time": end}).encode()
    made += [Coming(PLAY_SECONDS, "orders", one, None, passed) for one in range(partitions)]
    return made


def _lines(rng: random.Random, partitions: int, sku: str, number: int, at: float, event_time: int) -> list[Coming]:
    line: dict[str, Any] = {"order_id": f"o{number}", "location": "main", "sku": sku}
    line |= {"quantity": rng.randrange(1, 9), "event_time": event_time + rng.randrange(-30_000, 1_000)}
    # without a number a line can come twice on purpose
    line |= {"line": 1} if rng.random() < 0.8 else {}
    key, chance = f"main|{sku}".encode(), rng.random()
    if chance < 0.05:
        line["event_time"] -= rng.choice([1, 2, 3, 6]) * MINUTE
    elif chance < 0.09:
        line |= {"type": "order_cancelled", "placed_at": line["event_time"] - rng.choice([0, 1, 3, 6]) * MINUTE}
    elif chance < 0.11:
        passed = json.dumps({"type": "time_passed", "event_time": event_time}).encode()
        return [Coming(at, "orders", rng.randrange(partitions), None, passed)]
    elif chance < 0.16:
        value, other = rng.choice(POISONS)(line)
        return [Coming(at, "orders", place(key, partitions), other or key, value, is_refused=True)]
    made = Coming(at, "orders", place(key, partitions), key, json.dumps(line).encode())
    # a producer that knows no better sends again what was accepted
    return [made, made] if chance > 0.95 else [made]


def _counted(rng: random.Random, partitions: int, sku: str, number: int, at: float, event_time: int) -> Coming:
    event = {"type": "stock_counted", "event_id": f"e{number}", "location": "main", "sku": sku}
    key = f"main|{sku}".encode()
    value = json.dumps(event | {"event_time": event_time, "on_hand": rng.randrange(40)}).encode()
    return Coming(at, "inventory", place(key, partitions), key, value)


Poison = Callable[[dict[str, Any]], tuple[bytes | None, bytes | None]]
POISONS: tuple[Poison, ...] = (
    lambda line: (json.dumps(line | {"quantity": 0}).encode(), None),
    lambda line: (json.dumps(line).encode()[:-3], None),
    lambda line: (json.dumps(line | {"event_time": "yesterday"}).encode(), None),
    lambda line: (json.dumps(line).encode(), b"main|ANOTHER"),
    lambda line: (None, None),
)


def place(key: bytes, partitions: int) -> int:
    """Return where Kafka's default partitioner puts a key."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions
