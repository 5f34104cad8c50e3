"""A short life of the product, each part as a user of its own: what the rights are recorded from and proven with."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from urllib.request import HTTPCookieProcessor, build_opener

from stream_app.kafka.topics import TOPIC_ROLES
from tests.e2e.checker import read_topic, shown, unique_requests
from tests.e2e.cluster import MODEL_STORE, RESTOCK, Cluster, cluster, eventually
from tests.e2e.shop import LIVE, PARTITIONS, counted, history, keyed, time_passed
from tests.secure.guarded import Guarded


@dataclass
class Life:
    """Chapters of one life, to be called in order; ``printed`` has all that was said, by who said it.

    A chapter fails where a right is missing.
    """

    servers: Guarded
    folder: Path
    name: str
    printed: dict[str, str] = field(default_factory=dict)
    more: ClassVar[Mapping[str, str]] = {}
    """Settings of this life."""

    @contextmanager
    def product_as(self, user: str) -> Iterator[Cluster]:
        """The product whose commands come in as ``user``."""
        settings = {**self.servers.settings(user), "RESTOCK_DECIDE_FROM": shown(LIVE), **self.more}
        address, state = settings.pop("RESTOCK_KAFKA"), settings.pop("RESTOCK_REDIS_URL")
        with cluster(self.folder, address, state, self.name, **settings) as made:
            yield made

    @contextmanager
    def administered(self) -> Iterator[Cluster]:
        """The product whose commands may do everything."""
        with cluster(self.folder, self.servers.broker.bootstrap, self.servers.valkey.url, self.name) as made:
            yield made

    def create_topics(self) -> None:
        """The operator's first command."""
        self._ran("operator", "topics", "create", "--partitions", str(PARTITIONS))

    def work(self) -> None:
        """Orders and stock come in, a worker answers; another takes over its state."""
        with self.administered() as admin, self.product_as("worker") as product:
            product.start_worker()
            page = f"{product.wait_for_line('ready')['metrics']}/metrics"
            terms = {"location": "main", "sku": "SKU-003", "approval_above_units": 0}
            asked = admin.produce("catalog", [keyed(b"main|SKU-003", terms)])
            eventually(lambda: _sum(_fetched(page), "restock_records_total") == asked, product.logs())
            records = [*history(1_000), *time_passed(LIVE), keyed(b"main|SKU-000", {})]
            sent = asked + admin.produce("orders", records) + admin.produce("inventory", counted(LIVE, on_hand=5))
            eventually(lambda: _sum(_fetched(page), "restock_records_total") == sent, product.logs())
            eventually(lambda: self.requests != {}, "requests are there")
            eventually(lambda: _sum(_fetched(page), "restock_outbox_entries") == 0, "everything is published")
            self.printed["metrics"] = _fetched(page)
            _end(product)
            product.start_worker()
            product.wait_for_line("ready", worker=1)
            _end(product)
        self.printed |= {path.name: path.read_text() for path in self.folder.glob("worker-*.log")}

    @property
    def requests(self) -> Mapping[str, Mapping[str, object]]:
        """Published requests by id."""
        return unique_requests(read_topic(self.servers.broker.bootstrap, f"{self.name}.restock"))

    def operate(self) -> None:
        """Each command that speaks to a server, once."""
        terms, orders, counts = (self.folder / name for name in ("terms.csv", "orders.ndjson", "counts.csv"))
        terms.write_text("sku,location,lead_time_days\nSKU-000,main,3\n")
        line = {"order_id": "fed-1", "location": "main", "sku": "SKU-001", "quantity": 1}
        orders.write_text(json.dumps(line | {"event_time": round(LIVE * 1000)}) + "\n")
        counts.write_text("sku,location,on_hand\nSKU-002,main,7\n")
        self._ran("operator", "catalog", "import", str(terms))
        self._ran("operator", "catalog", "export", str(self.folder / "export.csv"))
        self._ran("operator", "feed", str(orders), "--topic", "orders")
        self._ran("operator", "inventory", "import", str(counts))
        self._ran("operator", "dlq", "list")
        self._ran("operator", "dlq", "replay", "--all")
        for role in TOPIC_ROLES:
            self._ran("operator", "tail", role, "--from-beginning", "--no-follow", "-n", "1")
        self._ran("operator", "explain", next(iter(self.requests)))
        self._ran("operator", "explain", "--location", "main", "--sku", "SKU-001")
        self._ran("operator", "queue", "--json")
        waiting = json.loads(self.printed["queue --json"].splitlines()[0])["restock_id"]
        self._ran("operator", "approve", waiting)
        for command in ("state --json", "pause", "resume", "config", "config --json", "doctor --json"):
            self._ran("operator", *command.split())

    def train(self) -> None:
        """The trainer reads what workers published."""
        with self.product_as("trainer") as trainer:
            command = [*MODEL_STORE, "evaluate", "--models", "moving_average", "--leads", "1", "--stock-lead", "1"]
            self._finished("trainer", command, trainer)

    def look(self) -> None:
        """A browser opens each page that reads state."""
        with self.product_as("page") as viewer:
            log = (self.folder / "page.log").open("ab")
            serving = subprocess.Popen(
                [*RESTOCK, "page", "--port", "0"], env=viewer.environment, stdout=subprocess.PIPE, stderr=log, text=True
            )
            log.close()
            try:
                assert serving.stdout is not None
                link = serving.stdout.readline().strip()
                browser = build_opener(HTTPCookieProcessor())
                browser.open(link, timeout=30).close()
                for place in ("", "queue", "quality", "sku?location=main&sku=SKU-001"):
                    with browser.open(link.partition("?")[0] + place, timeout=30) as answer:
                        self.printed[f"page {place}"] = answer.read().decode()
            finally:
                serving.kill()
                serving.communicate()
        self.printed["page.log"] = (self.folder / "page.log").read_text()

    def begin_anew(self) -> None:
        """Redis was lost: the operator has workers read again."""
        with self.administered() as admin, admin.redis() as client:
            names = client.keys(f"restock:{{{self.name}:*}}:*")
            assert names
            client.delete(*names)
        self._ran("operator", "rebuild")

    def _ran(self, user: str, *arguments: str) -> None:
        with self.product_as(user) as product:
            self._finished(" ".join(arguments[:2]), [*RESTOCK, *arguments], product)

    def _finished(self, what: str, command: list[str], product: Cluster) -> None:
        done = subprocess.run(
            command, env=product.environment, capture_output=True, timeout=100, check=False, text=True
        )
        assert done.returncode == 0, (what, done.stdout[-3_000:], done.stderr[-3_000:])
        self.printed[what] = done.stdout + done.stderr


def _end(product: Cluster) -> None:
    """Stop the workers as an operator would: what they read is committed."""
    for worker in product.workers:
        worker.terminate()
        worker.wait(60)


def _fetched(address: str) -> str:
    with build_opener().open(address, timeout=30) as answer:
        return str(answer.read().decode())


def _sum(page: str, metric: str) -> float:
    return sum(float(value) for value in re.findall(rf"^{metric}(?:\{{.*\}})? (\S+)$", page, re.MULTILINE))
