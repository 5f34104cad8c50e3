"""``restock page``."""

import asyncio
import getpass
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
@click.option(
    "--allow-actions", is_flag=True, help="Let who has the link approve and decline requests, in the name of your user."
)
def page(*, port: int, hosts: tuple[str, ...], allow_actions: bool) -> None:
    """Serve the planner's page: what runs out first, one SKU, why, the queue, models, data quality.

    Prints a link that lets its holder in; the next start makes another. Reads
    from Redis, Kafka and the model store, beside any worker, and changes
    nothing but what --allow-actions allows. Ctrl-C ends.
    """
    from stream_app.page.access import Access
    from stream_app.page.serving import serve
    from stream_app.settings import load_settings

    # what is away is said on the page, once and with its remedy
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        asyncio.run(
            serve(load_settings(), Access(hosts), port, click.echo, getpass.getuser() if allow_actions else None)
        )
    except KeyboardInterrupt:
        click.echo(err=True)
