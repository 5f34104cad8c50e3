"""``restock queue``, ``restock approve`` and ``restock reject``: what a person must release, and their answer."""

import asyncio
import getpass
import json
import time
from collections.abc import Sequence

import click
import msgspec

from stream_app.approvals import (
    LONGEST_NAME_BYTES,
    LONGEST_NOTE_BYTES,
    Examined,
    Verdict,
    WaitingRequest,
    examined,
    is_tellable,
    ruling_records,
    waiting_requests,
)
from stream_app.errors import RestockError
from stream_app.kafka.sender import write_all
from stream_app.kafka.topics import TopicNames
from stream_app.settings import Settings, load_settings
from stream_app.store.connection import connected
from stream_app.store.patience import Patience
from stream_app.store.reader import StateReader

PATIENCE_SECONDS = 10.0
LINE = "{:<36} {:<28} {:>8} {:>12}  {:<16}  {}"

_ids = click.argument("restock_ids", nargs=-1, required=True, metavar="RESTOCK_ID...")
_by = click.option("--by", help="Who decides; default: the user of this machine.")
_note = click.option("--note", default="", help="Why; kept with the event.")
_dry_run = click.option("--dry-run", is_flag=True, help="Check, write nothing.")
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


class NotWaiting(RestockError):
    """Some of the requests wait for no ruling; nothing was written.

    Operator action: leave out those listed and run the command again.
    """


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def queue(*, as_json: bool) -> None:
    """List the requests that wait for approval, the oldest first, with value and reason."""
    found = asyncio.run(_found(load_settings()))
    if as_json:
        for one in found:
            click.echo(msgspec.json.encode(one))
        return
    if found:
        click.echo(LINE.format("RESTOCK_ID", "KEY", "UNITS", "VALUE", "SINCE", "WHY"))
    for one in found:
        value = "" if one.value is None else f"{one.value:,.2f}"
        why = "; ".join([*one.reasons, *(["expired: decline it"] if one.is_expired else [])])
        since = one.decided_at[:16].replace("T", " ")
        click.echo(LINE.format(one.restock_id, f"{one.location}|{one.sku}", f"{one.quantity:,}", value, since, why))
    click.echo(f"{len(found):,} requests wait for approval", err=True)


@click.command()
@_ids
@_by
@_note
@_dry_run
@_json
def approve(*, restock_ids: Sequence[str], by: str | None, note: str, dry_run: bool, as_json: bool) -> None:
    """Release requests that wait for approval: the worker says them again, to be acted on.

    All are checked before anything is written. Doing it twice changes
    nothing. A release goes out while requests are paused, too: somebody
    asked for it.
    """
    _rule(restock_ids, "approved", by, note, dry_run=dry_run, as_json=as_json)


@click.command()
@_ids
@_by
@_note
@_dry_run
@_json
def reject(*, restock_ids: Sequence[str], by: str | None, note: str, dry_run: bool, as_json: bool) -> None:
    """Decline requests that wait for approval: the worker takes them back.

    The next closing of a bucket may ask anew. All are checked before anything
    is written. Doing it twice changes nothing.
    """
    _rule(restock_ids, "declined", by, note, dry_run=dry_run, as_json=as_json)


def _rule(ids: Sequence[str], verdict: Verdict, by: str | None, note: str, *, dry_run: bool, as_json: bool) -> None:
    name = getpass.getuser() if by is None else by
    _check_length("--by", name, LONGEST_NAME_BYTES)
    _check_length("--note", note, LONGEST_NOTE_BYTES)
    settings = load_settings()
    found = asyncio.run(_examined(settings, ids, verdict))
    if found.problems:
        raise NotWaiting("\n    ".join(["nothing was written:", *found.problems]))
    if not dry_run:
        records = ruling_records(found.waiting, verdict, round(time.time() * 1000), name, note)
        write_all(settings.kafka_access(), TopicNames(settings.topic_prefix).of("inventory"), records)
    if as_json:
        requests = [msgspec.to_builtins(one) for one in found.waiting]
        click.echo(json.dumps({"verdict": verdict, "by": name, "written": not dry_run, "requests": requests}))
    else:
        _say(found.waiting, verdict, is_written=not dry_run)


def _check_length(option: str, text: str, longest_bytes: int) -> None:
    if not is_tellable(text, longest_bytes):
        raise click.UsageError(f"{option} must be a printable text of at most {longest_bytes} bytes")


def _say(requests: Sequence[WaitingRequest], verdict: Verdict, *, is_written: bool) -> None:
    for one in requests:
        value = "" if one.value is None else f" for {one.value:,.2f}"
        click.echo(f"{one.restock_id}  {one.quantity:,} units of {one.location}|{one.sku}{value}")
    done = f"{verdict}: a running worker acts on it at once" if is_written else "fine; nothing was written (--dry-run)"
    click.echo(f"{len(requests):,} requests {done}")


async def _found(settings: Settings) -> Sequence[WaitingRequest]:
    client = connected(settings.redis_address())
    try:
        return await waiting_requests(StateReader(client, settings.state_prefix, Patience(PATIENCE_SECONDS)))
    finally:
        await client.aclose()


async def _examined(settings: Settings, ids: Sequence[str], verdict: Verdict) -> Examined:
    client = connected(settings.redis_address())
    try:
        reader = StateReader(client, settings.state_prefix, Patience(PATIENCE_SECONDS))
        return await examined(reader, ids, verdict)
    finally:
        await client.aclose()
