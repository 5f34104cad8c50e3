"""The example of a warehouse in Java, by a compiler of its own: killed at any moment, it takes each request once."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from server_access.kafka import KafkaAccess
from stream_app.embedded.jars import Jar, JarLock, cache_folder, fetched_jars, read_lock
from stream_app.embedded.java import find_java
from stream_app.kafka.topics import TopicNames, create
from tests.e2e.cluster import eventually
from tests.topics.test_contracts import ROOT, golden
from tests.topics.test_example_consumer import produce

EXAMPLE = ROOT / "examples" / "Warehouse.java"
COMPILER = Jar(
    "org.eclipse.jdt:ecj:3.44.0", 3_329_741, "14c46ddc2e511c46c998da728f6a80f13a689c920f3832402f7ad150f6a6188d"
)
"""A Java compiler that runs on the broker's runtime, which has none."""


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Sequence[str]:
    """The command that runs the compiled example, its arguments aside."""
    classes, java = tmp_path_factory.mktemp("classes"), str(find_java())
    compiler = fetched_jars(cache_folder(), JarLock("compiler", (COMPILER,)), lambda _: None) / COMPILER.file_name
    jars = fetched_jars(cache_folder(), read_lock(), lambda _: None)
    path = ":".join(str(jars / jar.file_name) for jar in read_lock().jars)
    command = [java, "-jar", str(compiler), "-17", "-proc:none", "-cp", path, "-d", str(classes), str(EXAMPLE)]
    subprocess.run(command, check=True, timeout=100)
    return [java, "-cp", f"{classes}:{path}", "Warehouse"]


@pytest.mark.timeout(200)
def test_it_takes_each_request_once_across_repeats_and_kills(
    warehouse: Sequence[str], kafka_bootstrap: str, unique_name: str, tmp_path: Path
) -> None:
    names = TopicNames(f"{unique_name}.")
    create(KafkaAccess(kafka_bootstrap), names, 2, 1)
    picks, topic = tmp_path / "picks", names.of("restock")
    (request, *_) = golden("restock")
    requests = [{**request, "restock_id": f"id-{number}", "quantity": number + 1} for number in range(40)]
    waits = {**requests[4], "restock_id": "waits", "requires_approval": True}
    sent = [*requests, waits, *requests[5:15], {**requests[3], "revision": 2}]
    for share, expected in ((sent[:20], 20), (sent[20:], 41)):
        running = subprocess.Popen(
            [*warehouse, kafka_bootstrap, topic, str(picks)], cwd=tmp_path, stderr=subprocess.DEVNULL
        )
        try:
            produce(kafka_bootstrap, topic, share)
            eventually(lambda expected=expected: len(lines(picks)) >= expected, "picked", 90)  # type: ignore[misc]
        finally:
            running.kill()
            running.wait()
        with picks.open("a") as torn:
            torn.write("half a li")  # what a power failure may leave
    assert len(lines(picks)) == 41 == len(set(lines(picks)))
    assert [line for line in lines(picks) if line.startswith("id-7 ")] == [f"id-7 1 {request['sku']} 8"]


def lines(picks: Path) -> list[str]:
    return re.findall(r"^(.+)\n", picks.read_text(), re.MULTILINE) if picks.exists() else []


def test_it_is_short_enough_to_be_read() -> None:
    code = [line for line in EXAMPLE.read_text().splitlines() if line.strip() and not line.startswith(("//", "import"))]
    assert len(code) <= 34
