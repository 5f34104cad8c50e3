"""``restock rebuild``: begin anew from the topics after Redis was lost."""

import asyncio

import click

from stream_app.errors import RestockError
from stream_app.kafka.topics import TopicNames, forget_committed, product_earliest
from stream_app.settings import Settings, load_settings
from stream_app.store.connection import connected
from stream_app.store.patience import Patience
from stream_app.store.reader import StateReader

PATIENCE_SECONDS = 5.0


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be read again, change nothing.")
def rebuild(*, dry_run: bool) -> None:
    """Let workers begin anew from what the topics still hold, because Redis was emptied.

    Stop all workers first. Partitions of which Redis has state are left alone.
    Windows and forecasts come back as far as orders reach; set
    RESTOCK_DECIDE_FROM to when deciding began, or requests begin with the
    first claim. Open requests are known again from their answers only.
    """
    settings = load_settings()
    if asyncio.run(_partitions(settings)):
        raise RestockError(
            f"there is state under RESTOCK_STATE_PREFIX={settings.state_prefix} in {settings.redis_url}, nothing to "
            "rebuild; to begin anew beside it choose another RESTOCK_STATE_PREFIX and RESTOCK_GROUP"
        )
    names = TopicNames(settings.topic_prefix)
    for topic, offsets in product_earliest(settings.kafka_access(), names).items():
        gone = {number: offset for number, offset in offsets.items() if offset}
        listed = ", ".join(f"{number} from {offset}" for number, offset in sorted(gone.items()))
        click.echo(f"{topic}: " + (f"partitions begin late, earlier records are gone: {listed}" if gone else "whole"))
    if dry_run:
        click.echo("nothing was changed (--dry-run)")
        return
    count = forget_committed(settings.kafka_access(), settings.group, list(names.inputs))
    click.echo(f"took back {count} committed offsets of group {settings.group}; start the workers")


async def _partitions(settings: Settings) -> list[int]:
    client = connected(settings.redis_address())
    try:
        reader = StateReader(client, settings.state_prefix, Patience(PATIENCE_SECONDS))
        return list(await reader.partitions())
    finally:
        await client.aclose()
