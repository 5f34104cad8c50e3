"""``restock state``: what is stored of stock keys, straight from Redis."""

import asyncio
from collections.abc import Sequence

import click
import msgspec

from stream_app.accuracy import AccuracyFigures
from stream_app.inspect import KeyState, Selection, Summary, key_lines, summarised
from stream_app.settings import Settings, load_settings
from stream_app.store.connection import connected
from stream_app.store.patience import Patience
from stream_app.store.reader import StateReader

PATIENCE_SECONDS = 5.0
RECENT_BUCKETS = 7
COLUMNS = "{:<28} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}  {}"
_key_state = msgspec.json.Decoder(KeyState)


@click.command()
@click.option("--location", help="Only keys of this location.")
@click.option("--sku", help="Only keys of this SKU.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each key, the summary last.")
def state(*, location: str | None, sku: str | None, as_json: bool) -> None:
    """Print the state of stock keys straight from Redis; no worker is needed.

    All of a partition is of one moment; the summary covers every partition,
    whatever keys are chosen.
    """
    asyncio.run(_print(load_settings(), Selection(location, sku), as_json=as_json))


async def _print(settings: Settings, selection: Selection, *, as_json: bool) -> None:
    client = connected(settings.redis_address())
    try:
        reader = StateReader(client, settings.state_prefix, Patience(PATIENCE_SECONDS))
        count = 0
        if not as_json:
            click.echo(
                COLUMNS.format("KEY", "POSITION", "ON HAND", "OWED", "COMING", "S", "s", f"LAST {RECENT_BUCKETS}")
            )
        async for line in key_lines(reader, selection):
            click.echo(line if as_json else _row(_key_state.decode(line)))
            count += 1
        summary = await summarised(reader, settings.topic_prefix)
        click.echo(msgspec.json.encode({"summary": summary}) if as_json else _sentences(summary))
        if not count:
            where = f"RESTOCK_STATE_PREFIX={settings.state_prefix} in {settings.redis_url}"
            click.echo(f"restock: no such stock key in the state of {where}", err=True)
    finally:
        await client.aclose()


def _row(one: KeyState) -> str:
    stock = one.inventory
    return COLUMNS.format(
        f"{one.location}|{one.sku}",
        one.inventory_position,
        f"{stock.on_hand}{'?' if stock.assumed else ''}",
        stock.backorders,
        stock.on_order + stock.in_transit + stock.pending,
        _level(one.order_up_to_level),
        _level(one.reorder_point),
        " ".join(str(units) for _, units in one.window[-RECENT_BUCKETS:]),
    ).rstrip()


def _accuracy(version: str, figures: Sequence[AccuracyFigures]) -> Sequence[str]:
    return [
        f"{version}, lead {one.lead}: {one.scored:,.0f} forecasts scored, WAPE {_share(one.wape)}, bias "
        f"{_share(one.bias)}, " + ", ".join(f"{_share(share)} within {level}" for level, share in one.coverage.items())
        for one in figures
        if one.segment == "all"
    ]


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _level(units: int | None) -> str:
    return "-" if units is None else str(units)


def _sentences(summary: Summary) -> str:
    lines = [
        f"{topic}: applied up to " + (", ".join(f"{name}:{offset}" for name, offset in offsets.items()) or "nothing")
        for topic, offsets in summary.applied.items()
    ]
    lines += [
        f"partition {name}: watermark {one.watermark or '-'}, closed through {one.closed_through or '-'}, "
        f"deciding from {one.decide_from}"
        for name, one in summary.partitions.items()
    ]
    lines += [line for version, figures in summary.accuracy.items() for line in _accuracy(version, figures)]
    counts = ("late_corrected", "late_dropped", "repeated", "not_stock", "rejected", "held")
    lines.append(", ".join(f"{name.replace('_', ' ')} {getattr(summary, name)}" for name in counts))
    return "\n" + "\n".join(lines)
