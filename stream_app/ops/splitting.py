"""Prometheus metrics of a splitter."""

from prometheus_client import CollectorRegistry, Counter

from stream_app.wire.refusals import Code


class SplitMeter:
    """Counts orders and lines, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._orders = Counter("restock_split_orders", "Whole orders that were split.", registry=registry)
        self._lines = Counter("restock_split_lines", "Order lines made of them.", registry=registry)
        self._refused = Counter(
            "restock_split_rejected_records", "Records sent to dead-letter, by code.", ["code"], registry=registry
        )
        for code in Code:
            self._refused.labels(code.value)

    def split(self, lines: int) -> None:
        """An order became so many lines."""
        self._orders.inc()
        self._lines.inc(lines)

    def refused(self, code: str) -> None:
        """A record is no order."""
        self._refused.labels(code).inc()
