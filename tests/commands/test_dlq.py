"""``restock dlq``: what was refused can be found, understood and sent again, once."""

import json
from collections.abc import Sequence

import pytest

from replenishment.events import Rejection
from stream_app.dead_letters import ERROR_HEADERS, DeadLetter, letter_of
from stream_app.ports import OutgoingRecord, RecordBatch
from stream_app.topic_reader import Message
from stream_app.wire.dead_letters import dead_letter
from tests.commands.runs import refusal, run, write
from tests.e2e.checker import Logged, read_topic
from tests.e2e.cluster import Cluster, eventually
from tests.e2e.shop import LIVE, order_line, partition_of

PARTITION, KEY, VALUE = order_line(1, LIVE)
SOUND = VALUE or b""


def refused(
    product: Cluster, offset: int, code: str = "out_of_range", value: bytes = SOUND, role: str = "orders", **more: bytes
) -> tuple[int, OutgoingRecord]:
    """Return a dead letter of a record as the product makes it."""
    assert role in ("orders", "inventory", "catalog", "signals")
    headers = tuple(more.items())
    record = Message(PARTITION, offset, 0, KEY, value, headers)
    batch = RecordBatch(role, product.topic(role), PARTITION, offset, offset + 1, [record])  # type: ignore[arg-type]
    return 0, dead_letter(Rejection(role, offset, code, f"reason of {offset}"), record, batch)


def name(product: Cluster, offset: int, role: str = "orders") -> str:
    return f"{product.topic(role)}/{PARTITION}/{offset}"


def listed(product: Cluster, *options: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in run(product, "dlq", "list", "--json", *options).stdout.splitlines()]


def test_each_letter_is_listed_once_and_can_be_chosen_by_code_and_topic(product: Cluster) -> None:
    letters = [refused(product, 3), refused(product, 3), refused(product, 4, "too_old")]
    write(product, "dead-letter", [*letters, refused(product, 3, role="inventory")])
    write(product, "dead-letter", [(1, OutgoingRecord("dead-letter", b"k", b"no letter of ours"))])
    assert [one["name"] for one in listed(product)] == [
        name(product, 3),
        name(product, 4),
        name(product, 3, "inventory"),
    ]
    assert [one["code"] for one in listed(product, "--code", "too_old")] == ["too_old"]
    assert [one["name"] for one in listed(product, "--topic", "inventory")] == [name(product, 3, "inventory")]
    done = run(product, "dlq", "list", "-n", "1")
    assert len(done.stdout.splitlines()) == 1 and "3 dead letters, 1 listed" in done.stderr


def test_a_letter_is_shown_with_its_reason_and_its_original_escaped(product: Cluster) -> None:
    write(product, "dead-letter", [refused(product, 7, "undecodable", b"\x1b[2J{", trace=b"\x1bx")])
    told = run(product, "dlq", "show", name(product, 7)).stdout
    assert "reason of 7" in told and r"\x1b[2J{" in told and r"trace: \x1bx" in told and "\x1b" not in told
    fields = json.loads(run(product, "dlq", "show", name(product, 7), "--json").stdout)
    assert fields["headers"] == {"trace": "\x1bx"} and fields["value"] == "\x1b[2J{"
    assert f"there is no dead letter {name(product, 8)}" in refusal(product, "dlq", "show", name(product, 8))


def replayed(product: Cluster, role: str = "orders") -> Sequence[Logged]:
    return read_topic(product.bootstrap, product.topic(role))


def test_a_replayed_letter_is_the_original_and_says_whose_replay_it_is(product: Cluster) -> None:
    write(product, "dead-letter", [refused(product, 5, traceparent=b"00-1")])
    dry = run(product, "dlq", "replay", "--all", "--dry-run")
    assert f"{name(product, 5)}: would go to partition {PARTITION}" in dry.stdout and replayed(product) == []
    assert "1 sent, 0 kept back" in run(product, "dlq", "replay", name(product, 5)).stderr
    (sent,) = replayed(product)
    assert (sent.partition, sent.key, sent.value) == (PARTITION, KEY, SOUND)
    assert sent.headers == {"traceparent": b"00-1", "restock.replay-of": name(product, 5).encode()}


def test_what_was_replayed_is_not_sent_a_second_time(product: Cluster) -> None:
    write(product, "dead-letter", [refused(product, 5), refused(product, 6)])
    run(product, "dlq", "replay", name(product, 5))
    again = run(product, "dlq", "replay", "--all")
    assert f"{name(product, 5)}: kept back: it was replayed before" in again.stdout
    assert [one.headers["restock.replay-of"].decode() for one in replayed(product)] == [
        name(product, 5),
        name(product, 6),
    ]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (SOUND.replace(b'"quantity": ', b'"quantity": -'), "it would be refused again: out_of_range: quantity is -"),
        (SOUND[:-1] + b', "pad": "' + b"x" * 70_000 + b'"}', "it holds only the beginning of the original"),
    ],
)
def test_what_would_help_nobody_is_kept_back_with_the_reason(product: Cluster, value: bytes, why: str) -> None:
    write(product, "dead-letter", [refused(product, 5, value=value)])
    done = run(product, "dlq", "replay", "--all")
    assert f"kept back: {why}" in done.stdout and "0 sent, 1 kept back" in done.stderr
    assert replayed(product) == []


def test_terms_that_were_corrected_meanwhile_are_not_undone(product: Cluster) -> None:
    terms = b'{"location": "main", "sku": "%s", "pack_units": 6}' % (KEY or b"").partition(b"|")[2]
    write(product, "catalog", [(PARTITION, OutgoingRecord("catalog", KEY, terms)) for _ in range(3)])
    write(product, "dead-letter", [refused(product, 1, value=terms, role="catalog")])
    assert "a younger record of its key" in run(product, "dlq", "replay", "--all").stdout
    write(product, "dead-letter", [refused(product, 9, value=terms, role="catalog")])
    assert "1 sent, 1 kept back" in run(product, "dlq", "replay", "--all").stderr


def test_a_letter_of_a_foreign_topic_goes_nowhere(product: Cluster) -> None:
    record = Message(0, 1, 0, KEY, SOUND)
    letter = dead_letter(
        Rejection("orders", 1, "too_old", ""), record, RecordBatch("orders", "__offsets", 0, 1, 2, [record])
    )
    write(product, "dead-letter", [(0, letter)])
    assert "__offsets is no input topic of this product" in run(product, "dlq", "replay", "--all").stdout


def test_nothing_is_replayed_by_mistake(product: Cluster) -> None:
    from tests.commands.runs import invoked

    done = invoked(product, "dlq", "replay")
    assert done.exit_code == 2 and "--all" in done.stderr


def headers_before_and_after(*before: tuple[str, bytes]) -> tuple[DeadLetter | None, tuple[tuple[str, bytes], ...]]:
    record = Message(0, 1, 0, b"k", b"v", before)
    made = dead_letter(Rejection("orders", 1, "too_old", "r"), record, RecordBatch("orders", "o", 0, 1, 2, [record]))
    return letter_of(Message(0, 0, 0, made.key, made.value, made.headers)), before


def test_error_headers_that_an_original_had_already_stay_its_own() -> None:
    foreign = tuple((one, b"foreign") for one in sorted(ERROR_HEADERS))
    letter, before = headers_before_and_after(*foreign, ("a", b"1"), ("a", b"2"))
    assert letter is not None and letter.source == "o"
    assert letter.original_headers() == before


@pytest.mark.timeout(120)
def test_a_record_in_the_wrong_partition_is_mended_by_a_replay(product: Cluster) -> None:
    """Refused by a real worker, found by its code, sent where it belongs, applied."""
    wrong = (PARTITION + 1) % 3
    assert KEY is not None and partition_of(KEY) == PARTITION
    product.produce("orders", [(wrong, KEY, VALUE)])
    # a window that reaches behind what the topic keeps
    product.environment = {**product.environment, "RESTOCK_WINDOW_BUCKETS": "400"}
    product.start_worker()
    eventually(lambda: bool(replayed(product, "dead-letter")), product.logs())
    found = product.wait_for_line("doctor_found")
    assert found["check"] == "topics.retention", "a worker that starts says in short what the doctor would"
    (letter,) = listed(product, "--code", "wrong_partition")
    assert letter["name"] == f"{product.topic('orders')}/{wrong}/0"
    assert "1 sent" in run(product, "dlq", "replay", "--code", "wrong_partition").stderr
    eventually(lambda: product.applied("orders") == 2, product.logs())
    keys, summary = product.state()
    assert summary["rejected"] == 1
    assert KEY.decode() in keys
