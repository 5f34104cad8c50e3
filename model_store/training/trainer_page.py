"""What Prometheus and an orchestrator see of a trainer that runs again and again: a page on loopback."""

import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, ProcessCollector, generate_latest

from model_store.training.rounds import FAILURES_BEFORE_ALARM, Rounds

LOOPBACK = "127.0.0.1"
REQUEST_SECONDS = 10.0


class TrainerMeter:
    """The metrics of a trainer."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._rounds = Counter(
            "restock_trainer_rounds", "Rounds that ended, by outcome.", ["outcome"], registry=self.registry
        )
        self._failed = self._gauge("failed_rounds_in_a_row", "How many of the last rounds failed.")
        self._succeeded = self._gauge("last_success_timestamp_seconds", "End of the last round that did not fail.")
        self._seconds = self._gauge("round_seconds", "How long the last round took.")
        self._until = self._gauge("data_until_timestamp_seconds", "End of the demand that was last trained on.")
        self._running = self._gauge("round_running", "1 while a round is going on.")
        self.missing: dict[str, str] = {}

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(f"restock_trainer_{name}", meaning, registry=self.registry)

    def begins(self) -> None:
        """A round begins."""
        self._running.set(1)

    def shows(self, rounds: Rounds) -> None:
        """Show how rounds went, without counting one."""
        self._failed.set(rounds.failed_in_a_row)
        self._succeeded.set(rounds.succeeded_at / 1000)
        self._until.set(rounds.learnt_until_at / 1000)
        alarm = f"{rounds.failed_in_a_row} rounds in a row failed: {rounds.why}"
        self.missing = {"rounds": alarm} if rounds.failed_in_a_row >= FAILURES_BEFORE_ALARM else {}

    def ended(self, rounds: Rounds, seconds: float) -> None:
        """A round ended."""
        self._running.set(0)
        self._rounds.labels(rounds.outcome or "failed").inc()
        self._seconds.set(seconds)
        self.shows(rounds)


class TrainerPage:
    """Serves ``/live``, ``/ready`` and ``/metrics`` on loopback while open.

    Raises:
        OSError: If the port is taken.
    """

    def __init__(self, meter: TrainerMeter, port: int) -> None:
        self._server = ThreadingHTTPServer((LOOPBACK, port), _page(meter))
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, name="trainer page", daemon=True)

    @property
    def address(self) -> str:
        """``http://127.0.0.1:port``."""
        return f"http://{LOOPBACK}:{self._server.server_port}"

    def __enter__(self) -> "TrainerPage":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _page(meter: TrainerMeter) -> type[BaseHTTPRequestHandler]:
    class Page(BaseHTTPRequestHandler):
        timeout = REQUEST_SECONDS
        server_version = "restock"
        sys_version = ""

        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/live":
                    self._answer(200, {"live": True})
                case "/ready":
                    self._answer(503 if meter.missing else 200, {"ready": not meter.missing, "missing": meter.missing})
                case "/metrics":
                    self._send(200, CONTENT_TYPE_LATEST, generate_latest(meter.registry))
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

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Requests are not logged."""

    return Page
