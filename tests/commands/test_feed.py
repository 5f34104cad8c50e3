"""``restock feed`` and ``restock inventory import``: files into topics, whole, in order, each row once."""

import json
import random
import subprocess
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.commands.runs import invoked, refusal, run
from tests.e2e.checker import Logged, read_topic
from tests.e2e.cluster import RESTOCK, Cluster, eventually
from tests.e2e.shop import SKUS, partition_of

ROWS = 6_000


def order_rows(count: int) -> list[dict[str, Any]]:
    rng = random.Random(4)
    return [
        {"sku": rng.choice(SKUS), "quantity": 1 + n % 7, "event_time": 1_767_600_000_000 + n, "order_id": f"o-{n}"}
        for n in range(count)
    ]


def ndjson(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def in_topic(product: Cluster, role: str = "orders") -> list[Logged]:
    return read_topic(product.bootstrap, product.topic(role))


def test_rows_of_every_format_are_the_same_records_in_order_and_place(product: Cluster, tmp_path: Path) -> None:
    rows = [{"sku": f"A{n}", "quantity": n + 1, "event_time": 1_767_600_000_000 + n} for n in range(9)]
    frame = pl.DataFrame(rows)
    frame.write_csv(tmp_path / "o.csv")
    frame.write_parquet(tmp_path / "o.parquet")
    ndjson(tmp_path / "o.ndjson", rows)
    seen: list[list[Logged]] = []
    for suffix in ("csv", "parquet", "ndjson"):
        before = {(one.partition, one.offset) for one in in_topic(product)}
        assert "9 rows in orders" in run(product, "feed", str(tmp_path / f"o.{suffix}"), "--topic", "orders").stdout
        seen.append([one for one in in_topic(product) if (one.partition, one.offset) not in before])
    contents = [[(one.partition, one.key, one.value) for one in records] for records in seen]
    assert contents[0] == contents[1] == contents[2] and len(contents[0]) == 9
    assert all(partition == partition_of(key or b"") for partition, key, _ in contents[0])
    ids = {one.fields["order_id"] for one in seen[0]}
    assert len(ids) == 9, "a row without an id has one of its own, the same in every format"


def test_a_file_with_wrong_rows_is_refused_whole_and_all_are_named(product: Cluster, tmp_path: Path) -> None:
    rows = order_rows(5)
    rows[1]["quantity"], rows[3]["event_time"] = 0, int(time.time() * 1000) + 10**9
    path = ndjson(tmp_path / "o.ndjson", rows)
    told = refusal(product, "feed", str(path), "--topic", "orders")
    assert "2 of 5 rows" in told and "row 2: out_of_range: quantity is 0" in told and "row 4: future_dated" in told
    assert in_topic(product) == [] and not (tmp_path / "o.ndjson.fed").exists()
    assert "nothing was sent" in refusal(product, "feed", str(path), "--topic", "orders", "--dry-run")


def test_wrong_rows_can_be_sent_all_the_same(product: Cluster, tmp_path: Path) -> None:
    path = tmp_path / "o.ndjson"
    path.write_text('{"sku": "A", "quantity": 0, "event_time": 1767600000000}\nno json\n')
    done = run(product, "feed", str(path), "--topic", "orders", "--send-refused", "--json")
    assert json.loads(done.stdout) == {"rows": 2, "refused": 2, "sent": 2}
    assert "row 2: undecodable" in done.stderr
    assert sorted(one.value or b"" for one in in_topic(product))[0] == b"no json"


def test_time_passing_goes_to_every_partition(product: Cluster, tmp_path: Path) -> None:
    path = ndjson(tmp_path / "o.ndjson", [{"type": "time_passed", "event_time": 1_767_600_000_000}])
    assert json.loads(run(product, "feed", str(path), "--topic", "orders", "--json").stdout)["sent"] == 3
    assert [one.partition for one in in_topic(product)] == [0, 1, 2]


def test_a_fed_file_is_not_fed_again_unless_asked(product: Cluster, tmp_path: Path) -> None:
    path = ndjson(tmp_path / "o.ndjson", order_rows(10))
    command = ("feed", str(path), "--topic", "orders")
    run(product, *command)
    again = run(product, *command)
    assert "is in" in again.stderr and "--again" in again.stderr
    assert len(in_topic(product)) == 10
    run(product, *command, "--again")
    assert len(in_topic(product)) == 20
    run(product, *command, "--skip", "7")
    assert len(in_topic(product)) == 23
    ndjson(path, order_rows(4))
    run(product, *command)
    assert len(in_topic(product)) == 27, "another content is another feed"


def test_a_rate_is_kept(product: Cluster, tmp_path: Path) -> None:
    path = ndjson(tmp_path / "o.ndjson", order_rows(41))
    begun = time.monotonic()
    run(product, "feed", str(path), "--topic", "orders", "--rate", "20")
    assert 2.0 <= time.monotonic() - begun < 6.0


@pytest.mark.timeout(120)
def test_killed_again_and_again_each_row_is_in_the_topic_once_and_in_order(product: Cluster, tmp_path: Path) -> None:
    path = ndjson(tmp_path / "o.ndjson", order_rows(ROWS))
    command = [*RESTOCK, "feed", str(path), "--topic", "orders"]
    for part in (0.15, 0.4, 0.6):
        feeding = subprocess.Popen([*command, "--rate", "3000"], env=product.environment, stderr=subprocess.DEVNULL)
        eventually(lambda part=part: len(in_topic(product)) > part * ROWS, "rows are sent", 60)  # type: ignore[misc]
        feeding.kill()
        assert feeding.wait() != 0, "it was killed while feeding"
    noted = json.loads((tmp_path / "o.ndjson.fed").read_text())
    assert not noted["is_complete"] and 0 < noted["row"] < ROWS
    done = subprocess.run(command, env=product.environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0 and b"going on after row" in done.stderr
    found = in_topic(product)
    fed = [int(one.headers["restock.fed-as"].decode().rpartition("/")[2]) for one in found]
    assert sorted(fed) == list(range(1, ROWS + 1))
    for partition in range(3):
        rows = [row for row, one in zip(fed, found, strict=True) if one.partition == partition]
        assert rows == sorted(rows)


def test_a_file_that_changed_half_way_is_not_guessed_about(product: Cluster, tmp_path: Path) -> None:
    path = ndjson(tmp_path / "o.ndjson", order_rows(3_000))
    feeding = subprocess.Popen(
        [*RESTOCK, "feed", str(path), "--topic", "orders", "--rate", "300"],
        env=product.environment,
        stderr=subprocess.DEVNULL,
    )
    kept = tmp_path / "o.ndjson.fed"
    eventually(lambda: kept.exists() and json.loads(kept.read_text())["row"] > 0, "progress is noted", 60)
    feeding.kill()
    feeding.wait()
    row = json.loads(kept.read_text())["row"]
    ndjson(path, order_rows(2_999))
    told = refusal(product, "feed", str(path), "--topic", "orders")
    assert f"--skip {row}" in told and "--again" in told


def test_progress_that_cannot_be_kept_is_said_before_anything_is_sent(product: Cluster, tmp_path: Path) -> None:
    path = ndjson(tmp_path / "o.ndjson", order_rows(3))
    told = refusal(product, "feed", str(path), "--topic", "orders", "--progress", "/proc/nowhere/x")
    assert "--progress" in told and in_topic(product) == []


def test_opening_stock_is_counted_once_for_each_key(product: Cluster, tmp_path: Path) -> None:
    path = tmp_path / "stock.csv"
    path.write_text("sku,location,on_hand\nA,main,5\nB,,0\n")
    command = ("inventory", "import", str(path), "--at", "2026-01-31T00:00:00Z")
    assert "2 counts are fine" in run(product, *command, "--dry-run").stdout
    assert in_topic(product, "inventory") == []
    assert "2 counts written" in run(product, *command).stdout
    found = {one.key: one.fields for one in in_topic(product, "inventory")}
    assert found[b"main|A"]["on_hand"] == 5 and found[b"main|A"]["type"] == "stock_counted"
    assert found[b"main|B"]["event_time"] == 1_769_817_600_000
    assert len({one["event_id"] for one in found.values()}) == 2
    run(product, *command)
    assert len({one.fields["event_id"] for one in in_topic(product, "inventory")}) == 2, "the same counts again"


def test_wrong_counts_are_all_named_and_nothing_is_written(product: Cluster, tmp_path: Path) -> None:
    path = tmp_path / "stock.csv"
    path.write_text("sku,location,on_hand\nA,main,-1\nB,main,3\nB,main,4\nC,main,\n")
    told = refusal(product, "inventory", "import", str(path))
    assert "row 1: out_of_range" in told and "row 3: counted_twice: row 2" in told and "row 4: missing_field" in told
    assert in_topic(product, "inventory") == []


def test_other_events_than_counts_are_refused_with_the_command_for_them(product: Cluster, tmp_path: Path) -> None:
    path = ndjson(tmp_path / "stock.ndjson", [{"type": "stock_adjusted", "sku": "A", "delta": 1}])
    assert "restock feed --topic inventory" in refusal(product, "inventory", "import", str(path))
    done = invoked(product, "inventory", "import", str(path), "--at", "yesterday")
    assert "RFC 3339" in str(done.exception)
