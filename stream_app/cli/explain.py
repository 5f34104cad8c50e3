"""``restock explain``: why a request has its quantity, or why nothing was requested for a stock key."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from stream_app.cli.replay import INPUT
from stream_app.errors import RestockError
from stream_app.explain.chart import bars
from stream_app.explain.known import known_of
from stream_app.explain.recompute import Recomputed, recomputed
from stream_app.explain.requests import Told, found_in_file, found_in_topic
from stream_app.explain.sentences import request_sentences, textbook_sentence, withdrawal_sentence
from stream_app.explain.silence import Known, silence
from stream_app.kafka.topics import TopicNames
from stream_app.settings import Settings, load_settings
from stream_app.store.connection import connected
from stream_app.store.patience import Patience

PATIENCE_SECONDS = 10.0


class NotExplained(RestockError):
    """There is nothing to explain, or the evidence does not make the quantity.

    Operator action: check the id, the location and the SKU; a quantity that differs is a bug, report it.
    """


@click.command()
@click.argument("restock_id", required=False)
@click.option("--restocks", type=INPUT, help="Look in this file of `restock replay --restocks-out`, not in Kafka.")
@click.option("--location", help="With --sku: why was nothing requested for this stock key?")
@click.option("--sku", help="With --location.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def explain(
    *, restock_id: str | None, restocks: Path | None, location: str | None, sku: str | None, as_json: bool
) -> None:
    """Say why RESTOCK_ID asks for its quantity, or why nothing was requested for a stock key.

    A request is computed again from its evidence alone; exit code 1 if that
    does not give its quantity. A stock key is read from Redis.
    """
    if (restock_id is None) == (location is None or sku is None):
        raise click.UsageError("name a RESTOCK_ID, or --location and --sku")
    settings = load_settings()
    if restock_id is not None:
        _explain_request(_request(settings, restock_id, restocks), as_json=as_json)
    else:
        asyncio.run(_explain_silence(settings, location or "", sku or "", as_json=as_json))


def _request(settings: Settings, restock_id: str, restocks: Path | None) -> Told:
    topic = TopicNames(settings.topic_prefix).of("restock")
    if restocks is not None:
        found, where = found_in_file(restocks, restock_id), str(restocks)
    else:
        found, where = found_in_topic(settings.kafka, topic, restock_id), f"topic {topic} of {settings.kafka}"
    if found is None:
        raise NotExplained(f"there is no request {restock_id} in {where}")
    return found


def _explain_request(told: Told, *, as_json: bool) -> None:
    request, evidence = told.request, told.request["evidence"]
    made = recomputed(evidence)
    differences = made.differences(request)
    sentences = [*request_sentences(request), textbook_sentence(evidence), _verdict(made, differences)]
    if told.withdrawal is not None:
        sentences.append(withdrawal_sentence(told.withdrawal))
    if as_json:
        shown = {"request": request, "recomputed": made.as_json(), "matches": not differences, "sentences": sentences}
        click.echo(json.dumps(shown | {"withdrawal": told.withdrawal}))
    else:
        click.echo("\n".join([*sentences, "", *_ladder(evidence, made)]))
    if differences:
        raise NotExplained("; ".join(differences))


def _verdict(made: Recomputed, differences: list[str]) -> str:
    if differences:
        return "Computed again from these facts it is not the same."
    return f"Computed again from these facts: {made.quantity:,} units, the same."


def _ladder(evidence: Mapping[str, Any], made: Recomputed) -> list[str]:
    return bars(
        [
            ("position", made.inventory_position),
            ("reorder point s", made.reorder_point),
            ("order-up-to S", made.order_up_to_level),
            ("expected demand", evidence["expected_units"]),
            ("requested", made.quantity),
            ("position after", made.inventory_position + made.quantity),
        ]
    )


async def _explain_silence(settings: Settings, location: str, sku: str, *, as_json: bool) -> None:
    known = await _known(settings, location, sku)
    told = silence(known)
    if as_json:
        state = msgspec.to_builtins(known.state)
        click.echo(json.dumps({"why": told.why, "sentences": list(told.sentences), "state": state}))
        return
    click.echo("\n".join(told.sentences))
    levels = (known.state.reorder_point, known.state.order_up_to_level)
    if None not in levels:
        names = ("position", "reorder point s", "order-up-to S")
        rows = zip(names, (known.state.inventory_position, *(level or 0 for level in levels)), strict=True)
        click.echo("\n".join(["", *bars(list(rows))]))


async def _known(settings: Settings, location: str, sku: str) -> Known:
    client = connected(settings.redis_address())
    try:
        known = await known_of(client, settings, Patience(PATIENCE_SECONDS), location, sku)
    finally:
        await client.aclose()
    if known is None:
        where = f"RESTOCK_STATE_PREFIX={settings.state_prefix} in {settings.redis_url}"
        raise NotExplained(
            f"{location}|{sku} is in no partition of {where}: no order, count or catalog entry of it was applied"
        )
    return known
