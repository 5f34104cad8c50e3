"""Plays a shop while faults happen, lets everything heal, and audits: ``python -m tests.chaos.run MINUTES [SEED]``."""

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kafka.errors import KafkaError

from stream_app.embedded import servers
from tests.chaos.faults import FAULTS, Scene
from tests.e2e.audit import Audit, audited
from tests.e2e.checker import read_topic, shown, unique_requests
from tests.e2e.cluster import Cluster, cluster, eventually
from tests.e2e.shop import DAY, LIVE, PARTITIONS, answers, counted, history, mixed_order, time_passed

WORKERS = 3
ON_HAND = 40
LINES_PER_ROUND = 300
DAYS_PER_ROUND = 0.25
HEAL_SECONDS = 180.0


class Player:
    """Sends live orders and answers requests, round after round, through outages."""

    def __init__(self, product: Cluster, rng: random.Random) -> None:
        self._product = product
        self._rng = rng
        self._answered: set[str] = set()
        self._rounds = 0

    def play(self) -> None:
        """Play one round; one that Kafka did not take is sent again as it was not."""
        begin = LIVE + 60 + self._rounds * DAYS_PER_ROUND * DAY
        step = DAYS_PER_ROUND * DAY / LINES_PER_ROUND
        first = 10**6 + self._rounds * LINES_PER_ROUND
        self._product.produce(
            "orders", [mixed_order(self._rng, first + n, begin + n * step) for n in range(LINES_PER_ROUND)]
        )
        self._rounds += 1

    def answer(self) -> None:
        """Accept and receive what is requested."""
        requests = unique_requests(read_topic(self._product.bootstrap, self._product.topic("restock")))
        self._product.produce("inventory", answers(requests, self._answered))

    def end(self) -> None:
        """Move every clock past the last round."""
        self._product.produce("orders", time_passed(LIVE + DAY + self._rounds * DAYS_PER_ROUND * DAY + 3_600))


def chaos(folder: Path, seconds: float, seed: int, tell: Callable[[str], None]) -> tuple[Counter[str], Audit]:
    """Return the faults survived and what was audited; fail if anything was lost or doubled."""
    rng = random.Random(seed)
    with (
        servers(folder) as running,
        cluster(folder, running.kafka, running.redis_url, "chaos", RESTOCK_DECIDE_FROM=shown(LIVE)) as product,
    ):
        product.run("topics", "create", "--partitions", str(PARTITIONS))
        for _ in range(WORKERS):
            product.start_worker()
        player = _opened(product, rng)
        survived = _hurt(Scene(product, running, rng), player, seconds, tell)
        if not any(one.poll() is None for one in product.workers):
            product.start_worker()
        player.end()
        eventually(product.is_caught_up, "all is applied", HEAL_SECONDS)
        return survived, audited(product, ON_HAND)


def _opened(product: Cluster, rng: random.Random) -> Player:
    """Back-fill, begin deciding, count the stock, and only then let live orders come."""
    for role, records in (
        ("orders", history(3_000)),
        ("orders", time_passed(LIVE)),
        ("inventory", counted(LIVE, ON_HAND)),
    ):
        product.produce(role, records)
        eventually(product.is_caught_up, "the opening is applied")
    return Player(product, rng)


def _hurt(scene: Scene, player: Player, seconds: float, tell: Callable[[str], None]) -> Counter[str]:
    survived: Counter[str] = Counter()
    end = time.monotonic() + seconds
    with ThreadPoolExecutor(1) as happening:
        while time.monotonic() < end:
            name = scene.rng.choice(list(FAULTS))
            tell(f"{end - time.monotonic():5.0f} s left  {name}")
            fault = happening.submit(FAULTS[name], scene)
            _played(player)
            while not fault.done():
                _played(player)
            fault.result()
            survived[name] += 1
    return survived


def _played(player: Player) -> None:
    # what cannot be sent now is not sent: the shop of this play is patient
    try:
        player.play()
        player.answer()
    except KafkaError:
        time.sleep(0.5)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Run from the command line."""
    minutes, seed = float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(10**6)
    sys.stdout.write(f"chaos: {minutes:g} minutes, seed {seed}\n")
    with tempfile.TemporaryDirectory(prefix="restock-chaos-") as folder:
        survived, done = chaos(Path(folder), minutes * 60, seed, _say)
    for name, count in sorted(survived.items()):
        sys.stdout.write(f"{name.replace('_', ' '):24} {count:4} survived\n")
    sys.stdout.write(
        f"{done.orders:,} orders, {done.stock_keys} stock keys, {done.requests:,} requests: 0 lost, 0 doubled"
    )
    sys.stdout.write(f" ({done.requests_published_again} requests were published again with the same bytes)\n")


if __name__ == "__main__":
    main()
