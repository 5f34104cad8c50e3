"""A shop with records of its own form: a mapping is proposed, a worker takes them by it, refusals keep the original."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.commands.runs import invoked, run
from tests.e2e.checker import read_topic
from tests.e2e.cluster import Cluster, eventually
from tests.e2e.shop import LIVE, SKUS, keyed

Fields = dict[str, Any]


def theirs(number: int) -> Fields:
    sku = SKUS[number % 7]
    return {
        "order": {"no": 1_000 + number, "created_at": round(LIVE) + number},
        "lines": [
            {"article": {"code": sku, "name": f"An article, {sku}"}, "qty": str(1 + number % 3), "unit price": 2.5}
        ],
        "customer": {"id": 7, "country": "UK"},
    }


def sample_file(folder: Path, records: list[Fields]) -> Path:
    file = folder / "sample.ndjson"
    file.write_text("".join(json.dumps(one) + "\n" for one in records))
    return file


def test_a_mapping_is_proposed_and_a_worker_takes_the_records_by_it(product: Cluster, tmp_path: Path) -> None:
    file = sample_file(tmp_path, [theirs(number) for number in range(20)])
    done = invoked(product, "doctor", "--sample", str(file), "--json")
    report = json.loads(done.stdout)
    assert done.exit_code == 1 and (report["records"], report["accepted"], report["would_accept"]) == (20, 0, 20)
    assert report["codes"] == {"missing_field": 20}
    rules = report["proposal"]
    assert rules["sku"] == "$.lines[0].article.code" and rules["order_id"] == "$.order.no"
    assert rules["quantity"] == {"path": "$.lines[0].qty", "as": "number"}
    assert rules["event_time"] == {"path": "$.order.created_at", "time": "epoch_seconds"}
    assert rules["price"] == "$.lines[0]['unit price']" and rules["location"] == "$.customer.country"
    mapping = tmp_path / "mapping.json"
    mapping.write_text(json.dumps({"orders": {**rules, "location": {"constant": "main"}}}))
    product.environment = {**product.environment, "RESTOCK_MAPPING_FILE": str(mapping)}
    assert "20 of 20 records would be accepted" in run(product, "doctor", "--sample", str(file)).stdout
    own_form_stays_possible(product, tmp_path)
    works_by_it(product)


def own_form_stays_possible(product: Cluster, folder: Path) -> None:
    stock = folder / "orders.ndjson"
    stock.write_text(json.dumps({"sku": SKUS[0], "quantity": 2, "event_time": round(LIVE * 1000)}) + "\n")
    run(product, "feed", str(stock), "--topic", "orders")


def works_by_it(product: Cluster) -> None:
    poison = {**theirs(3), "lines": []}
    records = [theirs(number) for number in range(50)]
    product.produce("orders", [keyed(f"main|{SKUS[n % 7]}".encode(), one) for n, one in enumerate(records)])
    product.produce("orders", [keyed(b"main|x", poison)])
    product.start_worker()
    eventually(lambda: product.applied("orders") == 52, product.logs())
    keys, summary = product.state()
    assert summary["rejected"] == 1
    units = sum(units for one in keys.values() for _, units in one["open"])
    assert units == sum(1 + number % 3 for number in range(50)) + 2
    eventually(lambda: bool(read_topic(product.bootstrap, product.topic("dead-letter"))), "the dead letter")
    (letter,) = read_topic(product.bootstrap, product.topic("dead-letter"))
    assert letter.fields == poison
    assert b"mapped from $.lines[0]" in letter.headers["__connect.errors.exception.message"]


def test_records_of_our_form_need_no_mapping(product: Cluster, tmp_path: Path) -> None:
    ours = [{"type": "stock_counted", "event_id": "e", "location": "m", "sku": "A", "event_time": 1_767_600_000_000}]
    file = sample_file(tmp_path, [{**ours[0], "on_hand": 3}])
    done = run(product, "doctor", "--sample", str(file), "--as", "inventory")
    assert "1 of 1 records would be accepted as inventory" in done.stdout and "mapping" not in done.stdout


def test_a_topic_can_be_the_sample_and_an_empty_one_is_said_to_be_empty(product: Cluster) -> None:
    assert "0 of 0 records" in invoked(product, "doctor", "--sample", "orders").stdout
    product.produce("orders", [keyed(b"main|x", theirs(1))])
    done = invoked(product, "doctor", "--sample", "orders")
    assert done.exit_code == 1 and "$.order.no" in done.stdout


@pytest.mark.parametrize("content", [b"no json\n", b"[1]\n\x1b[2J\n", b'{"a": {"b": null}}\n'])
def test_a_sample_of_nothing_usable_proposes_nothing_harmful(product: Cluster, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "odd.ndjson"
    file.write_bytes(content)
    done = invoked(product, "doctor", "--sample", str(file))
    assert done.exit_code == 1 and "0 of" in done.stdout and "\x1b" not in done.stdout


def test_a_sample_that_does_not_exist_is_wrong_usage(product: Cluster) -> None:
    assert invoked(product, "doctor", "--sample", "nowhere.ndjson").exit_code == 2
