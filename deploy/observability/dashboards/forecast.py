"""The dashboard Forecast: how good forecasts turned out to be."""

from deploy.observability.grafana import Dashboard, Panel, Query, increase, rate, series
from deploy.observability.panels import (
    VERSIONS,
)


def by_lead(sum_of: str) -> str:
    """Return a sum of live accuracy over all keys, by role and lead."""
    return f"sum by (role, lead) ({series(f'restock_forecast_{sum_of}', segment='all')})"


def by_level(sum_of: str) -> str:
    """Return the same over protection intervals, by role and level."""
    selected = series(f"restock_forecast_{sum_of}", segment="all", lead="protection")
    return f"sum by (role, level) ({selected})"


def by_segment(sum_of: str) -> str:
    """Return the same by role and segment."""
    return f"sum by (role, segment) ({series(f'restock_forecast_{sum_of}', lead='protection')})"


FORECAST = Dashboard(
    "forecast",
    "Restock: Forecast",
    "Which version forecasts for whom, how old its knowledge is, what late lines change.",
    {
        "Who forecasts": [
            VERSIONS,
            Panel(
                "Requests by rung",
                "By the step of the fallback that forecast for them: anything but champion wants attention.",
                "short",
                [Query(f"sum by (rung) ({increase('restock_requests_total')})", "{{rung}}")],
            ),
            Panel(
                "Age of the model's data",
                "Newest order minus the end of the training data. Falls with each retraining.",
                "s",
                [
                    Query(
                        f"max({series('restock_event_clock_timestamp_seconds')}"
                        f" - {series('restock_model_data_until_timestamp_seconds')})"
                    )
                ],
            ),
            Panel(
                "Keys still to be stepped",
                "By a swap under way; 0 = none. The old version serves until all are.",
                "short",
                [Query(f"sum({series('restock_rebuild_pending_keys')})")],
            ),
        ],
        "How good it is": [
            Panel(
                "WAPE",
                "Absolute error of the median over demand, by lead in buckets; `protection`: each key's own interval.",
                "percentunit",
                [Query(f"{by_lead('absolute_error_units')} / {by_lead('demand_units')}", "{{role}} {{lead}}")],
            ),
            Panel(
                "Bias",
                "Error of the mean over demand: above 0 too much was forecast, below 0 too little.",
                "percentunit",
                [Query(f"{by_lead('error_units')} / {by_lead('demand_units')}", "{{role}} {{lead}}")],
            ),
            Panel(
                "Coverage over protection intervals",
                "Share of demands within each quantile: a line should lie at its own level.",
                "percentunit",
                [
                    Query(
                        f"{by_level('covered')} / on (role) group_left sum by (role) ("
                        f"{series('restock_forecast_scored', segment='all', lead='protection')})",
                        "{{role}} {{level}}",
                    )
                ],
            ),
            Panel(
                "Tracking signal",
                "Cumulated error over cumulated absolute error, -1 to 1, by segment over protection intervals. Beyond "
                "±0.5 forecasts are off to one side.",
                "short",
                [Query(f"{by_segment('error_units')} / {by_segment('deviation_units')}", "{{role}} {{segment}}")],
            ),
            Panel(
                "Drift",
                "How far the test for drift is in the partition nearest to it; above 1 retraining is asked for.",
                "short",
                [Query(f"max by (role) ({series('restock_drift_ratio')})", "{{role}}")],
                most=1,
            ),
        ],
        "What it is fed": [
            Panel(
                "Late lines",
                "Corrected in the window, or older than it and dropped. Many: raise RESTOCK_ALLOWED_LATENESS_SECONDS.",
                "reqps",
                [Query(f"sum by (outcome) ({rate('restock_records_total', outcome='late_corrected|late_dropped')})")],
            ),
            Panel(
                "Buckets closed",
                "One step of the forecaster for each key of a closing.",
                "short",
                [Query(f"sum({increase('restock_buckets_closed_total')})")],
            ),
        ],
    },
)
