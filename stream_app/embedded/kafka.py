"""One Kafka broker in KRaft mode on loopback, all its files in one folder."""

import random
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from stream_app.embedded.bound_process import BoundProcess
from stream_app.embedded.failures import EmbeddedUnavailable
from stream_app.embedded.guard import LOG as RIGHTS_LOG
from stream_app.embedded.guard import Guard
from stream_app.embedded.jars import PART, cache_folder, fetched_jars, read_lock
from stream_app.embedded.java import find_java

HOST = "127.0.0.1"
READY_SECONDS = 90.0
FORMAT_SECONDS = 60.0
PORTS = range(20_000, 32_000)
"""Below the ports that Linux and macOS give to outgoing connections: ours must still be free at a restart."""
CLUSTER_ID = "cmVzdG9jay1lbWJlZGRlZA"
"""16 bytes, ``restock-embedded``; a cluster of one node on loopback meets no other."""
QUICK_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""Measured: half the time to start and half the processor time for the first 150,000 records."""
FILES_STAY_HERE = ("-XX:-UsePerfData", "-Djava.io.tmpdir=.", "-Dlog4j2.configurationFile=log4j2.properties")
ONE_NODE: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "CLIENTS",
    "log.dirs": "topics",
    "broker.heartbeat.interval.ms": "1000",
    "broker.session.timeout.ms": "4000",  # a killed broker may register again after it, 9 s otherwise
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
}
LOG: Mapping[str, str] = {
    "rootLogger.level": "INFO",
    "rootLogger.appenderRef.out.ref": "OUT",
    "appender.out.type": "Console",
    "appender.out.name": "OUT",
    "appender.out.layout.type": "PatternLayout",
    "appender.out.layout.pattern": "%d{ISO8601} %p %m (%c{1})%n",
}


class KafkaBroker:
    """A broker that can be stopped, killed and started again on the same port and topics.

    Args:
        folder: Private to it; made if missing.
        tell: Gets a line of what is going on, from the calling thread.
        guard: Listeners with TLS and logins beside the open one; None = anybody on this machine may do everything.
    """

    def __init__(self, folder: Path, tell: Callable[[str], None], guard: Guard | None = None) -> None:
        lock = read_lock()
        self.version = lock.kafka_version
        """Of the broker, for example ``4.3.1``."""
        self._java = find_java()
        jars = fetched_jars(cache_folder(), lock, tell)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._guard = guard
        listeners = guard.listeners if guard else ()
        port, controller_port, *guarded_ports = free_ports(2 + len(listeners))
        self.bootstrap = f"{HOST}:{port}"
        """Where clients connect."""
        self.guarded = {one.name: f"{HOST}:{at}" for one, at in zip(listeners, guarded_ports, strict=True)}
        """Where clients connect with TLS, by the listener's name."""
        self._write_configuration(f"{HOST}:{controller_port}")
        # through a link beside it, since a path with a colon cannot be on a class path
        link = folder / "jars"
        link.unlink(missing_ok=True)
        link.symlink_to(jars)
        self._class_path = ":".join(f"jars/{jar.file_name}" for jar in lock.jars)
        self._format()
        self._process = BoundProcess(PART, self._java_command("512m", "kafka.Kafka", "server.properties"), folder)

    @property
    def log(self) -> Path:
        """The broker's log."""
        return self._process.log

    @property
    def is_running(self) -> bool:
        """Whether its process runs."""
        return self._process.is_running

    def begin(self) -> None:
        """Start it without waiting."""
        self._process.begin()

    def wait(self) -> None:
        """Return once it serves clients.

        Raises:
            EmbeddedUnavailable: If it does not.
        """
        self._process.wait_until(self._answers, READY_SECONDS)

    def start(self) -> None:
        """Start it and return once it serves clients."""
        self.begin()
        self.wait()

    def stop(self) -> None:
        """Stop it as an operator would."""
        self._process.stop()

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()

    def _write_configuration(self, controller: str) -> None:
        guarded = self._guard.listeners if self._guard else ()
        protocols = {"CLIENTS": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **{one.name: one.protocol for one in guarded}}
        advertised = ",".join(
            [f"CLIENTS://{self.bootstrap}", *(f"{name}://{address}" for name, address in self.guarded.items())]
        )
        addresses = {
            "listeners": f"{advertised},CONTROLLER://{controller}",
            "advertised.listeners": advertised,
            "listener.security.protocol.map": ",".join(f"{name}:{spoken}" for name, spoken in protocols.items()),
            "controller.quorum.voters": f"1@{controller}",
        }
        rights = self._guard.properties() if self._guard else {}
        (self._folder / "server.properties").write_text(_properties({**ONE_NODE, **addresses, **rights}))
        (self._folder / "log4j2.properties").write_text(_properties({**LOG, **(RIGHTS_LOG if self._guard else {})}))

    def _format(self) -> None:
        """Prepare the topics' folder with Kafka's own tool; one that is prepared stays as it is."""
        arguments = ("format", "--ignore-formatted", "-t", CLUSTER_ID, "-c", "server.properties")
        users = self._guard.format_arguments() if self._guard else ()
        log = self._folder / "format.log"
        with log.open("ab") as output:
            done = subprocess.run(
                self._java_command("128m", "kafka.tools.StorageTool", *arguments, *users),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=FORMAT_SECONDS,
                check=False,
            )
        if done.returncode:
            raise EmbeddedUnavailable(PART, f"formatting {self._folder} failed; the log says:", log)

    def _java_command(self, heap: str, main_class: str, *arguments: str) -> Sequence[str]:
        options = (f"-Xmx{heap}", *QUICK_START, *FILES_STAY_HERE)
        return [str(self._java), *options, "-cp", self._class_path, main_class, *arguments]

    def _answers(self) -> bool:
        host, _, port = self.bootstrap.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            admin = KafkaAdminClient(bootstrap_servers=self.bootstrap, bootstrap_timeout_ms=2_000)
        except (OSError, KafkaError):
            return False
        try:
            return bool(admin.describe_cluster()["brokers"])
        except KafkaError:
            return False
        finally:
            admin.close()


def free_ports(count: int) -> list[int]:
    """Return different ports of loopback that nothing listens on now."""
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise EmbeddedUnavailable(PART, f"no free port between {PORTS.start} and {PORTS.stop} on {HOST}")


def _properties(values: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())
