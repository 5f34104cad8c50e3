"""The reference of topics says what the wire does: its examples are accepted, its codes are all there are."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from replenishment.engine.columns import Role
from replenishment.events import Evidence, InventoryEvent
from stream_app.wire.admission import Admission
from stream_app.wire.json_wire import JsonWire
from stream_app.wire.refusals import Code
from tests.wire.builders import Sent, batch, inventory, refusal

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference" / "topics.md").read_text()
WIRE = JsonWire(partitions=1, max_future_seconds=None)


def examples(topic: str) -> list[str]:
    """Return the example values of a topic."""
    section = REFERENCE.split(f"\n## {topic}\n")[1]
    return section.split("```json\n")[1].split("```")[0].splitlines()


def record_of(example: str, offset: int = 0) -> Sent:
    fields = json.loads(example)
    key = f"{fields['location']}|{fields['sku']}".encode() if "sku" in fields else None
    return Sent(example.encode(), key, offset)


@pytest.mark.parametrize("topic", ["orders", "inventory", "catalog", "signals"])
def test_every_example_is_accepted(topic: Role) -> None:
    assert examples(topic)
    assert [refusal(topic, record_of(example), WIRE) for example in examples(topic)] == [None] * len(examples(topic))


def test_there_is_an_example_of_every_inventory_event() -> None:
    events = inventory([record_of(example, at) for at, example in enumerate(examples("inventory"))], WIRE).events
    assert {type(event) for event in events} == set(get_args(InventoryEvent))


def test_codes_are_listed_in_order_of_precedence() -> None:
    section = REFERENCE.split("### Refusal codes")[1]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [code.value for code in Code]


def test_every_field_of_the_evidence_is_explained() -> None:
    table = REFERENCE.split("| field of `evidence`")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", table)) == set(Evidence.__struct_fields__)


def test_settings_of_the_wire_are_refused_if_they_make_no_sense() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Admission(0, None)
    with pytest.raises(ValueError, match="0 or more"):
        Admission(1, -1)


def test_an_empty_batch_keeps_its_span() -> None:
    for topic in ("orders", "inventory", "catalog", "signals"):
        fetched = batch(topic, [])
        assert WIRE.decode(fetched).span.start == fetched.start  # type: ignore[union-attr]
