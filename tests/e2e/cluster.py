"""Workers as separate processes on the embedded servers, and a plain producer beside them."""

import gc
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

PATIENCE_SECONDS = 90.0
REDIS_PATIENCE_SECONDS = 30.0
RESTOCK = (sys.executable, "-m", "stream_app.cli.main")
MODEL_STORE = (sys.executable, "-m", "model_store.cli.main")


def eventually(is_true: Callable[[], bool], what: str, patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Return as soon as a condition holds; fail with its name if it does not in time."""
    end = time.monotonic() + patience_seconds
    while not is_true():
        assert time.monotonic() < end, f"not within {patience_seconds:g} s: {what}"
        time.sleep(0.05)


@dataclass
class Cluster:
    """One product on its own topics and its own Redis prefix; ``folder`` keeps the logs of its workers."""

    environment: Mapping[str, str]
    folder: Path
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def bootstrap(self) -> str:
        """Kafka's address."""
        return self.environment["RESTOCK_KAFKA"]

    def topic(self, role: str) -> str:
        """Return the real name of a topic."""
        return self.environment["RESTOCK_TOPIC_PREFIX"] + role

    def run(self, *arguments: str) -> str:
        """Run a ``restock`` command; return what it prints."""
        done = subprocess.run(
            [*RESTOCK, *arguments], env=self.environment, capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def run_model_store(self, *arguments: str, timeout_seconds: float = 60) -> str:
        """Run a ``model-store`` command; return what it prints."""
        done = subprocess.run(
            [*MODEL_STORE, *arguments],
            env=self.environment,
            capture_output=True,
            timeout=timeout_seconds,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def start_worker(
        self, *options: str, command: str = "worker", program: Sequence[str] = RESTOCK
    ) -> subprocess.Popen[bytes]:
        """Start a worker, or a buyer, which is counted among the workers; do not wait for it."""
        log = (self.folder / f"worker-{len(self.workers)}.log").open("ab")
        worker = subprocess.Popen([*program, command, *options], env=self.environment, stdout=log, stderr=log)
        log.close()
        self.workers.append(worker)
        return worker

    def wait_for_line(self, event: str, worker: int = 0) -> dict[str, Any]:
        """Return the first line of an event in a worker's log, as soon as it is there."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            for line in (self.folder / f"worker-{worker}.log").read_text().splitlines():
                if f'"event": "{event}"' in line:
                    found.append(json.loads(line))
            return bool(found)

        eventually(is_there, f"{event} in the log of worker {worker}: {self.logs()}")
        return found[0]

    def logs(self) -> str:
        """Return the last lines of all workers' logs."""
        return "\n".join(path.read_text()[-3_000:] for path in sorted(self.folder.glob("worker-*.log")))

    def state(self) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
        """Return ``restock state --json``: keys by name, and the summary."""
        lines = [json.loads(line) for line in self.run("state", "--json").splitlines()]
        keys = {f"{one['location']}|{one['sku']}": one for one in lines[:-1]}
        summary: dict[str, Any] = lines[-1]["summary"]
        return keys, summary

    def applied(self, role: str) -> int:
        """Return how many records of a topic are applied, over all partitions."""
        _, summary = self.state()
        return sum(summary["applied"].get(self.topic(role), {}).values())

    def redis(self) -> "redis.Redis":
        """Return a client of its Redis, more patient than a fault is long."""
        return redis.Redis.from_url(self.environment["RESTOCK_REDIS_URL"], socket_timeout=REDIS_PATIENCE_SECONDS)

    def is_outbox_empty(self) -> bool:
        """Whether all that left the state is published."""
        prefix = self.environment["RESTOCK_STATE_PREFIX"]
        with self.redis() as client:
            return not any(client.xlen(name) for name in client.keys(f"restock:{{{prefix}:*}}:outbox"))

    def is_caught_up(self) -> bool:
        """Whether every record that the topics hold is applied."""
        _, summary = self.state()
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False)
        try:
            for topic, applied in summary["applied"].items():
                partitions = [TopicPartition(topic, one) for one in consumer.partitions_for_topic(topic) or ()]
                ends = consumer.end_offsets(partitions)
                if any(applied.get(str(at.partition), 0) < end for at, end in ends.items()):
                    return False
        finally:
            consumer.close()
        return True

    def produce(self, role: str, records: Iterable[tuple[int, bytes | None, bytes | None]]) -> int:
        """Write (partition, key, value) records; return how many."""
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, acks="all", linger_ms=20)
        count = 0
        try:
            for partition, key, value in records:
                producer.send(self.topic(role), key=key, value=value, partition=partition)
                count += 1
            producer.flush()
        finally:
            producer.close()
        return count

    def stop(self) -> None:
        """Kill what still runs."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGKILL)
            worker.wait(10)


@contextmanager
def cluster(folder: Path, bootstrap: str, redis_url: str, name: str, **settings: str) -> Iterator[Cluster]:
    """A product of its own name on given servers; its workers are gone afterwards."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("RESTOCK_")}
    environment = {
        **own,
        "RESTOCK_KAFKA": bootstrap,
        "RESTOCK_REDIS_URL": redis_url,
        "RESTOCK_TOPIC_PREFIX": f"{name}.",
        "RESTOCK_STATE_PREFIX": name,
        "RESTOCK_GROUP": name,
        "RESTOCK_MODELS": str(folder / "models"),
        "RESTOCK_TICK_SECONDS": "0",
        "RESTOCK_LOG_FORMAT": "json",
        **settings,
    }
    made = Cluster(environment, folder)
    try:
        yield made
    finally:
        made.stop()
        forget_plain_clients()


def forget_plain_clients() -> None:
    """Collect clients whose broker went away now: the sockets they left open are nobody else's warning later."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
