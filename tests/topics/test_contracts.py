"""Contracts for others: generated from the code, true of the decoder, readable by yesterday's and today's clients."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from replenishment.engine.columns import ROLES, Role
from stream_app.contracts.write import contents, schemas
from stream_app.kafka.topics import JOINT_ROLES, TOPIC_ROLES
from tests.wire.builders import AT, Sent, refusal
from tests.wire.test_outgoing import CLOSED, RESTOCK, effects, encoded

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "contracts"
INPUTS: tuple[Role, ...] = ROLES
ABSENT = object()
VALUES: tuple[Any, ...] = (
    *(ABSENT, None, True, False, [], {}, "", "x", "a b", "x" * 64, "x" * 65, "x" * 128, "x" * 129, "a\u0085"),
    *(-(10**9) - 1, -(10**9), -1, 0, 0.4999, 0.5, 0.9999, 1, 1.5, 364, 365, 366, 730, 731, 99_999, 100_000, 100_001),
    *(999_999, 1_000_000, 1_000_001, 10**9, 10**9 + 1, AT - 1000, AT, 946_684_799_999, 946_684_800_000, 10**300),
    *("2026-01-01", "2025-12-31T23:00:00Z", "2025-12-31T23:00:00.5+01:00", "2025-12-31T25:00:00Z", "order_placed"),
    *("order_cancelled", "stock_counted", "cycle", "fill", "newsvendor"),
)


def validator(role: str) -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(schemas()[role])


def golden(role: str) -> list[dict[str, Any]]:
    lines = [
        json.loads(line)
        for file in sorted(COMMITTED.glob(f"golden/{role}-*.ndjson"))
        for line in file.read_text().splitlines()
    ]
    assert lines
    return lines


def test_what_is_committed_is_what_the_code_gives() -> None:
    committed = {file.name: file.read_text() for file in COMMITTED.glob("*.json")}
    assert committed == dict(contents()), "run `make contracts` and look at the difference: is it compatible?"


@pytest.mark.parametrize("role", schemas())
def test_a_schema_is_one_and_accepts_every_golden_message_of_every_version(role: str) -> None:
    jsonschema.Draft7Validator.check_schema(schemas()[role])
    for message in golden(role):
        validator(role).validate(message)


@pytest.mark.parametrize("role", INPUTS)
def test_golden_input_of_every_version_is_still_accepted(role: Role) -> None:
    assert [decoder_refuses(role, message) for message in golden(role)] == [None] * len(golden(role))


def test_what_is_written_today_fits_the_schemas_and_keeps_every_field_of_version_1() -> None:
    written = encoded(effects(restocks=[RESTOCK], causes=[-1], demand=[CLOSED]))
    assert [record.topic for record in written] == ["restock", "demand"]
    for record in written:
        message = json.loads(record.value or b"")
        validator(record.topic).validate(message)
        first = golden(record.topic)[0]
        assert first.keys() <= message.keys() and first.get("evidence", {}).keys() <= message.get("evidence", {}).keys()


def decoder_refuses(role: Role, message: dict[str, Any]) -> str | None:
    location, sku = message.get("location"), message.get("sku")
    key = None if sku is None else f"{location}|{sku}".encode(errors="replace")
    one = refusal(role, Sent(json.dumps(message).encode(), key, timestamp=-1))
    return None if one is None else f"{one.code}: {one.reason}"


def changed(role: Role) -> Iterator[dict[str, Any]]:
    """Yield golden messages with one field changed to each of the values."""
    for message in golden(role):
        names = {*message, "type", "line", "price", "restock_id", "final", "expected_at", "reason", "service_kind"}
        for name in sorted(names):
            for value in VALUES:
                other = {one: content for one, content in message.items() if one != name}
                yield other if value is ABSENT else {**other, name: value}


INEXPRESSIBLE = re.compile("too_old|placed_after|.* for newsvendor|.* later than starts_at")
"""What depends on another field, or on the age of a time that is a text."""


@pytest.mark.parametrize("role", INPUTS)
def test_a_schema_says_of_each_message_what_the_decoder_says(role: Role) -> None:
    """The decoder is the truth: whatever one field is changed to, both accept it or both refuse it."""
    valid, accepted, refused = validator(role), 0, 0
    for message in changed(role):
        told = decoder_refuses(role, message)
        if told is not None and INEXPRESSIBLE.match(told):
            continue
        assert valid.is_valid(message) == (told is None), (message, told)
        accepted, refused = accepted + (told is None), refused + (told is not None)
    assert accepted > 100 and refused > 100


def test_a_request_that_is_none_is_refused() -> None:
    request, withdrawal, *_ = golden("restock")
    assert not validator("restock").is_valid({**withdrawal, "quantity": 24})
    for name, value in (("quantity", 0), ("restock_id", 3), ("decided_at", "yesterday"), ("evidence", None)):
        assert not validator("restock").is_valid({**request, name: value})
    assert not validator("demand").is_valid({**golden("demand")[0], "kind": "open"})


def test_the_asyncapi_document_follows_its_specification_and_names_every_topic() -> None:
    document = json.loads((COMMITTED / "asyncapi.json").read_text())
    specification = json.loads((Path(__file__).parent / "asyncapi-3.1.0.schema.json").read_text())
    jsonschema.Draft7Validator(specification).validate(document)
    assert not jsonschema.Draft7Validator(specification).is_valid({**document, "channels": {"orders": 3}})
    assert [channel["address"] for channel in document["channels"].values()] == [*TOPIC_ROLES, *JOINT_ROLES]
    for message in document["components"]["messages"].values():
        if message["payload"]:
            assert (COMMITTED / message["payload"]["$ref"]).exists()


def test_headers_of_the_document_are_those_that_are_sent() -> None:
    messages = json.loads((COMMITTED / "asyncapi.json").read_text())["components"]["messages"]
    for record in encoded(effects(restocks=[RESTOCK], causes=[-1], demand=[CLOSED])):
        sent = {name: content.decode() for name, content in record.headers}
        jsonschema.Draft7Validator(messages[record.topic]["headers"]).validate(sent)
        key = messages[record.topic]["bindings"]["kafka"]["key"]
        jsonschema.Draft7Validator(key).validate((record.key or b"").decode())
