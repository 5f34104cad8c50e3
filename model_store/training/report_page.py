"""The data report as one HTML page: plots are inline SVG, nothing is loaded from elsewhere, text is escaped."""

from collections.abc import Sequence
from html import escape

from model_store.training.data_report import DataReport

_WIDTH, _HEIGHT, _MARGIN = 640, 180, 34
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:720px;margin:2em auto;padding:0 1em;color:#1a1a1a;background:#fff}
table{border-collapse:collapse;width:100%}td,th{padding:.25em .6em;border-bottom:1px solid #ddd;text-align:left}
td.n{text-align:right;font-variant-numeric:tabular-nums}svg{width:100%;height:auto}figure{margin:1.5em 0}
figcaption{color:#555}
"""


def page(report: DataReport) -> str:
    """Return the page."""
    weekdays = _bars(_DAYS, report.weekday_units) if report.weekday_units else ""
    shares = [f"{place * 10}–{place * 10 + 10} %" for place in range(10)]
    figures = [
        _figure("Units of all keys over time", _line(list(enumerate(report.series)))),
        _figure("Share of units on each weekday", weekdays) if weekdays else "",
        _figure("Share of units made up by the share of keys that sells most", _line(report.sizes)),
        _figure("Keys by the share of their buckets with demand", _bars(shares, report.sold_shares)),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Data report of {escape(report.source)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>Data report of {escape(report.source)}</h1>{_facts(report)}<h2>Cleaning</h2>{_cleaning(report)}"
        f"<h2>Demand</h2>{''.join(figures)}</body></html>\n"
    )


def facts(report: DataReport) -> list[tuple[str, str]]:
    """Return what the report says as names and texts."""
    patterns = ", ".join(f"{count} {name}" for name, count in report.patterns.items() if count)
    closed = ", ".join(_DAYS[day] for day in report.closed_weekdays) or "none"
    learnable = ", ".join(name for name, enough in report.seasons.items() if enough) or "none"
    return [
        ("span", f"{report.begins} to {report.ends}, {report.buckets} buckets of {report.bucket_seconds} s"),
        ("lines", f"{report.rows}"),
        ("units", f"{report.units} for models, {report.ordered_units} as ordered"),
        ("stock keys", f"{report.keys}: {patterns}"),
        ("largest tenth of keys", f"{100 * report.top_share:.0f} % of units"),
        ("buckets without demand", f"{100 * report.zero_share:.1f} % of those in which it was known"),
        ("missing buckets", f"{report.missing_buckets}; sold for a part of the bucket: {report.censored_buckets}"),
        ("weekdays without orders", closed),
        ("seasons seen at least twice", f"{learnable}; calendar inputs of others are off"),
    ]


def _facts(report: DataReport) -> str:
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in facts(report))
    return f"<table>{rows}</table>"


def _cleaning(report: DataReport) -> str:
    rows = "".join(
        f"<tr><th>{escape(one.rule)}</th><td>{escape(one.meaning)}</td><td class=n>{one.lines}</td>"
        f"<td class=n>{one.units}</td><td class=n>{one.keys}</td><td>{escape('; '.join(one.examples))}</td></tr>"
        for one in report.findings
    )
    head = "".join(f"<th>{name}</th>" for name in ("rule", "what it does", "lines", "units", "keys", "largest"))
    return f"<table><tr>{head}</tr>{rows}</table>"


def _figure(caption: str, plot: str) -> str:
    return f"<figure>{plot}<figcaption>{escape(caption)}</figcaption></figure>"


def _line(points: Sequence[tuple[float, float]]) -> str:
    """A line through points, over axes from zero to the largest."""
    most_x = max((x for x, _ in points), default=1) or 1
    most_y = max((y for _, y in points), default=1) or 1
    inside = " ".join(f"{_at_x(x / most_x):.1f},{_at_y(y / most_y):.1f}" for x, y in points)
    drawn = f'<polyline points="{inside}" fill="none" stroke="#1667b7" stroke-width="1.5"/>'
    return _axes(drawn, most_y)


def _bars(names: Sequence[str], values: Sequence[float]) -> str:
    """A bar for each value, its name below."""
    most, step = max(values, default=1) or 1, 1 / max(len(values), 1)
    drawn = "".join(
        f'<rect x="{_at_x(step * (place + 0.1)):.1f}" y="{_at_y(value / most):.1f}" '
        f'width="{(_WIDTH - 2 * _MARGIN) * step * 0.8:.1f}" height="{_at_y(0) - _at_y(value / most):.1f}" '
        f'fill="#1667b7"/><text x="{_at_x(step * (place + 0.5)):.1f}" y="{_HEIGHT - 12}" '
        f'text-anchor="middle">{escape(name)}</text>'
        for place, (name, value) in enumerate(zip(names, values, strict=True))
    )
    return _axes(drawn, most)


def _axes(drawn: str, most: float) -> str:
    label = f"{most:.0%}" if most <= 1 else f"{most:,.0f}"
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" font-size="11" fill="#444">'
        f'<path d="M{_at_x(0)} {_at_y(1)}V{_at_y(0)}H{_at_x(1)}" fill="none" stroke="#999"/>'
        f'<text x="{_at_x(0) + 4}" y="{_at_y(1) + 4}">{label}</text>{drawn}</svg>'
    )


def _at_x(share: float) -> float:
    return _MARGIN + share * (_WIDTH - 2 * _MARGIN)


def _at_y(share: float) -> float:
    return _HEIGHT - _MARGIN - share * (_HEIGHT - 2 * _MARGIN)
