"""``restock worker``."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable

import click
from prometheus_client import ProcessCollector

from stream_app.ops.health import Health, HealthPage
from stream_app.ops.log import configure
from stream_app.ops.metrics import PrometheusMeter
from stream_app.settings import load_settings


@click.command()
@click.option("--observe", is_flag=True, help="Forecast and count, but request nothing.")
def worker(*, observe: bool) -> None:
    """Run a worker until SIGTERM or Ctrl-C.

    Reads orders, inventory and catalog, keeps state in Redis, publishes
    restock, demand and dead-letter. Start as many as the topics have
    partitions; they share them. Settings: `restock config`.
    """
    from stream_app.doctor.at_start import tell_findings
    from stream_app.worker.collector import collect_less_often
    from stream_app.worker.readiness import Outside
    from stream_app.worker.run import run

    settings = load_settings()
    configure(settings.log_format, settings.log_level)
    health, meter = Health(), PrometheusMeter()
    ProcessCollector(registry=meter.registry)

    async def work() -> None:
        stop = asyncio.Event()
        end_on_signals(stop)
        examining = asyncio.create_task(tell_findings(settings))
        await run(settings, Outside(health, meter, page.address), stop, is_observing=observe)
        examining.cancel()

    collect_less_often()
    with HealthPage(health, meter.registry, settings.metrics_port) as page, event_loop() as loop:
        loop.run(work())
    # a thread of a client that could not be stopped in time must not keep the process alive
    sys.stderr.flush()
    os._exit(0)


def event_loop() -> "asyncio.Runner":
    """Return what runs a process: uvloop where there is one."""
    if sys.platform == "win32":
        return asyncio.Runner()
    import uvloop

    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def end_on_signals(stop: asyncio.Event) -> None:
    """End in order at the first signal, at once at the second."""

    def end() -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()

    add: Callable[..., None] = asyncio.get_running_loop().add_signal_handler
    for number in (signal.SIGINT, signal.SIGTERM):
        add(number, end)
