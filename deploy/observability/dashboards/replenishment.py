"""The dashboard Replenishment: what is requested, and what becomes of it."""

from deploy.observability.grafana import Dashboard, Panel, Query, increase, series
from deploy.observability.panels import (
    EXPIRED,
    OVERDUE,
    REQUESTS,
)

REPLENISHMENT = Dashboard(
    "replenishment",
    "Restock: Replenishment",
    "What is requested, withheld, withdrawn, open, unanswered and lost.",
    {
        "Requests": [
            REQUESTS,
            Panel(
                "Units requested",
                "Of all requests decided.",
                "short",
                [Query(f"sum({increase('restock_requested_units_total')})")],
            ),
            Panel(
                "Withheld",
                "Due, but minimum, pack and maximum leave nothing to order: correct the terms. The log names each.",
                "short",
                [Query(f"sum({increase('restock_withheld_requests_total')})")],
            ),
            Panel(
                "Waiting for approval",
                "Nobody acts on them before `restock approve`.",
                "short",
                [Query(f"sum({series('restock_waiting_requests')})")],
            ),
            Panel(
                "Withdrawn",
                "Unanswered, and made needless by cancellations.",
                "short",
                [Query(f"sum({increase('restock_withdrawn_requests_total')})")],
            ),
            Panel(
                "Open requests",
                "Not yet fully received, rejected or final.",
                "short",
                [Query(f"sum({series('restock_open_requests')})")],
            ),
        ],
        "Suppliers and stock": [
            EXPIRED,
            OVERDUE,
            Panel(
                "Stock keys",
                "Known to the product.",
                "short",
                [Query(f"sum({series('restock_stock_keys')})")],
                kind="stat",
                width=6,
            ),
            Panel(
                "Answers to unknown requests",
                "Answers and receipts that name a request this product never made: a mapping at the supplier is wrong.",
                "short",
                [Query(f"sum({increase('restock_unknown_request_answers_total')})")],
            ),
            Panel(
                "Units lost",
                "Demand not served for want of stock, with RESTOCK_LOST_SALES.",
                "short",
                [Query(f"sum({increase('restock_lost_sales_units_total')})")],
            ),
        ],
    },
)
