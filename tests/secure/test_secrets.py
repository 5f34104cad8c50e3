"""A secret is seen nowhere, and nobody beyond this machine is listened to."""

import ipaddress
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest
import redis

from stream_app.embedded.kafka import KafkaBroker
from tests.e2e.checker import read_topic
from tests.e2e.cluster import MODEL_STORE, RESTOCK, eventually
from tests.secure.guarded import CANARY
from tests.secure.scenario import Life

pytestmark = [pytest.mark.timeout(400), pytest.mark.xdist_group("guarded")]


def test_the_passwords_are_in_no_log_metric_page_message_or_setting_shown(lived: Life) -> None:
    said = lived.printed
    assert {"metrics", "worker-0.log", "page queue", "config", "config --json", "doctor --json", "trainer"} <= set(said)
    assert [who for who, text in said.items() if CANARY in text] == []
    assert str(lived.servers.password_file("operator")) in said["config"], "the file is named, its content is not"


def test_the_passwords_are_in_no_record_and_no_row(lived: Life) -> None:
    for role in ("orders", "inventory", "catalog", "restock", "demand", "dead-letter"):
        records = read_topic(lived.servers.broker.bootstrap, f"{lived.name}.{role}")
        assert not any(CANARY.encode() in (one.value or b"") + b"".join(one.headers.values()) for one in records)
    with redis.Redis.from_url(lived.servers.valkey.url) as admin:
        dumps = [admin.dump(name) or b"" for name in admin.keys("*")]
    assert not any(CANARY.encode() in dump for dump in dumps)


def test_a_traceback_of_a_failed_login_would_not_show_the_password(lived: Life) -> None:
    from stream_app.settings import Settings

    settings = {
        name.removeprefix("RESTOCK_").lower(): value for name, value in lived.servers.settings("worker").items()
    }
    made = Settings.model_validate(settings)
    assert CANARY not in repr(made) + repr(made.kafka_access()) + str(made.kafka_access())


@pytest.mark.parametrize(
    "command",
    [(*RESTOCK, "worker"), (*RESTOCK, "page", "--port", "0"), (*MODEL_STORE, "train", "--every", "1d")],
    ids=("worker", "page", "trainer"),
)
def test_what_runs_for_long_listens_on_this_machine_only(lived: Life, command: tuple[str, ...], tmp_path: Path) -> None:
    with lived.product_as("worker") as product:
        running = subprocess.Popen(command, env=own(product.environment, tmp_path), stderr=subprocess.DEVNULL)
        try:
            eventually(lambda: bool(listening(running.pid)), f"{command} listens")
            for address in listening(running.pid):
                assert ipaddress.ip_address(address).is_loopback, address
        finally:
            running.kill()
            running.wait()


def own(environment: Mapping[str, str], folder: Path) -> Mapping[str, str]:
    return {**environment, "RESTOCK_MODELS": str(folder / "models")}


def listening(process: int) -> list[str]:
    found = psutil.Process(process).net_connections("inet")
    return [one.laddr.ip for one in found if one.status == psutil.CONN_LISTEN]


def test_the_embedded_broker_keeps_its_users_to_itself(lived: Life) -> None:
    broker: KafkaBroker = lived.servers.broker
    assert broker.log.parent.stat().st_mode & 0o077 == 0
    assert CANARY not in repr(broker._guard)
