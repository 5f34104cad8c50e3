"""Commands of the product against servers of the user's choice, as processes of their own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from kafka.admin import KafkaAdminClient

from stream_app.kafka.topics import TOPIC_ROLES
from tests.e2e.checker import read_topic, shown, unique_requests
from tests.e2e.cluster import RESTOCK, Cluster, cluster, eventually
from tests.e2e.shop import DAY, LIVE, PARTITIONS, counted, history, keyed, order_line, time_passed

pytestmark = pytest.mark.timeout(180)
MODEL_STORE = (sys.executable, "-m", "model_store.cli.main")


@pytest.fixture
def product(tmp_path: Path, kafka_bootstrap: str, redis_url: str, unique_name: str) -> Iterator[Cluster]:
    """A product of its own name, its topics created."""
    with cluster(tmp_path, kafka_bootstrap, redis_url, unique_name, RESTOCK_DECIDE_FROM=shown(LIVE)) as made:
        made.run("topics", "create", "--partitions", str(PARTITIONS))
        yield made


def begin_selling(product: Cluster) -> int:
    """Back-fill, begin deciding, count little stock; return how many orders were sent."""
    sent = product.produce("orders", history(2_000))
    sent += product.produce("orders", time_passed(LIVE))
    product.produce("inventory", counted(LIVE, on_hand=5))
    return sent


def requests(product: Cluster) -> dict[str, dict[str, Any]]:
    return unique_requests(read_topic(product.bootstrap, product.topic("restock")))


def test_topics_catalog_worker_and_state_work_together(product: Cluster, tmp_path: Path) -> None:
    terms = tmp_path / "terms.csv"
    head = "sku,location,supplier,lead_time_days,pack_units"
    terms.write_text(f"{head}\nSKU-000,main,acme,3,12\nSKU-001,main,acme,,\n")
    assert "2 stock keys written" in product.run("catalog", "import", str(terms))
    product.start_worker()
    ready = product.wait_for_line("ready")
    assert ready["partitions"] == [0, 1, 2] and ready["rung"] == "starter"
    with urlopen(f"{ready['metrics']}/ready", timeout=10) as page:
        assert json.load(page) == {"ready": True, "missing": {}}
    sent = begin_selling(product)
    eventually(lambda: product.applied("orders") == sent and bool(requests(product)), product.logs())
    made = requests(product)
    of_acme = [one for one in made.values() if one["sku"] == "SKU-000"]
    assert of_acme and all(one["supplier"] == "acme" and one["quantity"] % 12 == 0 for one in of_acme)
    assert all(one["evidence"]["lead_time_days"] == 3.0 for one in of_acme)
    keys, summary = product.state()
    assert keys["main|SKU-000"]["model_version"] == ready["model"]
    assert summary["rejected"] == 0


def test_an_observing_worker_forecasts_and_requests_nothing(product: Cluster) -> None:
    product.start_worker("--observe")
    assert product.wait_for_line("ready")["observing"] is True
    sent = begin_selling(product)
    eventually(lambda: product.applied("orders") == sent and product.applied("inventory") > 0, product.logs())
    keys, _ = product.state()
    assert all(one["reorder_point"] is not None for one in keys.values())
    assert requests(product) == {}


def test_paused_nothing_is_requested_and_resumed_what_is_due(product: Cluster) -> None:
    assert "paused" in product.run("pause")
    product.start_worker()
    product.wait_for_line("ready")
    sent = begin_selling(product)
    eventually(lambda: product.applied("orders") == sent and product.applied("inventory") > 0, product.logs())
    assert requests(product) == {}
    assert "resumed" in product.run("resume")
    product.wait_for_line("requests_resumed")
    product.produce("orders", time_passed(LIVE + DAY + 3_600))
    eventually(lambda: bool(requests(product)), f"requests after the next closing: {product.logs()}")


def test_a_version_is_swapped_in_while_orders_go_on_and_back_again(product: Cluster, tmp_path: Path) -> None:
    orders = tmp_path / "orders.csv"
    rows = [json.loads(value or b"{}") for _, _, value in history(6_000)]
    lines = [f"{one['location']},{one['sku']},{one['quantity']},{shown(one['event_time'] / 1000)}" for one in rows]
    orders.write_text("\n".join(["location,sku,quantity,event_time", *lines]) + "\n")
    product.start_worker()
    starter = product.wait_for_line("ready")["model"]
    sent = product.produce("orders", history(2_000))
    eventually(lambda: product.applied("orders") == sent, product.logs())
    trained = subprocess.run(
        [*MODEL_STORE, "train", "--orders", str(orders), "--seconds-at-most", "20", "--json"],
        env=product.environment,
        capture_output=True,
        check=False,
    )
    assert trained.returncode == 0, trained.stderr.decode()
    version = json.loads(trained.stdout.splitlines()[-1])["version"]
    product.run_model_store("promote", version, "--who", "test", "--why", "swap")
    sent += product.produce("orders", (order_line(number, LIVE - DAY + number) for number in range(500)))
    eventually(lambda: versions(product) == {version}, f"swapped to {version}: {product.logs()}")
    eventually(lambda: product.applied("orders") == sent, "orders went on")
    keys, _ = product.state()
    assert all(one["forecast"] is not None for one in keys.values() if one["window"])
    product.run_model_store("rollback", "--who", "test", "--why", "back")
    eventually(lambda: versions(product) == {starter}, f"back to {starter}: {product.logs()}")


def versions(product: Cluster) -> set[str]:
    keys, _ = product.state()
    return {one["model_version"] for one in keys.values()}


def test_input_topics_of_different_partition_counts_are_refused(product: Cluster) -> None:
    admin = KafkaAdminClient(bootstrap_servers=product.bootstrap)
    admin.create_partitions({product.topic("inventory"): 5})
    admin.close()
    done = subprocess.run([*RESTOCK, "worker"], env=product.environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 2
    told = done.stderr.decode()
    assert f"{product.topic('inventory')} 5" in told and f"{product.topic('orders')} 3" in told and "--alter" in told


def test_missing_topics_are_named_with_the_command_that_makes_them(
    tmp_path: Path, kafka_bootstrap: str, redis_url: str, unique_name: str
) -> None:
    with cluster(tmp_path, kafka_bootstrap, redis_url, unique_name) as bare:
        done = subprocess.run([*RESTOCK, "worker"], env=bare.environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.decode().count("does not exist: run `restock topics create`") == len(TOPIC_ROLES)


def test_state_laid_out_by_other_settings_is_refused_with_both_values(product: Cluster) -> None:
    product.start_worker()
    product.wait_for_line("ready")
    product.stop()
    changed = {**product.environment, "RESTOCK_WINDOW_BUCKETS": "50"}
    done = subprocess.run([*RESTOCK, "worker"], env=changed, capture_output=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "RESTOCK_WINDOW_BUCKETS=50" in done.stderr.decode() and "112" in done.stderr.decode()


def test_a_worker_told_to_end_ends_soon_with_exit_code_0(product: Cluster) -> None:
    worker = product.start_worker()
    product.wait_for_line("ready")
    worker.terminate()
    assert worker.wait(20) == 0


def test_a_worker_without_its_servers_lives_but_is_not_ready(tmp_path: Path, redis_url: str, unique_name: str) -> None:
    with cluster(tmp_path, "127.0.0.1:9", redis_url, unique_name, RESTOCK_METRICS_PORT="0") as lonely:
        lonely.start_worker()
        page = lonely.wait_for_line("starting")["metrics"]
        lonely.wait_for_line("kafka_waits")
        with urlopen(f"{page}/live", timeout=10) as answer:
            assert json.load(answer) == {"live": True}
        with pytest.raises(HTTPError, match="503") as missing:
            urlopen(f"{page}/ready", timeout=10)
        assert "127.0.0.1:9 does not answer" in json.loads(missing.value.read())["missing"]["kafka"]


def test_every_refused_record_of_each_topic_is_in_dead_letter_unchanged(product: Cluster) -> None:
    sku = order_line(0, LIVE - DAY)
    partition, key, value = sku
    hostile: list[tuple[str, bytes | None, bytes | None, str]] = [
        ("orders", key, b"\xff\xfe{", "undecodable"),
        ("orders", key, b"[" * 30_000, "undecodable"),
        ("orders", key, None, "undecodable"),
        ("orders", key, json.dumps({"quantity": 1}).encode(), "missing_field"),
        ("orders", b"other|key", value, "wrong_key"),
        ("orders", key, (value or b"").replace(b'"quantity"', b'"type":"order_eaten","quantity"'), "unknown_type"),
        ("orders", key, b'{"pad":"' + b"x" * 70_000 + b'"}', "too_large"),
        ("inventory", key, b'{"type":"stock_counted"}', "missing_field"),
        ("catalog", key, b'{"location":"main","sku":"SKU-000","pack_units":0}', "out_of_range"),
    ]
    for topic, its_key, its_value, _ in hostile:
        product.produce(topic, [(partition, its_key, its_value)])
    sent = product.produce("orders", history(200))
    product.start_worker()
    eventually(lambda: product.applied("orders") == sent + 7, product.logs())
    _, summary = product.state()
    assert summary["rejected"] == len(hostile)
    eventually(lambda: len(read_topic(product.bootstrap, product.topic("dead-letter"))) == len(hostile), "dead letters")
    found = {
        (letter.headers["__connect.errors.topic"].decode(), letter.key, letter.value): letter.headers
        for letter in read_topic(product.bootstrap, product.topic("dead-letter"))
    }
    for topic, its_key, its_value, code in hostile:
        kept = its_value if its_value is None else its_value[: 64 * 1024]
        headers = found[product.topic(topic), its_key, kept]
        assert headers["restock.error.code"].decode() == code


def test_two_workers_share_the_partitions(product: Cluster) -> None:
    product.start_worker()
    product.wait_for_line("ready")
    product.start_worker()
    product.wait_for_line("ready", worker=1)
    sent = product.produce("orders", history(3_000))
    eventually(lambda: product.applied("orders") == sent, product.logs())
    shares = [product.wait_for_line("partitions_changed", worker=0)["partitions"]]
    shares.append(product.wait_for_line("ready", worker=1)["partitions"])
    assert sorted(shares[0] + shares[1]) == [0, 1, 2]


def test_an_imported_catalog_is_checked_whole_before_anything_is_written(product: Cluster, tmp_path: Path) -> None:
    terms = tmp_path / "terms.csv"
    terms.write_text("sku,location,pack_units\nA,main,0\nB,main,6\nB,main,12\n,main,6\n")
    done = subprocess.run(
        [*RESTOCK, "catalog", "import", str(terms)], env=product.environment, capture_output=True, check=False
    )
    told = done.stderr.decode()
    assert done.returncode == 1
    assert "row 1: out_of_range: pack_units is 0" in told and "row 3: contradicts row 2" in told and "row 4: " in told
    assert read_topic(product.bootstrap, product.topic("catalog")) == []


def test_an_exported_catalog_is_what_is_in_force_and_a_diff_says_what_an_import_would_change(
    product: Cluster, tmp_path: Path
) -> None:
    terms, exported, proposed = (tmp_path / name for name in ("terms.csv", "exported.csv", "proposed.csv"))
    terms.write_text("sku,location,pack_units,supplier\nA,main,6,acme\nB,main,12,\nC,uk,,\n")
    product.run("catalog", "import", str(terms))
    terms.write_text("sku,location,pack_units,supplier\nA,main,8,acme\n")
    product.run("catalog", "import", str(terms))
    product.run("catalog", "export", str(exported))
    assert product.run("catalog", "diff", str(exported)) == "0 of 3 stock keys of the file would change\n"
    rows = exported.read_text().splitlines()
    assert [row.split(",")[:2] for row in rows[1:]] == [["main", "A"], ["main", "B"], ["uk", "C"]]
    proposed.write_text("sku,pack_units,supplier\nA,8,\nB,12,\nD,,\n")
    told = product.run("catalog", "diff", str(proposed)).splitlines()
    assert told == [
        "main|A  supplier acme → none",
        "main|D  new: all defaults",
        "2 of 3 stock keys of the file would change",
    ]
    found = [json.loads(line) for line in product.run("catalog", "diff", str(proposed), "--json").splitlines()]
    assert found[0] == {"key": "main|A", "is_new": False, "changes": {"supplier": {"from": "acme", "to": ""}}}


def test_keyed_is_where_a_default_partitioner_puts_it() -> None:
    partition, _, _ = keyed(b"main|SKU-000", {})
    assert 0 <= partition < PARTITIONS
