"""Both servers together: started side by side, stopped in order, whatever happens in between."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stream_app.embedded.kafka import KafkaBroker
from stream_app.embedded.valkey import ValkeyServer


@dataclass(frozen=True, slots=True)
class Servers:
    """What runs. ``broker`` and ``valkey`` can be stopped, killed and started again, for tests of faults."""

    broker: KafkaBroker
    valkey: ValkeyServer

    @property
    def kafka(self) -> str:
        """Address of Kafka, for ``RESTOCK_KAFKA``."""
        return self.broker.bootstrap

    @property
    def kafka_version(self) -> str:
        """For example ``4.3.1``."""
        return self.broker.version

    @property
    def redis_url(self) -> str:
        """Address of Valkey, for ``RESTOCK_REDIS_URL``."""
        return self.valkey.url

    @property
    def redis_version(self) -> str:
        """For example ``9.1.2``."""
        return self.valkey.version


def _silent(_: str) -> None:
    """Tell nobody."""


@contextmanager
def servers(folder: Path, tell: Callable[[str], None] = _silent) -> Iterator[Servers]:
    """Run a Kafka broker and a Valkey server for as long as the context is open.

    They end with it, with this process however it ends, and with Ctrl-C. The
    folder stays: it holds configuration, data and the logs of both, and a
    later call goes on with it.

    Args:
        folder: Where both keep all their files; made if missing.
        tell: Gets a line of what is going on, from the calling thread.

    Raises:
        EmbeddedUnavailable: If a part cannot be fetched or does not start.
    """
    with contextlib.ExitStack() as ending:
        valkey = ValkeyServer(folder / "valkey")
        ending.callback(valkey.close)
        valkey.begin()  # first: it is up while Kafka is still being prepared
        broker = KafkaBroker(folder / "kafka", tell)
        ending.callback(broker.stop)
        tell(f"starting Apache Kafka {broker.version} and Valkey")
        broker.begin()
        valkey.wait()
        broker.wait()
        yield Servers(broker, valkey)
