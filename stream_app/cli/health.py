"""``restock health``: asks the worker on this machine whether it is ready."""

import json
import sys
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import click

from stream_app.errors import ConfigError
from stream_app.ops.health import LOOPBACK
from stream_app.settings import load_settings

ANSWER_SECONDS = 3.0


@click.command()
@click.option("--quiet", is_flag=True, help="Print nothing; the exit code says it all.")
def health(*, quiet: bool) -> None:
    """Ask the worker at RESTOCK_METRICS_PORT on this machine whether it is ready.

    Exit code 0 if it is, 1 if something is missing or no worker answers.
    """
    port = load_settings().metrics_port
    if not port:
        raise ConfigError(["RESTOCK_METRICS_PORT is 0 (any free port): set it for the worker and for this command"])
    lacking = missing(port)
    if not quiet:
        for part, why in lacking.items():
            click.echo(f"{part}: {why}")
        click.echo("not ready" if lacking else "ready", err=bool(lacking))
    sys.exit(1 if lacking else 0)


def missing(port: int) -> dict[str, str]:
    """Return what a worker lacks, by part; nothing if it is ready."""
    try:
        with urlopen(f"http://{LOOPBACK}:{port}/ready", timeout=ANSWER_SECONDS):
            return {}
    except HTTPError as answer:
        with answer:
            return _parts(answer.read())
    except (URLError, OSError, HTTPException) as away:
        reason = getattr(away, "reason", away)
        return {"worker": f"no worker answers on port {port} ({reason}): start `restock worker`"}


def _parts(body: bytes) -> dict[str, str]:
    try:
        return {str(part): str(why) for part, why in json.loads(body)["missing"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {"worker": "what answers is no worker: check RESTOCK_METRICS_PORT"}
