"""``restock health``: what a container's health check asks."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner, Result
from prometheus_client import CollectorRegistry

from stream_app.cli.main import cli
from stream_app.errors import ConfigError
from stream_app.ops.health import PARTS, Health, HealthPage
from tests.e2e.cluster import RESTOCK


def ask(port: int, *options: str) -> Result:
    return CliRunner().invoke(cli, ["health", *options], env={"RESTOCK_METRICS_PORT": str(port)})


@contextmanager
def page(health: Health) -> Iterator[int]:
    with HealthPage(health, CollectorRegistry(), 0) as shown:
        yield int(shown.address.rpartition(":")[2])


def test_a_ready_worker_is_0_and_one_that_lacks_something_1_with_the_reason() -> None:
    health = Health()
    with page(health) as port:
        done = ask(port)
        assert done.exit_code == 1 and "redis: not there yet" in done.stdout and "not ready" in done.stderr
        for part in PARTS:
            health.has(part)
        assert ask(port).exit_code == 0
        health.lacks("redis", "connection refused")
        done = ask(port, "--quiet")
        assert (done.exit_code, done.output) == (1, "")


def test_no_worker_is_1_and_names_the_command() -> None:
    with page(Health()) as port:
        pass
    done = ask(port)
    assert done.exit_code == 1 and "restock worker" in done.stdout


def test_something_else_on_the_port_is_told_from_a_worker() -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = ask(server.server_port)
        server.shutdown()
    assert done.exit_code == 1 and "no worker: check RESTOCK_METRICS_PORT" in done.stdout


def test_without_a_port_it_is_wrong_settings() -> None:
    done = ask(0)
    assert isinstance(done.exception, ConfigError) and "RESTOCK_METRICS_PORT" in str(done.exception)


@pytest.mark.parametrize(("port", "code"), [("0", 2), ("1", 1)])
def test_exit_codes_of_the_process(port: str, code: int) -> None:
    done = subprocess.run(
        [*RESTOCK, "health", "--quiet"],
        env={"RESTOCK_METRICS_PORT": port},
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == code
    assert json.dumps(done.stdout.decode()) == '""'
