"""What a product that played from ``shop`` must have come to: compared with an independent fold of its topics."""

from collections import defaultdict
from dataclasses import dataclass

from tests.e2e.checker import Logged, PartitionFold, read_topic, seconds, unique_requests
from tests.e2e.cluster import Cluster, eventually
from tests.e2e.shop import DAY, LIVE, PARTITIONS


@dataclass(frozen=True)
class Audit:
    """How much was compared; nothing of it was lost or doubled."""

    orders: int
    refused: int
    stock_keys: int
    requests: int
    requests_published_again: int


def audited(product: Cluster, opening_units: int) -> Audit:
    """Compare windows, open buckets, positions, dead letters and requests; fail at the first difference."""
    eventually(product.is_outbox_empty, "all that left the state is published")
    orders = read_topic(product.bootstrap, product.topic("orders"))
    refused = _refused(product, orders)
    folds = {one: PartitionFold(DAY, 3_600, 112, decide_from=LIVE, counted_from=LIVE) for one in range(PARTITIONS)}
    for record in orders:
        if not is_refused(record):
            folds[record.partition].take(record)
    keys, summary = product.state()
    for name in ("late_corrected", "late_dropped"):
        assert summary[name] == sum(getattr(fold, name) for fold in folds.values()), name
    assert summary["rejected"] == refused
    published = read_topic(product.bootstrap, product.topic("restock"))
    requests = unique_requests(published)
    requested: dict[str, int] = defaultdict(int)
    for request in requests.values():
        requested[f"{request['location']}|{request['sku']}"] += request["quantity"]
    expected = {name: fold for fold in folds.values() for name in fold.keys}
    assert keys.keys() == expected.keys()
    for name, state in keys.items():
        fold = expected[name]
        assert state["window"] == fold.window_of(name), name
        assert state["open"] == fold.open_of(name), name
        assert state["inventory_position"] == opening_units - fold.keys[name].moved_units + requested[name], name
    return Audit(len(orders), refused, len(keys), len(requests), len(published) - len(requests))


def is_refused(record: Logged) -> bool:
    """Return whether an order of the shop is one that must be refused."""
    line = record.fields
    return line.get("type") != "time_passed" and not (
        1 <= line["quantity"] <= 1_000_000 and seconds(line.get("placed_at", line["event_time"])) > 0
    )


def _refused(product: Cluster, orders: list[Logged]) -> int:
    """Require a dead letter of every record that must be refused and of no other; return how many there are."""
    letters = {
        (int(letter.headers["__connect.errors.partition"]), int(letter.headers["__connect.errors.offset"]))
        for letter in read_topic(product.bootstrap, product.topic("dead-letter"))
    }
    assert letters == {(record.partition, record.offset) for record in orders if is_refused(record)}
    return len(letters)
