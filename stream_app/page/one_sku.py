"""One stock key: its demand and forecast, its position beside its levels, and why nothing is requested at present."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from replenishment.arrays import Float64s
from replenishment.engine.rows import NEVER
from replenishment.policy import Policy, ServiceKind
from replenishment.quantiles import ProtectionDemand
from stream_app.explain.silence import Known, Silence, silence
from stream_app.inspect import KeyState
from stream_app.page.charts import MOST_BUCKETS, Demand, Marker, Outlook
from stream_app.page.plans import PlannedSpan, Stripe, stretches
from stream_app.page.recent import Receipt, Recent
from stream_app.wire.times import instant_at, shown

BAND_LEVELS = ((0.05, 0.95), (0.25, 0.75))
"""Pairs of quantile levels that are drawn, outermost first."""
DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Forecast:
    """Demand over the protection interval: mean and pairs of quantiles in units, from one time to another.

    ``planned_units`` of the mean are due to plans; below 0 they take something off.
    """

    expected_units: float
    bands: Sequence[tuple[float, float]]
    buckets: int
    start: str
    end: str
    planned_units: float


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which rule the levels were made: the policy as textbooks write it, kind and target of service."""

    policy: str
    service_kind: str
    service_level: float


@dataclass(frozen=True, slots=True)
class OneSku:
    """All that the page shows of a stock key; ``requests`` and ``receipts`` are those that are remembered.

    ``taken_back`` says of each request that was why: ``needless`` or ``declined``.
    """

    state: KeyState
    why: Silence
    supplier: str
    category: str
    lead_time_days: float
    terms: Terms | None
    forecast: Forecast | None
    requests: Sequence[Mapping[str, Any]]
    receipts: Sequence[Receipt]
    taken_back: Mapping[str, str]
    plans: Sequence[PlannedSpan]

    @property
    def daily_units(self) -> float | None:
        """Expected units a day."""
        if self.forecast is None:
            return None
        return self.forecast.expected_units / self.forecast.buckets / self.state.bucket_seconds * DAY_SECONDS

    def days(self, units: int) -> float | None:
        """Return how many days units last at the demand that is expected; infinite if none is."""
        daily = self.daily_units
        if daily is None:
            return None
        return max(units, 0) / daily if daily > 0 else float("inf")


def one_sku(known: Known, recent: Recent, plans: Sequence[PlannedSpan]) -> OneSku:
    """Return all that is shown of a stock key."""
    key, terms = f"{known.state.location}|{known.state.sku}", known.rows.terms
    requests = recent.requests_of(key)
    withdrawals = [recent.withdrawal(each["restock_id"]) for each in requests]
    return OneSku(
        state=known.state,
        why=silence(known),
        supplier=_text(terms["supplier"]),
        category=_text(terms["category"]),
        lead_time_days=float(terms["lead_time_days"]),
        terms=_terms(known),
        forecast=_forecast(known),
        requests=requests,
        receipts=recent.receipts_of(key),
        taken_back={each["restock_id"]: each["withdrawn"] for each in withdrawals if each is not None},
        plans=plans,
    )


def shown_from(state: KeyState) -> int:
    """Return the start of the first bucket that the chart of demand shows, epoch milliseconds; 0 if it shows none."""
    window = state.window[-MOST_BUCKETS:]
    return (instant_at(window[0][0]) or 0) if window else 0


def demand_of(one: OneSku, language: str) -> Demand:
    """Return what the chart of demand shows: the last closed buckets, open ones, and what is forecast per bucket."""
    window, forecast = list(one.state.window[-MOST_BUCKETS:]), one.forecast
    count = forecast.buckets if forecast else 1
    return Demand(
        buckets=[
            (name[:10] if one.state.bucket_seconds >= DAY_SECONDS else name[5:16], units) for name, units in window
        ],
        open_buckets=[(name[:10], units) for name, units in one.state.open],
        expected_units=forecast.expected_units / count if forecast else None,
        bands=[(low / count, high / count) for low, high in forecast.bands] if forecast else (),
        ahead_buckets=forecast.buckets if forecast else 0,
        planned_units=forecast.planned_units / count if forecast else 0.0,
        plans=stretches(one.plans, _stripes(one), one.state.bucket_seconds * 1000, language),
        markers=_markers(one, window[0][0]) if window else (),
    )


def outlook_of(one: OneSku, reorder_text: str, up_to_text: str) -> Outlook | None:
    """Return what the fan shows, None without a forecast or levels."""
    state = one.state
    if one.forecast is None or state.reorder_point is None or state.order_up_to_level is None:
        return None
    return Outlook(
        position=state.inventory_position,
        reorder_point=state.reorder_point,
        order_up_to_level=state.order_up_to_level,
        expected_units=one.forecast.expected_units,
        bands=one.forecast.bands,
        start=one.forecast.start[:10],
        end=one.forecast.end[:10],
        reorder_text=reorder_text,
        up_to_text=up_to_text,
    )


def _terms(known: Known) -> Terms | None:
    derived = known.rows.derived
    if derived["stepped_bucket"] == NEVER:
        return None
    kind = ServiceKind(int(derived["service_kind"])).label
    return Terms(Policy(int(derived["policy"])).notation, kind, float(derived["service_level"]))


def _forecast(known: Known) -> Forecast | None:
    derived, told = known.rows.derived, known.state.forecast
    if derived["stepped_bucket"] == NEVER or told is None or len(told.levels) < 2:
        return None
    demand = ProtectionDemand(tuple(told.levels), derived["curve"][None, :].astype(np.float64))
    buckets = max(int(derived["protection_buckets"]), 1)
    start = instant_at(told.origin)
    assert start is not None
    return Forecast(
        expected_units=float(demand.mean()[0]),
        bands=[(_quantile(demand, low), _quantile(demand, high)) for low, high in BAND_LEVELS],
        buckets=buckets,
        start=told.origin,
        end=shown(start + buckets * known.state.bucket_seconds * 1000),
        planned_units=float(derived["planned_units"]),
    )


def _quantile(demand: ProtectionDemand, level: float) -> float:
    wanted: Float64s = np.array([level])
    return float(demand.quantile(wanted)[0])


def _stripes(one: OneSku) -> Sequence[Stripe]:
    """Return the parts of the chart of demand: closed buckets, each open one that has lines, and those ahead."""
    closed, bucket_ms = min(len(one.state.window), MOST_BUCKETS), one.state.bucket_seconds * 1000
    begun = shown_from(one.state)
    stripes = [Stripe(0, begun, begun + closed * bucket_ms)] if closed else []
    starts = [instant_at(name) or 0 for name, _ in one.state.open]
    stripes += [Stripe(closed + place, at, at + bucket_ms) for place, at in enumerate(starts)]
    if one.forecast is not None:
        start = instant_at(one.forecast.start) or 0
        stripes.append(Stripe(closed + len(starts), start, start + one.forecast.buckets * bucket_ms))
    return stripes


def _markers(one: OneSku, first: str) -> Sequence[Marker]:
    """Return the requests and receipts that fall into the buckets shown."""
    begun, bucket_ms = instant_at(first), one.state.bucket_seconds * 1000
    assert begun is not None
    requested = [
        (
            instant_at(each["decided_at"]),
            "withdrawn" if each["restock_id"] in one.taken_back else "requested",
            each["quantity"],
        )
        for each in one.requests
    ]
    received = [(each.at, "received", each.units) for each in one.receipts]
    return [
        Marker((at - begun) / bucket_ms, kind, f"{shown(at)[:10]}: {units:,}")
        for at, kind, units in (*requested, *received)
        if at is not None and at >= begun
    ]


def _text(stored: Any) -> str:
    return bytes(stored).decode(errors="backslashreplace")
