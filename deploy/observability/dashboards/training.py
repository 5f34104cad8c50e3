"""The dashboard Training: what the trainer makes of demand."""

from deploy.observability.grafana import Dashboard, Panel, Query, increase, series
from deploy.observability.panels import (
    VERSIONS,
)

TRAINING = Dashboard(
    "training",
    "Restock: Training",
    "What became of retraining: promotions that arrived, those that failed, and how stale knowledge is.",
    {
        "Promotions as workers saw them": [
            Panel(
                "Swaps",
                "Versions that partitions changed over to.",
                "short",
                [Query(f"sum({increase('restock_model_swaps_total')})")],
            ),
            Panel(
                "Refused versions",
                "Promoted but not usable: the old one stayed, the log says why. `model-store verify` names the file.",
                "short",
                [Query(f"sum({increase('restock_model_swap_failures_total')})")],
            ),
            VERSIONS,
            Panel(
                "End of the training data",
                "Of the version served, by partition.",
                "dateTimeAsIso",
                [Query(f"1000 * {series('restock_model_data_until_timestamp_seconds')}", "{{partition}}")],
            ),
        ],
    },
)
