"""``restock split``."""

import asyncio
import os
import sys
from typing import TYPE_CHECKING, NoReturn

import click
from prometheus_client import ProcessCollector

from stream_app.cli.worker import end_on_signals, event_loop
from stream_app.ops.health import Health, HealthPage
from stream_app.ops.log import configure
from stream_app.ops.splitting import SplitMeter
from stream_app.settings import load_settings

if TYPE_CHECKING:
    from stream_app.splitter.run import Splitting


@click.command()
@click.argument("topic")
def split(topic: str) -> None:
    """Split the whole orders of TOPIC into lines on orders, until SIGTERM or Ctrl-C.

    TOPIC is the full name of your order system's topic; the prefix of our
    topics is not put before it. Where lines and fields are says the section
    `whole_orders` of RESTOCK_MAPPING_FILE; without it lines are at $.lines,
    and fields have our names. Start as many as the topic has partitions;
    they share them. Keeps no state and needs no Redis.
    """
    from stream_app.splitter.run import whole_orders

    serve(topic, whole_orders)


def serve(topic: str, splitting: "Splitting") -> NoReturn:
    """Split a topic in a process of its own, with the settings of the environment; also for splitters of your own."""
    from stream_app.splitter.run import Shown, run

    settings = load_settings()
    configure(settings.log_format, settings.log_level)
    health, meter = Health(), SplitMeter()
    ProcessCollector(registry=meter.registry)

    async def work() -> None:
        stop = asyncio.Event()
        end_on_signals(stop)
        await run(settings, topic, splitting, Shown(health, meter, page.address), stop)

    with HealthPage(health, meter.registry, settings.metrics_port) as page, event_loop() as loop:
        loop.run(work())
    # a thread of a client that could not be stopped in time must not keep the process alive
    sys.stderr.flush()
    os._exit(0)
