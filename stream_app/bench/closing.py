"""Closing one bucket of every stock key, beside what cannot be left out: the bare net, and a bare HSET of the bytes."""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import redis

from model_store.onnx_graph import BLOCK_ROWS, checked_shape
from model_store.runtime import session_of
from model_store.starter import starter_directory
from stream_app.bench.figures import Figure, Outcome, Ratio, Size, Tell
from stream_app.bench.many_keys import bytes_of, close_day, stored_rows, worker_with_keys
from stream_app.embedded import servers

FIELDS_AT_ONCE = 2_000


def measure(folder: Path, size: Size, tell: Tell) -> Outcome:
    """Close a second day: the first one also makes the rows of the forecasts.

    Raises:
        EmbeddedUnavailable: If a server cannot be had.
        RestockError: If the worker does not close it.
    """
    with (
        servers(folder, tell) as running,
        worker_with_keys(running, folder, "closing", size, tell) as worker,
        redis.Redis.from_url(running.redis_url) as client,
    ):
        tell("the first day closes")
        close_day(running, worker, "closing", size, 0)
        before = stored_rows(client, "closing")
        tell("the second day closes")
        seconds = close_day(running, worker, "closing", size, 1)
        changed = _changed(before, stored_rows(client, "closing"))
        hset_seconds = _hset_seconds(client, changed)
    step_seconds = _step_seconds(size.skus)
    return Outcome(
        ("", "seconds"),
        [
            ("the worker closes a bucket of all keys", f"{seconds:.2f}"),
            ("the bare net of the starter, in ONNX Runtime", f"{step_seconds:.2f}"),
            ("bare HSET of the same bytes", f"{hset_seconds:.2f}"),
        ],
        [
            Ratio(
                "closing a bucket, to the bare net and a bare HSET",
                seconds / (step_seconds + hset_seconds),
                2.0,
                1.4,
                is_less_better=True,
            )
        ],
        [f"{bytes_of(changed) / size.skus:,.0f} bytes for each stock key; wall time, fsync with every write."],
    )


def _changed(
    before: Mapping[bytes, Mapping[bytes, bytes]], after: Mapping[bytes, Mapping[bytes, bytes]]
) -> dict[bytes, dict[bytes, bytes]]:
    return {
        key: {field: value for field, value in rows.items() if before.get(key, {}).get(field) != value}
        for key, rows in after.items()
    }


def _hset_seconds(client: "redis.Redis", rows: Mapping[bytes, Mapping[bytes, bytes]]) -> float:
    # overwriting, as the worker does: rows that are new would cost memory too
    _write(client, rows)
    begun = time.perf_counter()
    _write(client, rows)
    return time.perf_counter() - begun


def _write(client: "redis.Redis", rows: Mapping[bytes, Mapping[bytes, bytes]]) -> None:
    for key, table in rows.items():
        fields = list(table)
        for start in range(0, len(fields), FIELDS_AT_ONCE):
            some = fields[start : start + FIELDS_AT_ONCE]
            client.hset(b"bare:" + key, items=[part for field in some for part in (field, table[field])])


def _step_seconds(keys: int) -> float:
    graph = (starter_directory() / "step.onnx").read_bytes()
    shape, session = checked_shape(graph), session_of(graph)
    fed = {
        "features": np.zeros((BLOCK_ROWS, shape.inputs), dtype=np.float32),
        "state": np.zeros((BLOCK_ROWS, shape.state_floats), dtype=np.float32),
    }
    session.run(None, fed)
    begun = time.perf_counter()
    for _ in range(-(-keys // BLOCK_ROWS)):
        session.run(None, fed)
    return time.perf_counter() - begun


CLOSING = Figure(
    "closing",
    "one bucket of every stock key closed, forecast and stored, beside the bare net and a bare HSET",
    1,
    usual=Size(100_000, 100_000),
    quick=Size(4_000, 4_000),
    measure=measure,
)
