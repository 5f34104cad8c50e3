"""One function for each address that is read: what there is, and what is missing; none changes anything."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from aiohttp import web

from replenishment.keys import key_bytes, stock_key
from replenishment.stock import StockKnowledge
from stream_app.approvals import WaitingRequest, waiting_requests
from stream_app.errors import RestockError, Unavailable
from stream_app.explain.known import known_of
from stream_app.explain.recompute import recomputed
from stream_app.explain.sentences import request_sentences, textbook_sentence, withdrawal_sentence
from stream_app.page import charts
from stream_app.page.drawings import accuracy_of, evidence_rows, ladder_of, position_ladder
from stream_app.page.languages import said
from stream_app.page.listing import Query, WrongQuery, listed
from stream_app.page.one_sku import OneSku, demand_of, one_sku, outlook_of
from stream_app.page.queue import RequestLine, queued, requests_of, taken_back
from stream_app.page.rulings import MOST_SHOWN
from stream_app.page.site import Site, language_of, number_of, problem
from stream_app.page.snapshot import Snapshot
from stream_app.page.versions import model_store
from stream_app.page.windows import sparks
from stream_app.page.writing import decimal, moment, units
from stream_app.wire.times import shown

SITE = web.AppKey("site", Site)
MOST_REQUESTS = 20
DAY_MS = 86_400_000
COLUMNS = (
    ("key", "field.sku", ""),
    ("", "field.supplier", "wide"),
    ("", "field.condition", ""),
    ("stock", "field.days_of_stock", "number"),
    ("reorder", "field.days_to_reorder", "number"),
    ("on_hand", "field.on_hand", "number wide"),
    ("coming", "field.coming", "number wide"),
    ("position", "field.position", "number"),
    ("level", "field.reorder_point", "number wide"),
    ("daily", "field.daily", "number wide"),
    ("", "field.recent", "wide"),
)
"""Sort, heading and CSS classes of each column of the list."""


async def what_runs_out(request: web.Request) -> web.Response:
    """Return the list of stock keys, what runs out first on top."""
    site = request.app[SITE]
    snapshot = await _snapshot(site)
    if snapshot is None:
        return _no_state(request)
    try:
        query = Query.of(request.query)
    except WrongQuery as wrong:
        return problem(request, 400, "query", part=wrong.part, given=wrong.given, choices=wrong.choices, command="")
    columns = snapshot.columns
    listing = await asyncio.to_thread(listed, columns, query)
    return site.page(
        request,
        "list.html",
        listing=listing,
        columns=COLUMNS,
        total=len(columns.names),
        several_locations=len(columns.location_names) > 1,
        filters=[
            (name, chosen, names)
            for name, chosen, names in (
                ("location", query.location, columns.location_names),
                ("supplier", query.supplier, columns.supplier_names),
                ("category", query.category, columns.category_names),
            )
            if len(names) > 1 or chosen
        ],
        sparks=await sparks(site.reader, snapshot, listing.places),
        where=site.where,
    )


async def sku_page(request: web.Request) -> web.Response:
    """Return the page of one stock key."""
    site, language = request.app[SITE], language_of(request)
    location, sku = request.query.get("location", ""), request.query.get("sku", "")
    snapshot = await _snapshot(site)
    if stock_key(key_bytes(location, sku)) is None:
        return problem(request, 400, "key", location=location[:64], sku=sku[:64])
    try:
        known = await known_of(site.client, site.settings, site.patience, location, sku)
    except Unavailable as away:
        return _no_state(request, str(away))
    if known is None:
        return problem(request, 404, "sku", location=location, sku=sku, where=site.where, command="restock state")
    one = one_sku(known, site.follower.recent)
    still_open = _open_requests(site, snapshot, f"{location}|{sku}")
    outlook = outlook_of(one, said(language, "field.reorder_point"), said(language, "field.order_up_to_level"))
    return site.page(
        request,
        "sku.html",
        needs_topics=True,
        one=one,
        facts=_facts(one),
        ladder=ladder_of(one.state, language),
        demand=charts.demand_chart(demand_of(one)),
        fan=None if outlook is None else charts.fan_chart(outlook),
        open_requests=still_open,
        requests=_request_rows(one, still_open),
    )


async def request_page(request: web.Request) -> web.Response:
    """Return why a request has its quantity."""
    site, restock_id = request.app[SITE], request.query.get("id", "")[:64]
    await site.follower.ready()
    found = site.follower.recent.request(restock_id)
    if found is None:
        return problem(
            request, 404, "request", id=restock_id, command="restock explain ID", cause=site.follower.problem
        )
    language, made = language_of(request), recomputed(found["evidence"])
    withdrawal = site.follower.recent.withdrawal(restock_id)
    end = [] if withdrawal is None else [withdrawal_sentence(withdrawal)]
    waiting = await _waiting(site) if found.get("requires_approval") and withdrawal is None else []
    return site.page(
        request,
        "request.html",
        needs_topics=True,
        told=found,
        made=made,
        differences=made.differences(found),
        ladder=position_ladder(found["evidence"], language),
        evidence=evidence_rows(found),
        sentences=[*request_sentences(found), textbook_sentence(found["evidence"]), *end],
        waiting=[one for one in waiting or () if one.restock_id == restock_id],
        **_ruling(site),
    )


async def queue_page(request: web.Request) -> web.Response:
    """Return the requests that wait for approval, for an answer or for goods, and those taken back of late."""
    site = request.app[SITE]
    snapshot = await _snapshot(site)
    if snapshot is None:
        return _no_state(request)
    await site.follower.ready()
    recent = site.follower.recent
    return site.page(
        request,
        "queue.html",
        needs_topics=True,
        queue=queued(snapshot, recent, site.settings.expiry_days, number_of(request.query, "page")),
        waiting=await _waiting(site),
        most_waiting=MOST_SHOWN,
        taken_back=taken_back(snapshot, recent),
        ruled=site.rulings and site.rulings.lately(request.query.get("ruled", "")),
        **_ruling(site),
    )


async def models_page(request: web.Request) -> web.Response:
    """Return the model versions and what they were found to be worth."""
    site = request.app[SITE]
    snapshot = await _snapshot(site)
    store = await asyncio.to_thread(model_store, site.settings.models, site.manifests)
    accuracy, lead = accuracy_of(store.lines)
    standings = () if snapshot is None else snapshot.standings
    return site.page(
        request,
        "models.html",
        store=store,
        serving=sorted({one.progress.model_version for one in standings} - {""}),
        accuracy=accuracy,
        lead=lead,
        where=f"RESTOCK_MODELS={site.settings.models}",
    )


async def quality_page(request: web.Request) -> web.Response:
    """Return what was wrong with records, and what is only assumed."""
    site = request.app[SITE]
    snapshot = await _snapshot(site)
    if snapshot is None:
        return _no_state(request)
    await site.follower.ready()
    recent = site.follower.recent
    return site.page(
        request,
        "quality.html",
        needs_topics=True,
        counts=_counts(snapshot),
        codes=recent.letters_by_code(),
        letters=list(reversed(recent.latest_letters)),
        partitions=_partitions(snapshot),
    )


async def _waiting(site: Site) -> Sequence[WaitingRequest] | None:
    """Return what waits for approval at this moment, None if that cannot be read."""
    try:
        return await waiting_requests(site.reader)
    except RestockError:
        return None


def _ruling(site: Site) -> Mapping[str, Any]:
    """Return what the forms of a ruling need: their token, empty where nobody can rule, and what was ruled of late."""
    rulings = site.rulings
    return {
        "form": "" if rulings is None else site.access.form,
        "lately": lambda restock_id: None if rulings is None else rulings.lately(restock_id),
    }


async def _snapshot(site: Site) -> Snapshot | None:
    await site.snapshots.first()
    return site.snapshots.current


def _no_state(request: web.Request, cause: str = "") -> web.Response:
    site = request.app[SITE]
    told = cause or site.snapshots.problem
    return problem(request, 503, "state", cause=told, where=site.where, command="restock doctor")


def _open_requests(site: Site, snapshot: Snapshot | None, key: str) -> Sequence[RequestLine]:
    if snapshot is None:
        return ()
    return requests_of(snapshot, site.follower.recent, site.settings.expiry_days, key)


def _facts(one: OneSku) -> Mapping[str, str]:
    """Return the numbers of the one-line reason."""
    state = one.state
    days = None if state.reorder_point is None else one.days(state.inventory_position - state.reorder_point)
    return {
        "position": units(state.inventory_position),
        "reorder": "–" if state.reorder_point is None else units(state.reorder_point),
        "daily": "–" if one.daily_units is None else decimal(one.daily_units),
        "days": "∞" if days == float("inf") else "–" if days is None else decimal(days),
    }


def _request_rows(one: OneSku, still_open: Sequence[RequestLine]) -> Sequence[Mapping[str, Any]]:
    """Return the open requests of a key, then those of the last that are settled, the youngest first."""
    told = {request["restock_id"]: request for request in one.requests}
    status = {line.restock_id: "expired" if line.is_expired else line.status for line in still_open}
    quantities = {line.restock_id: line.open_units + line.received for line in still_open}
    ids = [line.restock_id for line in reversed(still_open)]
    ids += [restock_id for restock_id in reversed(told) if restock_id not in status]
    return [
        {
            "restock_id": restock_id,
            "status": status.get(restock_id, "settled"),
            "decided": moment(told[restock_id]["decided_at"]) if restock_id in told else "–",
            "needed_by": moment(told[restock_id]["needed_by"]) if restock_id in told else "–",
            "quantity": units(told[restock_id]["quantity"] if restock_id in told else quantities[restock_id]),
        }
        for restock_id in ids[:MOST_REQUESTS]
    ]


def _counts(snapshot: Snapshot) -> Sequence[tuple[str, int]]:
    progress = [one.progress for one in snapshot.standings]
    columns = snapshot.columns
    return [
        ("keys", len(columns.names)),
        ("assumed", int(np.count_nonzero(columns.knowledge == StockKnowledge.ASSUMED))),
        ("unknown", int(np.count_nonzero(columns.knowledge == StockKnowledge.UNKNOWN))),
        ("no_forecast", int(np.count_nonzero(~columns.has_levels))),
        *((name, sum(getattr(one, name) for one in progress)) for name in ("late_corrected", "late_dropped")),
        *((name, sum(getattr(one, name) for one in progress)) for name in ("repeated", "rejected")),
    ]


def _partitions(snapshot: Snapshot) -> Sequence[Mapping[str, Any]]:
    return [
        {
            "number": one.partition,
            "stock_keys": one.keys,
            "unsent": one.unsent,
            "watermark": _moment(one.progress.watermark),
            "closed_through": _moment(one.progress.closed_through),
            "version": one.progress.model_version,
        }
        for one in snapshot.standings
    ]


def _moment(at: int) -> str:
    return moment(shown(at)) if at > 0 else "–"
