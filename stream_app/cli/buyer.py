"""``restock buyer``."""

import asyncio
import os
import sys

import click
from prometheus_client import ProcessCollector

from stream_app.cli.worker import end_on_signals, event_loop
from stream_app.ops.health import Health, HealthPage
from stream_app.ops.joint import JointMeter
from stream_app.ops.log import configure
from stream_app.settings import load_settings


@click.command()
def buyer() -> None:
    """Order jointly from each supplier until SIGTERM or Ctrl-C.

    Reads proposals and suppliers, keeps state in Redis, publishes restock,
    joint-orders and, where a proposal was reduced or refused, an answer on
    inventory. Needs RESTOCK_JOINT_ORDERS=1 here and at every worker. Start as
    many as proposals has partitions; they share them.
    """
    from stream_app.buyer.run import Shown, run

    settings = load_settings()
    configure(settings.log_format, settings.log_level)
    health, meter = Health(), JointMeter()
    ProcessCollector(registry=meter.registry)

    async def work() -> None:
        stop = asyncio.Event()
        end_on_signals(stop)
        await run(settings, Shown(health, meter, page.address), stop)

    with HealthPage(health, meter.registry, settings.metrics_port) as page, event_loop() as loop:
        loop.run(work())
    # a thread of a client that could not be stopped in time must not keep the process alive
    sys.stderr.flush()
    os._exit(0)
