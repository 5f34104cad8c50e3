"""What a product that played from ``shop`` must have come to: compared with an independent fold of its topics."""

from collections import defaultdict
from dataclasses import dataclass

from tests.e2e.checker import Logged, PartitionFold, read_topic, seconds, unique_requests
from tests.e2e.cluster import Cluster, eventually
from tests.e2e.shop import DAY, LIVE, PARTITIONS
from tests.e2e.withdrawals import judge_withdrawals


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
    moved: dict[tuple[int, int], int] = {}
    for record in orders:
        if not is_refused(record):
            folds[record.partition].take(record)
            if record.key is not None:
                moved[record.partition, record.offset] = folds[record.partition].keys[record.key.decode()].moved_units
    keys, summary = product.state()
    for name in ("late_corrected", "late_dropped"):
        assert summary[name] == sum(getattr(fold, name) for fold in folds.values()), name
    assert summary["rejected"] == refused
    published = read_topic(product.bootstrap, product.topic("restock"))
    requests = unique_requests(published)
    inventory = read_topic(product.bootstrap, product.topic("inventory"))
    judge_withdrawals(published, orders, inventory, lambda at: opening_units - moved[at])
    accepted = _accepted(inventory)
    requested: dict[str, int] = defaultdict(int)
    for restock_id, request in requests.items():
        # what was accepted comes, though it may have been taken back meanwhile
        requested[f"{request['location']}|{request['sku']}"] += accepted.get(restock_id, request["quantity"])
    expected = {name: fold for fold in folds.values() for name in fold.keys}
    assert keys.keys() == expected.keys()
    for name, state in keys.items():
        fold = expected[name]
        assert state["window"] == fold.window_of(name), name
        assert state["open"] == fold.open_of(name), name
        assert state["inventory_position"] == opening_units - fold.keys[name].moved_units + requested[name], name
    revisions = sum(request["revision"] for request in requests.values())
    return Audit(len(orders), refused, len(keys), len(requests), len(published) - revisions)


def _accepted(inventory: list[Logged]) -> dict[str, int]:
    events = [record.fields for record in inventory]
    return {one["restock_id"]: one["quantity"] for one in events if one["type"] == "restock_accepted"}


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
