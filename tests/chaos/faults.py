"""What can happen to a product, one function each; all are over when the function returns."""

import random
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stream_app.embedded import Servers
from tests.e2e.cluster import Cluster

MOST_WORKERS, LEAST_WORKERS = 4, 1
END_SECONDS = 30.0


@dataclass(frozen=True)
class Scene:
    """Who is hurt, and the dice."""

    product: Cluster
    servers: Servers
    rng: random.Random

    @property
    def running(self) -> list["subprocess.Popen[bytes]"]:
        """Workers that have not ended."""
        return [one for one in self.product.workers if one.poll() is None]

    def victim(self) -> "subprocess.Popen[bytes]":
        """Return one of the running workers."""
        return self.rng.choice(self.running)


def worker_killed(scene: Scene) -> None:
    """SIGKILL, and another one starts."""
    victim = scene.victim()
    victim.kill()
    victim.wait(10)
    scene.product.start_worker()


def worker_told_to_end(scene: Scene) -> None:
    """SIGTERM must end it in time and in order, and another one starts."""
    victim = scene.victim()
    victim.terminate()
    # one that has only just started is ended by the signal itself
    assert victim.wait(END_SECONDS) in (0, -signal.SIGTERM), scene.product.logs()
    scene.product.start_worker()


def worker_asleep(scene: Scene) -> None:
    """SIGSTOP for a while, at times beyond its session: it wakes as a zombie."""
    victim = scene.victim()
    victim.send_signal(signal.SIGSTOP)
    time.sleep(scene.rng.choice([3.0, 8.0, 35.0]))
    victim.send_signal(signal.SIGCONT)


def worker_added(scene: Scene) -> None:
    """One more, unless there are enough."""
    if len(scene.running) < MOST_WORKERS:
        scene.product.start_worker()


def worker_taken_away(scene: Scene) -> None:
    """One less, unless it is the last."""
    if len(scene.running) > LEAST_WORKERS:
        scene.victim().kill()


def redis_killed(scene: Scene) -> None:
    """SIGKILL of the server, back after a moment."""
    scene.servers.valkey.kill()
    time.sleep(scene.rng.uniform(0, 3))
    scene.servers.valkey.start()


def redis_busy(scene: Scene) -> None:
    """The server answers nobody for a while."""
    with scene.product.redis() as client:
        client.execute_command("CLIENT", "PAUSE", scene.rng.randrange(1_000, 12_000), "ALL")
        client.ping()


def redis_full(scene: Scene) -> None:
    """The server has no memory for writes for a while."""
    with scene.product.redis() as client:
        client.config_set("maxmemory", "1mb")
        time.sleep(scene.rng.uniform(1, 4))
        client.config_set("maxmemory", "0")


def broker_killed(scene: Scene) -> None:
    """SIGKILL of the broker, back after a moment."""
    scene.servers.broker.kill()
    time.sleep(scene.rng.uniform(0, 3))
    scene.servers.broker.start()


def broker_restarted(scene: Scene) -> None:
    """The broker is stopped in order and started again."""
    scene.servers.broker.stop()
    scene.servers.broker.start()


FAULTS: Mapping[str, Callable[[Scene], None]] = {
    fault.__name__: fault
    for fault in (
        worker_killed,
        worker_told_to_end,
        worker_asleep,
        worker_added,
        worker_taken_away,
        redis_killed,
        redis_busy,
        redis_full,
        broker_killed,
        broker_restarted,
    )
}
