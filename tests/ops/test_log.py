"""Log lines: an error's trace says where, never what local variables held."""

import subprocess
import sys

import pytest

FAILING = """
import structlog
from stream_app.ops.log import configure

def connect(password):
    raise OSError("no route to host")

configure("{log_format}")
try:
    connect("hun" + "ter2")
except OSError:
    structlog.get_logger().exception("upkeep_failed")
"""


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_trace_shows_the_place_and_no_secret(log_format: str) -> None:
    program = FAILING.format(log_format=log_format)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=True, text=True)
    assert "upkeep_failed" in done.stderr
    assert "in connect" in done.stderr
    assert "no route to host" in done.stderr
    assert "hunter2" not in done.stderr
