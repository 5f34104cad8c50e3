"""The dashboard Overview: what one looks at first."""

from deploy.observability.grafana import Dashboard, Panel, Query, series
from deploy.observability.panels import (
    CLOCK_AGE,
    EXPIRED,
    FRESHNESS,
    LAG,
    REJECTED,
    REQUESTS,
    SETTLED,
    SLOW,
    VERSIONS,
)
from deploy.observability.rules import FRESH_SECONDS, OBJECTIVE

OVERVIEW = Dashboard(
    "overview",
    "Restock: Overview",
    "Is the promise kept, does the stream flow, what is requested, which model serves.",
    {
        "Promise": [
            Panel(
                f"Fetches within {FRESH_SECONDS:g} s",
                f"Share of fetches whose records were durable within {FRESH_SECONDS:g} s of arriving. "
                f"The objective is {OBJECTIVE:.0%}.",
                "percentunit",
                [Query(f"1 - ({SLOW})")],
                kind="stat",
                width=6,
            ),
            Panel(
                "Lag",
                "Records written to the input topics but not applied yet.",
                "short",
                [Query(f"sum({series('restock_lag_records')})")],
                kind="stat",
                width=6,
            ),
            Panel(
                "Age of the newest order",
                "Wall clock minus the highest event time: high while no orders come, or while history is replayed.",
                "s",
                [Query(f"min({CLOCK_AGE})")],
                kind="stat",
                width=6,
            ),
            EXPIRED,
            FRESHNESS,
            SETTLED,
        ],
        "Decisions": [REQUESTS, VERSIONS],
        "Trouble": [REJECTED, LAG],
    },
)
