"""Refused records with Kafka Connect's error headers: the original untouched, and where it is to be found.

A part too big to be copied is cut and its digest added, so that no input can
make a dead letter that a broker refuses. Identical for the same record.
"""

from hashlib import sha256

from replenishment.events import Rejection
from stream_app.ports import Headers, OutgoingRecord, Record, RecordBatch
from stream_app.wire.refusals import Code

LARGEST_COPIED_BYTES = 64 * 1024
"""Of the value, of the key, and of all headers together."""


def dead_letter(rejection: Rejection, record: Record, batch: RecordBatch) -> OutgoingRecord:
    """Return the dead letter of a refused record of a batch; (source topic, partition, offset) identify it."""
    kept, cut_headers = _kept_headers(record.headers)
    value, cut_value = _cut("value", record.value)
    key, cut_key = _cut("key", record.key)
    headers = (*kept, *_error_headers(rejection, batch), *cut_value, *cut_key, *cut_headers)
    return OutgoingRecord("dead-letter", key, value, headers)


def _error_headers(rejection: Rejection, batch: RecordBatch) -> Headers:
    is_engines = rejection.code in (Code.CONTRADICTS_REQUEST, Code.TOO_FAR_AHEAD)
    texts = {
        "__connect.errors.topic": batch.source,
        "__connect.errors.partition": str(batch.partition),
        "__connect.errors.offset": str(rejection.offset),
        "__connect.errors.connector.name": "restock",
        "__connect.errors.task.id": str(batch.partition),
        "__connect.errors.stage": "TASK_PUT" if is_engines else "VALUE_CONVERTER",
        "__connect.errors.class.name": "replenishment.engine" if is_engines else "stream_app.wire",
        "__connect.errors.exception.class.name": f"restock.{rejection.code}",
        "__connect.errors.exception.message": rejection.reason,
        "restock.error.code": rejection.code,
    }
    return tuple((name, text.encode()) for name, text in texts.items())


def _cut(part: str, content: bytes | None) -> tuple[bytes | None, Headers]:
    if content is None or len(content) <= LARGEST_COPIED_BYTES:
        return content, ()
    return content[:LARGEST_COPIED_BYTES], _digest(part, content)


def _kept_headers(headers: Headers) -> tuple[Headers, Headers]:
    """Return the headers to copy, all or none, and the digest in place of them."""
    # a client may hand over a header without value, for which the outbox has no form
    copied = tuple((name, content or b"") for name, content in headers)
    joined = b"".join(name.encode() + b"\0" + content + b"\0" for name, content in copied)
    if len(joined) <= LARGEST_COPIED_BYTES:
        return copied, ()
    return (), _digest("headers", joined)


def _digest(part: str, content: bytes) -> Headers:
    return (
        (f"restock.{part}.bytes", str(len(content)).encode()),
        (f"restock.{part}.sha256", sha256(content).hexdigest().encode()),
    )
