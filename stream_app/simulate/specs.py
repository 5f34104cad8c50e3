"""What a user writes for a policy, ``name:key=value,…``, and the terms that every stock key gets by it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from replenishment.events import CatalogEntry
from replenishment.order_days import ANY_DAY
from replenishment.policy import ServiceKind
from stream_app.errors import ConfigError

CATALOG = "catalog"
"""The name of the policy that leaves all to the catalog."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a policy may need to know: days of a bucket, and mean units a day of each stock key before the start."""

    bucket_days: float
    daily_units: Mapping[bytes, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """A policy as it was written: ``text`` names it in results, ``values`` are its keys."""

    text: str
    name: str
    values: Mapping[str, float | str]

    def applied(self, entry: CatalogEntry, facts: Facts) -> CatalogEntry:
        """Return the terms of a stock key under this policy; what is not written stays as the catalog has it."""
        return POLICIES[self.name].apply(entry, self.values, facts)


@dataclass(frozen=True, slots=True)
class _Kind:
    """One policy: the keys it takes, each with its range or its words, and what it makes of terms."""

    keys: Mapping[str, tuple[float, float] | tuple[str, ...]]
    apply: Callable[[CatalogEntry, Mapping[str, float | str], Facts], CatalogEntry]


_UNMET: Mapping[str, tuple[str, ...]] = {"unmet": ("backorders", "lost_sales")}
_SERVICE: Mapping[str, tuple[float, float] | tuple[str, ...]] = {
    "service": (0.5, 0.9999),
    "kind": ("cycle", "fill"),
    **_UNMET,
}
_COVER: Mapping[str, tuple[float, float]] = {"cover_days": (1, 365)}
_REVIEW: Mapping[str, tuple[float, float]] = {"review_days": (0.01, 365)}


def _changed(entry: CatalogEntry, values: Mapping[str, float | str], names: Mapping[str, str]) -> CatalogEntry:
    """Return terms with the values that were written under their own names."""
    given = {names[key]: value for key, value in values.items() if key in names}
    return msgspec.structs.replace(entry, **given)


_NAMES = {
    "service": "service_target",
    "kind": "service_kind",
    "unmet": "unmet_demand",
    "cover_days": "cover_days",
    "review_days": "review_period_days",
    "holding": "holding_cost_per_unit_day",
    "shortage": "shortage_cost_per_unit",
}


def _by_service(entry: CatalogEntry, values: Mapping[str, float | str]) -> CatalogEntry:
    """Return terms with a cycle service level unless another kind was written or is in the catalog."""
    own = entry.service_kind if entry.service_kind in ("cycle", "fill") else "cycle"
    return msgspec.structs.replace(entry, service_kind=values.get("kind", own), levels_from="forecast")


def _as_catalog(entry: CatalogEntry, values: Mapping[str, float | str], _facts: Facts) -> CatalogEntry:
    return _changed(entry, values, _NAMES)


_ANY_TIME: Mapping[str, float] = {"review_period_days": 0.0, "order_days": ANY_DAY}
"""Terms of continuous review."""


def _periodic(entry: CatalogEntry, values: Mapping[str, float | str], facts: Facts) -> CatalogEntry:
    """Return terms that are reviewed: on the catalog's order days unless a period is written, else each bucket."""
    if entry.order_days != ANY_DAY and "review_days" not in values:
        return entry
    review_days = entry.review_period_days or facts.bucket_days
    return msgspec.structs.replace(entry, review_period_days=review_days, order_days=ANY_DAY)


def _s_s(entry: CatalogEntry, values: Mapping[str, float | str], _facts: Facts) -> CatalogEntry:
    free = msgspec.structs.replace(_by_service(entry, values), order_quantity_units=None, **_ANY_TIME)
    return _changed(free, values, _NAMES)


def _r_s(entry: CatalogEntry, values: Mapping[str, float | str], facts: Facts) -> CatalogEntry:
    periodic = msgspec.structs.replace(_periodic(entry, values, facts), order_quantity_units=None)
    return _changed(_by_service(periodic, values), values, _NAMES)


def _s_nq(entry: CatalogEntry, values: Mapping[str, float | str], facts: Facts) -> CatalogEntry:
    lot = values.get("quantity", entry.order_quantity_units)
    if "lot_days" in values or lot is None:
        lot = max(1, round(facts.daily_units.get(entry.key, 0.0) * float(values.get("lot_days", entry.cover_days))))
    review_days = 0.0 if "review_days" not in values else entry.review_period_days
    days = ANY_DAY if "review_days" in values else entry.order_days
    made = _by_service(entry, values)
    made = msgspec.structs.replace(made, review_period_days=review_days, order_days=days, order_quantity_units=int(lot))
    return _changed(made, values, _NAMES)


def _newsvendor(entry: CatalogEntry, values: Mapping[str, float | str], facts: Facts) -> CatalogEntry:
    return _by_costs(entry, values, facts, ServiceKind.NEWSVENDOR)


def _cost(entry: CatalogEntry, values: Mapping[str, float | str], facts: Facts) -> CatalogEntry:
    return _by_costs(entry, values, facts, ServiceKind.COST)


def _by_costs(entry: CatalogEntry, values: Mapping[str, float | str], facts: Facts, kind: ServiceKind) -> CatalogEntry:
    """Return terms of (R,S) whose level follows from costs."""
    made = msgspec.structs.replace(
        _periodic(entry, values, facts),
        service_kind=kind.label,
        order_quantity_units=None,
        levels_from="forecast",
    )
    made = _changed(made, values, _NAMES)
    if not made.holding_cost_per_unit_day or not made.shortage_cost_per_unit:
        raise ConfigError(
            [
                f"--policy {kind.label}: {entry.key.decode()} has no holding_cost_per_unit_day and "
                f"shortage_cost_per_unit above 0; add both to the catalog, or write {kind.label}:holding=…,shortage=…"
            ]
        )
    return made


def _min_max(entry: CatalogEntry, values: Mapping[str, float | str], facts: Facts) -> CatalogEntry:
    made = msgspec.structs.replace(
        _periodic(msgspec.structs.replace(entry, review_period_days=0.0), values, facts),
        service_kind="cycle",
        order_quantity_units=None,
        levels_from="textbook",
    )
    return _changed(made, values, _NAMES)


POLICIES: Mapping[str, _Kind] = {
    CATALOG: _Kind({"service": (0.5, 0.9999), **_COVER}, _as_catalog),
    "sS": _Kind({**_SERVICE, **_COVER}, _s_s),
    "RS": _Kind({**_SERVICE, **_REVIEW}, _r_s),
    "snQ": _Kind({**_SERVICE, **_REVIEW, "quantity": (1, 1_000_000), "lot_days": (0.01, 365)}, _s_nq),
    "newsvendor": _Kind({**_REVIEW, **_UNMET, "holding": (0, 1e9), "shortage": (0, 1e9)}, _newsvendor),
    "cost": _Kind({**_REVIEW, **_UNMET, "holding": (0, 1e9), "shortage": (0, 1e9)}, _cost),
    "min_max": _Kind({"service": (0.5, 0.9999), "cover_days": (0, 365), **_REVIEW}, _min_max),
}
"""What a simulation can play, by name."""


def parsed(text: str) -> PolicySpec:
    """Return the policy that was written.

    Raises:
        ConfigError: If name, key or value is not known, or out of range.

    Example:
        >>> parsed("RS:service=0.9,review_days=7").values
        {'service': 0.9, 'review_days': 7.0}
    """
    name, _, rest = text.partition(":")
    if name not in POLICIES:
        raise ConfigError([f"--policy {text}: {name!r} is no policy; there are {', '.join(POLICIES)}"])
    values: dict[str, float | str] = {}
    for pair in rest.split(",") if rest else []:
        key, _, value = pair.partition("=")
        values[key.strip()] = _value(text, name, key.strip(), value.strip())
    return PolicySpec(text, name, values)


def _value(text: str, name: str, key: str, value: str) -> float | str:
    keys = POLICIES[name].keys
    if key not in keys:
        raise ConfigError([f"--policy {text}: {name} has no {key!r}; it has {', '.join(keys) or 'no keys'}"])
    allowed = keys[key]
    if isinstance(allowed[0], str):
        if value not in allowed:
            raise ConfigError([f"--policy {text}: {key} is {value!r}, must be {' or '.join(map(str, allowed))}"])
        return value
    low, high = float(allowed[0]), float(allowed[1])
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not low <= number <= high or (key == "quantity" and number != int(number)):
        raise ConfigError([f"--policy {text}: {key} is {value!r}, must be a number from {low:g} to {high:g}"])
    return int(number) if key == "quantity" else number
