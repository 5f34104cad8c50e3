"""Whether the process lives and is ready, and the page on loopback that says so.

``/live`` answers 200 while the event loop beats; ``/ready`` while nothing is
missing; ``/metrics`` is for Prometheus. The page has a thread of its own, so
that it answers even when the event loop does not.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Literal

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from stream_app.errors import ConfigError

LOOPBACK = "127.0.0.1"
LONGEST_PAUSE_SECONDS = 30.0
"""An event loop silent for longer is taken for dead."""
REQUEST_SECONDS = 10.0

Part = Literal["kafka", "redis", "model", "partitions"]
PARTS: tuple[Part, ...] = ("kafka", "redis", "model", "partitions")


class Health:
    """What is missing before the process is ready, each with its reason.

    Example:
        >>> health = Health(clock=lambda: 0.0)
        >>> for part in PARTS: health.has(part)
        >>> health.lacks("redis", "connection refused")
        >>> health.is_ready, health.missing
        (False, {'redis': 'connection refused'})
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._missing: dict[Part, str] = dict.fromkeys(PARTS, "not there yet")
        self._beat_seconds = clock()

    def has(self, part: Part) -> None:
        """A part is there."""
        self._missing.pop(part, None)

    def lacks(self, part: Part, why: str) -> None:
        """A part is away."""
        self._missing[part] = why

    def beat(self) -> None:
        """The event loop is at work."""
        self._beat_seconds = self._clock()

    @property
    def missing(self) -> Mapping[Part, str]:
        """Reason by part."""
        return dict(self._missing)

    @property
    def is_ready(self) -> bool:
        """Whether nothing is missing."""
        return not self._missing

    @property
    def is_live(self) -> bool:
        """Whether the event loop has been at work lately."""
        return self._clock() - self._beat_seconds < LONGEST_PAUSE_SECONDS


class HealthPage(AbstractContextManager["HealthPage"]):
    """Serves ``/live``, ``/ready`` and ``/metrics`` on loopback while open.

    Raises:
        ConfigError: If the port is taken.
    """

    def __init__(self, health: Health, registry: CollectorRegistry, port: int) -> None:
        try:
            self._server = ThreadingHTTPServer((LOOPBACK, port), _page(health, registry))
        except OSError as taken:
            raise ConfigError([f"RESTOCK_METRICS_PORT={port}: {taken.strerror}; 0 takes any free port"]) from taken
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def address(self) -> str:
        """``http://127.0.0.1:port``."""
        return f"http://{LOOPBACK}:{self._server.server_port}"

    def __enter__(self) -> "HealthPage":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _page(health: Health, registry: CollectorRegistry) -> type[BaseHTTPRequestHandler]:
    class Page(BaseHTTPRequestHandler):
        timeout = REQUEST_SECONDS
        server_version = "restock"
        sys_version = ""

        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/live":
                    self._answer(200 if health.is_live else 503, {"live": health.is_live})
                case "/ready":
                    ready = health.is_ready
                    self._answer(200 if ready else 503, {"ready": ready, "missing": health.missing})
                case "/metrics":
                    self._send(200, CONTENT_TYPE_LATEST, generate_latest(registry))
                case _:
                    self._answer(404, {"pages": ["/live", "/ready", "/metrics"]})

        def _answer(self, status: int, content: Mapping[str, object]) -> None:
            self._send(status, "application/json", json.dumps(content).encode() + b"\n")

        def _send(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
            """Requests are not logged."""

    return Page
