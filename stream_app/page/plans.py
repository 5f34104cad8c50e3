"""What is planned of one stock key, and where that lies in a chart of its demand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from replenishment.engine.known import KeptSignal
from replenishment.engine.rows import signal_of, signals_table, with_channels
from replenishment.signals import FOREVER, PRICE, PROMOTION
from stream_app.page.languages import said
from stream_app.page.writing import decimal, moment, money, share
from stream_app.store.reader import StateReader
from stream_app.wire.times import shown

MOST_PLANS = 50


@dataclass(frozen=True, slots=True)
class PlannedSpan:
    """A plan that holds: from when until when, epoch milliseconds, and its values by channel."""

    starts_at: int
    ends_at: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a chart of demand, in buckets from its left edge, and what it says when pointed at."""

    first: float
    last: float
    label: str


@dataclass(frozen=True, slots=True)
class Stripe:
    """Buckets of a chart that lie side by side: place of the first, its start and the end of the last."""

    place: int
    starts_at: int
    ends_at: int


async def plans_of(reader: StateReader, partition: int, ordinal: int, ends_after: int) -> Sequence[PlannedSpan]:
    """Return the plans of a key that hold at present and end after a time, the first to begin first.

    Raises:
        Unavailable: If Redis does not answer in time.
        StateCorrupt: If what is stored does not decode.
    """
    standing = await reader.standing(partition)
    if standing is None:
        return []
    words: list[KeptSignal] = []
    async for fields, packed in reader.rows(standing, signals_table().name, match=f"{ordinal}.*"):
        records = signals_table().unpack(packed).tolist()
        words += [signal_of(field, record)[1] for field, record in zip(fields, records, strict=True)]
    holding = (one for one in with_channels(words) if one.is_planned and one.known_until == FOREVER)
    found = [PlannedSpan(one.starts_at, one.ends_at, dict(one.values)) for one in holding if one.ends_at > ends_after]
    return sorted(found, key=lambda one: (one.starts_at, one.ends_at))[-MOST_PLANS:]


def stretches(
    plans: Sequence[PlannedSpan], stripes: Sequence[Stripe], bucket_ms: int, language: str
) -> Sequence[Stretch]:
    """Return the parts of a chart in which something is planned.

    Example:
        >>> plan = PlannedSpan(15, 35, {"promotion": 0.5})
        >>> [(one.first, one.last) for one in stretches([plan], [Stripe(0, 0, 20), Stripe(3, 20, 50)], 10, "en")]
        [(1.5, 2.0), (3.0, 4.5)]
    """
    found = []
    for plan in plans:
        for stripe in stripes:
            begins, ends = max(plan.starts_at, stripe.starts_at), min(plan.ends_at, stripe.ends_at)
            if begins < ends:
                first, last = (stripe.place + (at - stripe.starts_at) / bucket_ms for at in (begins, ends))
                found.append(Stretch(first, last, f"{span_text(plan)}: {values_text(plan, language)}"))
    return found


def span_text(plan: PlannedSpan) -> str:
    """Return from when until when a plan holds, the end exclusive.

    Example:
        >>> span_text(PlannedSpan(0, 86_400_000, {}))
        '1970-01-01 – 1970-01-02'
    """
    return f"{moment(shown(plan.starts_at))} – {moment(shown(plan.ends_at))}"


def values_text(plan: PlannedSpan, language: str) -> str:
    """Return what a plan says, by channel.

    Example:
        >>> values_text(PlannedSpan(0, 1, {"promotion": 1.0, "price": 8.0, "pages": 2.0}), "en")
        'promotion 100.0 %, price 8.00, pages 2'
    """
    texts = []
    for name, value in plan.values.items():
        if name == PROMOTION:
            texts.append(said(language, "plan.promotion", share=share(value)))
        elif name == PRICE:
            texts.append(said(language, "plan.price", price=money(value)))
        else:
            texts.append(f"{name} {decimal(value)}")
    return ", ".join(texts) or "–"
