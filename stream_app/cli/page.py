"""``restock page``."""

import asyncio
import logging

import click

PORT = 8600


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=PORT, show_default=True, help="Of 127.0.0.1; 0 = any free one."
)
@click.option(
    "--allowed-host",
    "hosts",
    multiple=True,
    metavar="HOST",
    help="Name under which a proxy or tunnel on this machine shows the page; may be given more than once.",
)
def page(*, port: int, hosts: tuple[str, ...]) -> None:
    """Serve the planner's page: what runs out first, one SKU, why, the queue, models, data quality.

    Prints a link that lets its holder in; the next start makes another. Reads
    only, from Redis, Kafka and the model store, beside any worker. Ctrl-C ends.
    """
    from stream_app.page.access import Access
    from stream_app.page.serving import serve
    from stream_app.settings import load_settings

    # what is away is said on the page, once and with its remedy
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        asyncio.run(serve(load_settings(), Access(hosts), port, click.echo))
    except KeyboardInterrupt:
        click.echo(err=True)
