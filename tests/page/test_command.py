"""``restock page`` as it is started: one line with a link, on loopback only, gone at Ctrl-C."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, build_opener, urlopen

import psutil
import pytest

from stream_app.settings import Settings
from tests.e2e.cluster import RESTOCK
from tests.page.shop import environment_of

END_SECONDS = 20


@pytest.fixture
def served(nowhere: Settings) -> Iterator[subprocess.Popen[str]]:
    command = [*RESTOCK, "page", "--port", "0"]
    page = subprocess.Popen(command, env=environment_of(nowhere), stdout=subprocess.PIPE, text=True)
    yield page
    page.kill()
    page.communicate()


def test_it_prints_a_link_that_opens_the_page_listens_on_loopback_only_and_ends_at_ctrl_c(
    served: subprocess.Popen[str],
) -> None:
    assert served.stdout is not None
    link = served.stdout.readline().strip()
    assert link.startswith("http://127.0.0.1:")
    with pytest.raises(HTTPError, match="401"):
        urlopen(link.partition("?")[0], timeout=END_SECONDS)
    browser = build_opener(HTTPCookieProcessor())
    browser.open(link, timeout=END_SECONDS).close()
    with browser.open(link.partition("?")[0], timeout=END_SECONDS) as page:
        assert b"No stock keys yet" in page.read()
    listening = [one for one in psutil.Process(served.pid).net_connections() if one.status == psutil.CONN_LISTEN]
    assert [one.laddr.ip for one in listening] == ["127.0.0.1"]
    served.send_signal(signal.SIGINT)
    assert served.wait(END_SECONDS) == 0


def test_a_port_that_is_taken_is_named_with_the_option_that_takes_another(nowhere: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [*RESTOCK, "page", "--port", port]
        done = subprocess.run(
            command, env=environment_of(nowhere), capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 2
    assert f"port {port} of 127.0.0.1 is not free" in done.stderr and "--port 0" in done.stderr
