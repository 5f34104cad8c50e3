"""``restock dlq``: look into refused records and send them again once their cause is mended."""

import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing

import click

from replenishment.engine.columns import ROLES, Role
from stream_app.dead_letters import (
    ERROR_HEADERS,
    Chosen,
    DeadLetter,
    Replayed,
    Targets,
    by_source,
    headers_to_send,
    letters,
    replays_in,
    superseded,
)
from stream_app.errors import RestockError
from stream_app.kafka.topics import TopicNames, product_counts
from stream_app.printable import dumped, escaped, time_of
from stream_app.settings import Settings, load_settings
from stream_app.topic_reader import reading
from stream_app.wire.refusals import Code

_CODE = click.option("--code", "codes", type=click.Choice([code.value for code in Code]), multiple=True)
_TOPIC = click.option("--topic", "roles", type=click.Choice(ROLES), multiple=True, help="Only those of this input.")


@click.group()
def dlq() -> None:
    """Look into refused records and send them again."""


@dlq.command("list")
@_CODE
@_TOPIC
@click.option("-n", "--letters", "count", type=click.IntRange(1), help="At most so many lines.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_letters(*, codes: Sequence[str], roles: Sequence[str], count: int | None, as_json: bool) -> None:
    """List dead letters: name (topic/partition/offset of the original), code, key, reason.

    A letter that lies in the topic more than once is listed once.
    """
    settings = load_settings()
    number = 0
    for number, letter in enumerate(_found(settings, _chosen(settings, (), codes, roles)), 1):
        if count is None or number <= count:
            click.echo(dumped(_fields(letter)) if as_json else _line(letter))
    listed = "" if count is None or number <= count else f", {count} listed"
    click.echo(f"{number} dead letters{listed}; `restock dlq show NAME` shows one", err=True)


@dlq.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(*, name: str, as_json: bool) -> None:
    """Show the dead letter NAME (topic/partition/offset of the original) with all it holds."""
    settings = load_settings()
    with closing(_found(settings, Chosen(frozenset({name})))) as found:
        letter = next(found, None)
    if letter is None:
        raise RestockError(f"there is no dead letter {name}: `restock dlq list` lists them")
    if as_json:
        original = {one: content.decode(errors="backslashreplace") for one, content in letter.original_headers()}
        value = None if letter.message.value is None else letter.message.value.decode(errors="backslashreplace")
        click.echo(dumped({**_fields(letter), "headers": original, "value": value, "is_cut": letter.is_cut}))
        return
    for label, text in _shown(letter):
        click.echo(f"{label:<10} {text}")


@dlq.command()
@click.argument("names", nargs=-1)
@_CODE
@_TOPIC
@click.option("--all", "is_all", is_flag=True, help="Every letter that would be accepted now.")
@click.option("--dry-run", is_flag=True, help="Say what would become of each letter, send nothing.")
def replay(*, names: Sequence[str], codes: Sequence[str], roles: Sequence[str], is_all: bool, dry_run: bool) -> None:
    """Send dead letters to their input topics again: NAMES, or those chosen by --code and --topic.

    The original key, value and headers are sent; the error headers are
    dropped and `restock.replay-of` names the original. Each letter is examined
    first by what a worker decodes with: what would be refused again is kept
    back, and so is what was replayed before, so the command may be repeated.
    """
    if not (names or codes or roles or is_all):
        raise click.UsageError("name dead letters, or choose by --code or --topic, or give --all")
    settings = load_settings()
    found = list(_found(settings, _chosen(settings, names, codes, roles)))
    absent = sorted(set(names) - {letter.name for letter in found})
    if absent:
        raise RestockError(f"there is no dead letter {', '.join(absent)}: `restock dlq list` lists them")
    judged = _judged(settings, found)
    for one in judged:
        click.echo(f"{escaped(one.letter.name.encode())}: {_verdict(one, is_dry_run=dry_run)}")
    going = [one for one in judged if not one.kept_back]
    if not dry_run:
        _send(settings, going)
    done = f"{len(going)} {'would be sent (--dry-run)' if dry_run else 'sent'}"
    click.echo(f"{done}, {len(judged) - len(going)} kept back", err=True)


def _found(settings: Settings, chosen: Chosen) -> Generator[DeadLetter, None, None]:
    with reading(settings.kafka_access(), TopicNames(settings.topic_prefix).of("dead-letter")) as reader:
        yield from (letter for letter in letters(reader) if chosen.takes(letter))


def _chosen(settings: Settings, names: Iterable[str], codes: Iterable[str], roles: Iterable[str]) -> Chosen:
    topics = TopicNames(settings.topic_prefix)
    return Chosen(frozenset(names), frozenset(codes), frozenset(topics.of(role) for role in roles))


def _judged(settings: Settings, found: Sequence[DeadLetter]) -> Sequence[Replayed]:
    names = TopicNames(settings.topic_prefix)
    there = product_counts(settings.kafka_access(), names)
    counts: dict[Role, int] = {role: there[names.of(role)] for role in ROLES if names.of(role) in there}
    done, outdated = frozenset[str](), frozenset[str]()
    for source, some in by_source(found).items():
        role = names.role_of(source)
        if role in counts:
            with reading(settings.kafka_access(), source) as reader:
                done |= replays_in(reader, some)
                outdated |= superseded(reader, some) if role == "catalog" else frozenset()
    targets = Targets(names, counts, settings.max_future_seconds, settings.mapping_file, done, outdated)
    return [targets.judged(letter) for letter in found]


def _send(settings: Settings, going: Sequence[Replayed]) -> None:
    from stream_app.kafka.sender import Outgoing, sending

    with (
        sending(settings.kafka_access()) as sender,
        click.progressbar(
            going, label="replaying", file=sys.stderr, hidden=not sys.stderr.isatty() or len(going) < 2
        ) as bar,
    ):
        for one in bar:
            message = one.letter.message
            sender.send(
                one.letter.source, Outgoing(one.partition, message.key, message.value, headers_to_send(one.letter))
            )


def _verdict(one: Replayed, *, is_dry_run: bool) -> str:
    if one.kept_back:
        return f"kept back: {one.kept_back}"
    return f"{'would go' if is_dry_run else 'goes'} to partition {one.partition}"


def _fields(letter: DeadLetter) -> dict[str, object]:
    key = letter.message.key
    return {
        "name": letter.name,
        "code": letter.code,
        "reason": letter.reason,
        "key": None if key is None else key.decode(errors="backslashreplace"),
        "timestamp": time_of(letter.message),
        "bytes": len(letter.message.value or b""),
    }


def _line(letter: DeadLetter) -> str:
    name, code, reason = (escaped(one.encode()) for one in (letter.name, letter.code, letter.reason))
    return f"{name:<24} {code:<20} {escaped(letter.message.key):<20} {reason}"


def _shown(letter: DeadLetter) -> Iterator[tuple[str, str]]:
    yield "name", escaped(letter.name.encode())
    yield "code", escaped(letter.code.encode())
    yield "reason", escaped(letter.reason.encode())
    yield "refused", time_of(letter.message)
    yield "key", escaped(letter.message.key)
    for name, content in letter.message.headers:
        if name not in ERROR_HEADERS:
            yield "header", f"{escaped(name.encode())}: {escaped(content)}"
    yield "value", escaped(letter.message.value) + (" … (cut)" if letter.is_cut else "")
    yield "next", f"restock dlq replay --dry-run {escaped(letter.name.encode())}"
