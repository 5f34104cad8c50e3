"""What Grafana needs of a dashboard, as dicts: one panel a call, laid out from left to right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]
SOURCE: Mapping[str, str] = {"type": "prometheus", "uid": "${datasource}"}
CHOSEN = 'job=~"$job",instance=~"$instance"'
"""What every query is narrowed to."""
INTERVAL = "$__rate_interval"
COLUMNS = 24
SCHEMA = 41
HEIGHTS: Mapping[str, int] = {"stat": 4, "timeseries": 8}


@dataclass(frozen=True, slots=True)
class Query:
    """An expression and the legend of its series."""

    expression: str
    legend: str = "__auto"


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: ``text`` says what it shows and when to worry; ``most`` is where its colour turns to red."""

    title: str
    text: str
    unit: str
    queries: Sequence[Query]
    kind: Literal["stat", "timeseries"] = "timeseries"
    width: int = 12
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of rows of panels."""

    name: str
    title: str
    text: str
    rows: Mapping[str, Sequence[Panel]]

    @property
    def uid(self) -> str:
        """Its fixed id."""
        return f"restock-{self.name}"


def series(metric: str, **labels: str) -> str:
    """Return a selector of a metric of the workers chosen.

    Example:
        >>> series("up", code="a|b")
        'up{job=~"$job",instance=~"$instance",code=~"a|b"}'
    """
    more = "".join(f',{name}=~"{value}"' for name, value in labels.items())
    return f"{metric}{{{CHOSEN}{more}}}"


def rate(metric: str, **labels: str) -> str:
    """Return how much a counter grows in a second."""
    return f"rate({series(metric, **labels)}[{INTERVAL}])"


def increase(metric: str, **labels: str) -> str:
    """Return how much a counter grows between two points of the picture."""
    return f"increase({series(metric, **labels)}[{INTERVAL}])"


def quantiles(metric: str, *levels: float) -> list[Query]:
    """Return quantiles of a histogram."""
    buckets = f"sum by (le) ({rate(f'{metric}_bucket')})"
    return [Query(f"histogram_quantile({level:g}, {buckets})", f"p{level * 100:g}") for level in levels]


def rendered(dashboard: Dashboard, others: Sequence[Dashboard]) -> Json:
    """Return a dashboard as Grafana takes it from a file."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.text,
        "tags": ["restock"],
        "editable": False,
        "schemaVersion": SCHEMA,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "utc",
        "links": [
            {"title": one.title, "type": "link", "url": f"/d/{one.uid}", "includeVars": True, "keepTime": True}
            for one in others
            if one is not dashboard
        ],
        "annotations": {"list": [*_annotations()]},
        "templating": {"list": _variables()},
        "panels": _panels(dashboard),
    }


def _panels(dashboard: Dashboard) -> list[Json]:
    found: list[Json] = []
    top = 0
    for title, panels in dashboard.rows.items():
        found.append(_row(len(found) + 1, title, top))
        top, left, height = top + 1, 0, 0
        for panel in panels:
            if left + panel.width > COLUMNS:
                top, left, height = top + height, 0, 0
            place = {"x": left, "y": top, "w": panel.width, "h": HEIGHTS[panel.kind]}
            found.append(_panel(len(found) + 1, panel, place))
            left, height = left + panel.width, max(height, HEIGHTS[panel.kind])
        top += height
    return found


def _row(number: int, title: str, top: int) -> Json:
    place = {"x": 0, "y": top, "w": COLUMNS, "h": 1}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}


def _panel(number: int, panel: Panel, place: Mapping[str, int]) -> Json:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": dict(SOURCE),
        "gridPos": dict(place),
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, **_thresholds(panel)}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": dict(SOURCE),
                "expr": query.expression,
                "legendFormat": query.legend,
            }
            for index, query in enumerate(panel.queries)
        ],
        "options": _options(panel),
    }


def _thresholds(panel: Panel) -> Json:
    if panel.most is None:
        return {}
    steps = [{"color": "green", "value": None}, {"color": "red", "value": panel.most}]
    return {"thresholds": {"mode": "absolute", "steps": steps}, "color": {"mode": "thresholds"}}


def _options(panel: Panel) -> Json:
    if panel.kind == "stat":
        mode = "none" if panel.most is None else "value"
        return {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": mode}
    return {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}


def _variables() -> list[Json]:
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "current": {}}
    return [
        source,
        _chooser("job", "Job", "label_values(restock_records_total, job)"),
        _chooser("instance", "Instance", 'label_values(restock_records_total{job=~"$job"}, instance)'),
    ]


def _chooser(name: str, label: str, query: str) -> Json:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": dict(SOURCE),
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "allValue": ".+",
        "current": {"text": ["All"], "value": ["$__all"]},
        "sort": 1,
    }


def _annotations() -> Sequence[Json]:
    events = {
        "Model swaps": ("restock_model_swaps_total", "purple"),
        "Rebalances": ("restock_partitions_released_total", "orange"),
    }
    return [
        {
            "name": name,
            "enable": True,
            "iconColor": color,
            "datasource": dict(SOURCE),
            "target": {"refId": "A", "expr": f"sum(changes({series(metric)}[{INTERVAL}])) > 0"},
            "titleFormat": name,
        }
        for name, (metric, color) in events.items()
    ]
