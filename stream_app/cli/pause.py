"""``restock pause`` and ``restock resume``: the stop button of the whole product."""

import asyncio

import click

from stream_app.settings import load_settings
from stream_app.store.connection import connected
from stream_app.store.patience import Patience
from stream_app.store.redis_store import RedisStore

PATIENCE_SECONDS = 5.0


@click.command()
def pause() -> None:
    """Hold back all requests of all workers; forecasts and counts go on.

    Takes effect within a second or two, outlives restarts, and ends with
    `restock resume`: what is due then is requested at the next review.
    """
    asyncio.run(_press(paused=True))
    click.echo("paused: no worker requests anything until `restock resume`")


@click.command()
def resume() -> None:
    """Let requests go out again."""
    asyncio.run(_press(paused=False))
    click.echo("resumed: what is due is requested at the next review")


async def _press(*, paused: bool) -> None:
    settings = load_settings()
    client = connected(settings.redis_address())
    try:
        await RedisStore(client, settings.state_prefix, Patience(PATIENCE_SECONDS)).set_paused(paused)
    finally:
        await client.aclose()
