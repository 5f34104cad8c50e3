"""Servers that let nobody in without TLS and a login, and allow nothing that no ACL allows."""

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from stream_app.embedded.guard import Guard, GuardedListener
from stream_app.embedded.kafka import KafkaBroker
from stream_app.embedded.valkey import ValkeyServer
from tests.secure.tls_front import tls_in_front_of

ROOT = Path(__file__).parents[2]
CANARY = "canary-Zq7!x"
"""Part of every password: must be seen nowhere."""
USERS = ("worker", "trainer", "page", "operator", "buyer", "splitter", "stranger")
PASSWORDS = {name: f"{CANARY}-{name}" for name in USERS}


@dataclass(frozen=True)
class Guarded:
    """What runs; ``folder`` holds certificates and the file of each user's password."""

    folder: Path
    broker: KafkaBroker
    valkey: ValkeyServer
    redis_port: int

    @property
    def redis_socket(self) -> str:
        """Path of Valkey's unix socket, where the administrator comes in."""
        return re.sub(r"^unix://|\?.*$", "", self.valkey.url)

    @property
    def certificates(self) -> Path:
        """Authority, certificates and keys."""
        return self.folder / "tls"

    def password_file(self, user: str) -> Path:
        """Return the file with a user's password."""
        return self.folder / f"{user}.password"

    def settings(self, user: str) -> Mapping[str, str]:
        """Return the variables with which a user comes in at both servers."""
        password, authority = str(self.password_file(user)), str(self.certificates / "ca.pem")
        return {
            "RESTOCK_KAFKA": self.broker.guarded["LOGIN"],
            "RESTOCK_KAFKA_PROTOCOL": "SASL_SSL",
            "RESTOCK_KAFKA_USER": user,
            "RESTOCK_KAFKA_PASSWORD_FILE": password,
            "RESTOCK_KAFKA_CA_FILE": authority,
            "RESTOCK_REDIS_URL": f"rediss://{user}@127.0.0.1:{self.redis_port}/0",
            "RESTOCK_REDIS_PASSWORD_FILE": password,
            "RESTOCK_REDIS_CA_FILE": authority,
        }


def certificates(folder: Path, *names: str, days: int = 30) -> None:
    """Have the script of the compose profile make certificates."""
    script = ROOT / "deploy" / "secure" / "certificates.sh"
    subprocess.run(["sh", str(script), str(folder), *names], check=True, env={**os.environ, "DAYS": str(days)})


@contextmanager
def guarded(folder: Path) -> Iterator[Guarded]:
    """Run both servers; nobody but the administrator on the open listener and the unix socket has a right yet."""
    tls = folder / "tls"
    certificates(tls, "kafka", "valkey", "client")
    certificates(tls, "old", days=-1)
    certificates(folder / "foreign", "kafka")
    for user, password in PASSWORDS.items():
        (folder / f"{user}.password").write_text(f"{password}\n")
    (folder / "wrong.password").write_text(f"{CANARY}-wrong\n")
    authority = tls / "ca.pem"
    listeners = [
        GuardedListener("LOGIN", "SASL_SSL", tls / "kafka.pem", authority),
        GuardedListener("CERTIFICATE", "SSL", tls / "kafka.pem", authority),
        GuardedListener("OLD", "SASL_SSL", tls / "old.pem", authority),
    ]
    with contextlib.ExitStack() as ending:
        valkey = ValkeyServer(folder / "valkey")
        ending.callback(valkey.close)
        valkey.begin()
        broker = KafkaBroker(folder / "kafka", lambda _: None, Guard(listeners, PASSWORDS))
        ending.callback(broker.stop)
        broker.begin()
        valkey.wait()
        broker.wait()
        running = Guarded(folder, broker, valkey, redis_port=0)
        port = ending.enter_context(tls_in_front_of(running.redis_socket, tls / "valkey.pem"))
        yield replace(running, redis_port=port)
