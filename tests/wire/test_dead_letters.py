"""Dead letters: the original untouched, Kafka Connect's headers, and parts too big to be copied."""

from hashlib import sha256

from replenishment.events import Rejection
from stream_app.ports import Headers, OutgoingRecord
from stream_app.wire.dead_letters import dead_letter
from tests.wire.builders import ORDER, Sent, batch, refusal, sent

ERRORS = (
    ("__connect.errors.topic", b"shop1.orders"),
    ("__connect.errors.partition", b"3"),
    ("__connect.errors.offset", b"41"),
    ("__connect.errors.connector.name", b"restock"),
    ("__connect.errors.task.id", b"3"),
    ("__connect.errors.stage", b"VALUE_CONVERTER"),
    ("__connect.errors.class.name", b"stream_app.wire"),
    ("__connect.errors.exception.class.name", b"restock.undecodable"),
    ("__connect.errors.exception.message", "value is no JSON: ä".encode()),
    ("restock.error.code", b"undecodable"),
)


def letter_of(record: Sent, code: str = "undecodable") -> OutgoingRecord:
    """Return the dead letter of a record of partition 3."""
    rejection = Rejection("orders", record.offset, code, "value is no JSON: ä")
    return dead_letter(rejection, record, batch("orders", [record], partition=3))


def test_a_dead_letter_is_the_original_with_error_headers_after_its_own() -> None:
    headers: Headers = (("a", b"\xff"), ("restock.error.code", b"of an earlier time"), ("a", b""))
    record = Sent(b"\x00\xff{", b"\xfe", 41, headers=headers)
    assert letter_of(record) == OutgoingRecord("dead-letter", b"\xfe", b"\x00\xff{", (*headers, *ERRORS))


def test_a_record_without_key_and_value_keeps_having_none() -> None:
    assert letter_of(Sent(None, None, 41)) == OutgoingRecord("dead-letter", None, None, ERRORS)


def test_a_contradiction_is_told_apart_as_the_engines() -> None:
    headers = dict(letter_of(Sent(b"{}"), "contradicts_request").headers)
    assert headers["__connect.errors.stage"] == b"TASK_PUT"
    assert headers["__connect.errors.class.name"] == b"replenishment.engine"


def test_a_value_that_is_too_large_is_cut_with_its_digest_and_position() -> None:
    record = sent({**ORDER, "note": "x" * 100_000}, offset=41)
    found = refusal("orders", record)
    assert found is not None
    assert found.code == "too_large"
    letter = dead_letter(found, record, batch("orders", [record], partition=3))
    headers = dict(letter.headers)
    assert record.value is not None
    assert letter.value == record.value[:65_536]
    assert headers["restock.value.sha256"] == sha256(record.value).hexdigest().encode()
    assert headers["restock.value.bytes"] == str(len(record.value)).encode()
    assert (headers["__connect.errors.topic"], headers["__connect.errors.offset"]) == (b"shop1.orders", b"41")


def test_a_value_of_64_kib_is_copied_whole() -> None:
    letter = letter_of(Sent(b"x" * 65_536))
    assert letter.value == b"x" * 65_536
    assert "restock.value.sha256" not in dict(letter.headers)


def test_keys_and_headers_too_big_to_be_copied_are_replaced_by_digests() -> None:
    headers = [(f"h{number}", b"x" * 1_000) for number in range(100)]
    letter = letter_of(Sent(b"{", b"k" * 1_000_000, headers=headers))
    assert letter.key == b"k" * 65_536
    assert letter.value == b"{"
    found = dict(letter.headers)
    assert not any(name.startswith("h") for name in found)
    assert found["restock.key.sha256"] == sha256(b"k" * 1_000_000).hexdigest().encode()
    assert {"restock.headers.bytes", "restock.headers.sha256"} <= found.keys()
    assert len(letter.value) + len(letter.key) + sum(len(n) + len(c) for n, c in letter.headers) < 256 * 1024
