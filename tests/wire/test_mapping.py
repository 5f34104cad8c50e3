"""Field mapping: another form becomes ours, what is not understood is refused by name, originals stay as they were."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.contracts.write import schemas
from stream_app.errors import ConfigError
from stream_app.settings import load_settings
from stream_app.wire.json_wire import JsonWire
from stream_app.wire.mapped_wire import MappedWire
from stream_app.wire.mapping import FIELDS, MappedRole, loaded, mapped
from tests.wire.builders import AT, ORDER, Sent, batch, orders, refusal, rows, sent

THEIRS = {
    "order": {"no": 1001, "placed": AT // 1000},
    "article": {"code": 85123},
    "qty": "3",
    "kind": "SALE",
    "x": [{}],
}
RULES = {
    "order_id": "$.order.no",
    "location": {"constant": "main"},
    "sku": "$.article.code",
    "quantity": {"path": "$.qty", "as": "number"},
    "event_time": {"path": "$.order.placed", "time": "epoch_seconds"},
    "type": {"path": "$.kind", "values": {"SALE": "order_placed", "VOID": "order_cancelled"}},
    "placed_at": {"path": "$['placed at']", "time": "utc_text"},
    "price": "$.x[0].price",
}
KEY = b"main|85123"


def mapping(folder: Path, **roles: object) -> Path:
    file = folder / "mapping.json"
    file.write_text(json.dumps(roles))
    return file


@pytest.fixture
def wire(tmp_path: Path) -> MappedWire:
    return MappedWire(JsonWire(1, 3_600), loaded(mapping(tmp_path, orders=RULES)))


def theirs(**more: Any) -> Sent:
    return sent({**THEIRS, **more}, key=KEY)


def test_another_form_becomes_ours(wire: MappedWire) -> None:
    decoded = wire.decode(batch("orders", [theirs(), theirs(kind="VOID", **{"placed at": "2025-12-31 23:00:00"})]))
    ours = [
        sent({"order_id": "1001", "location": "main", "sku": "85123", "quantity": 3, "event_time": AT}, key=KEY),
        sent(
            {
                "order_id": "1001",
                "location": "main",
                "sku": "85123",
                "quantity": 3,
                "event_time": AT,
                "type": "order_cancelled",
                "placed_at": "2025-12-31T23:00:00Z",
            },
            key=KEY,
        ),
    ]
    assert rows(decoded) == rows(orders(ours))  # type: ignore[arg-type]
    assert len(rows(decoded)) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("record", "code", "told"),
    [
        (theirs(qty="three"), "out_of_range", 'quantity is "three", must be an integer from 1'),
        (theirs(qty=None), "missing_field", "(quantity is mapped from $.qty)"),
        (theirs(article=7), "missing_field", "(sku is mapped from $.article.code)"),
        (theirs(kind="GIFT"), "unknown_type", "(type is mapped from $.kind)"),
        (theirs(order={"no": 1, "placed": "nan"}), "out_of_range", "event_time"),
        (theirs(order={"no": 1, "placed": 1e300}), "out_of_range", "event_time"),
        (Sent(b"no json", KEY), "undecodable", "no json"),
        (Sent(b"[1]", KEY), "undecodable", "no object"),
        (Sent(None, KEY), "undecodable", "null"),
        (Sent(b'{"pad":"' + b"x" * 70_000 + b'"}', KEY), "too_large", "70010"),
        (Sent(b"[" * 40_000, KEY), "undecodable", "nested"),
        (sent(THEIRS, key=b"1001"), "wrong_key", "main|85123"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_usual_code(wire: MappedWire, record: Sent, code: str, told: str) -> None:
    found = refusal("orders", record, wire)  # type: ignore[arg-type]
    assert found is not None and found.code == code and told in found.reason


def test_our_own_records_and_time_passing_are_not_mapped(wire: MappedWire) -> None:
    fed = sent({**ORDER, "event_time": AT}, headers=(("restock.fed-as", b"x/1"),))
    passing = sent({"type": "time_passed", "event_time": AT}, key=None)
    event = sent(
        {"specversion": "1.0", "data": THEIRS}, key=KEY, headers=(("content-type", b"application/cloudevents+json"),)
    )
    for record in (fed, passing, event):
        assert refusal("orders", record, wire) is None  # type: ignore[arg-type]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["order", "article", "qty", "kind", "no", "placed", "code", "x"]), inner)
        ),
    )
)
def test_no_record_can_make_a_mapping_raise(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    wire = MappedWire(JsonWire(1, 3_600), loaded(mapping(tmp_path_factory.getbasetemp(), orders=RULES)))
    entry = wire.decode(batch("orders", [Sent(json.dumps(value).encode(), KEY)]))
    assert len(entry.rejections) == 1 or len(entry.offsets) == 1  # type: ignore[union-attr]


def test_the_identity_changes_nothing(tmp_path: Path) -> None:
    rules = loaded(mapping(tmp_path, orders={name: f"$.{name}" for name in ORDER}))
    wire = MappedWire(JsonWire(1, 3_600), rules)
    assert rows(wire.decode(batch("orders", [sent(ORDER)]))) == rows(orders([sent(ORDER)]))  # type: ignore[arg-type]
    assert mapped(rules["orders"], ORDER) == ORDER


def test_fields_that_can_be_mapped_are_all_there_are() -> None:
    for role in ("orders", "inventory"):
        there = {name for kind in schemas()[role]["oneOf"] for name in kind["properties"]}
        assert set(FIELDS[role]) == there


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"orders": {"qty": "$.a"}}, "orders.qty: no field of orders; it may be type, order_id"),
        ({"orders": {"sku": {}}}, "orders.sku: give either a path or a constant"),
        ({"orders": {"sku": "article.code"}}, "orders.sku: 'article.code' is no path"),
        ({"orders": {"sku": "$.a | upper"}}, "is no path"),
        ({"orders": {"sku": {"path": "$.a", "time": "epoch_seconds"}}}, "a time form is for event_time"),
        ({"orders": {"event_time": {"path": "$.a", "time": "stardate"}}}, "stardate"),
        ({"catalog": {}}, "catalog"),
    ],
)
def test_a_wrong_mapping_is_a_wrong_setting_named_in_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rules: dict[str, object], told: str
) -> None:
    monkeypatch.setenv("RESTOCK_MAPPING_FILE", str(mapping(tmp_path, **rules)))
    with pytest.raises(ConfigError) as wrong:
        load_settings()
    assert "RESTOCK_MAPPING_FILE" in str(wrong.value) and told in str(wrong.value)


def test_the_example_of_the_page_is_a_mapping_of_the_example_of_the_page(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/map-fields.md").read_text()
    record, rules = (block.split("```")[0] for block in page.split("```json\n")[1:3])
    role: MappedRole = "orders"
    found = loaded(mapping(tmp_path, **json.loads(rules)))[role]
    value = msgspec.json.encode(mapped(found, json.loads(record)))
    assert refusal("orders", Sent(value, b"main|85123", timestamp=-1)) is None
