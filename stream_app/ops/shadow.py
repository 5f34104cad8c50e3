"""What a shadow would decide, beside what the champion does, as metrics of the last closing and counts over all."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from replenishment.engine.effects import Effects, ShadowDecisions

OUTCOMES = ("both", "champion_only", "shadow_only")


class ShadowMetrics:
    """Shows levels by partition and role while a version is beside the champion, and counts the keys due."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._due = Counter(
            "restock_shadow_due_keys",
            "Keys that a closing found due, by which version's levels.",
            ["outcome"],
            registry=registry,
        )
        self._keys = _gauge(registry, "keys", "Keys compared at the last closing.", "version")
        self._reorder = _gauge(registry, "reorder_units", "Sum of their reorder points.", "role")
        self._order_up_to = _gauge(registry, "order_up_to_units", "Sum of their order-up-to levels.", "role")
        for outcome in OUTCOMES:
            self._due.labels(outcome)

    def applied(self, partition: int, effects: Effects) -> None:
        """Take in a turn; one whose accounts name no challenger ended it."""
        if effects.accuracy and all(one.role != "challenger" for one in effects.accuracy):
            self.released(partition)
        if effects.shadow is not None:
            self._show(str(partition), effects.shadow)

    def released(self, partition: int) -> None:
        """Forget the gauges of a partition."""
        for gauge in (self._keys, self._reorder, self._order_up_to):
            gauge.remove_by_labels({"partition": str(partition)})

    def _show(self, partition: str, shadow: ShadowDecisions) -> None:
        self._keys.remove_by_labels({"partition": partition})  # of the version before
        self._keys.labels(partition, shadow.version).set(shadow.keys)
        self._reorder.labels(partition, "champion").set(shadow.champion_reorder_units)
        self._reorder.labels(partition, "challenger").set(shadow.shadow_reorder_units)
        self._order_up_to.labels(partition, "champion").set(shadow.champion_order_up_to_units)
        self._order_up_to.labels(partition, "challenger").set(shadow.shadow_order_up_to_units)
        counts = (shadow.both_due_keys, shadow.champion_due_keys, shadow.shadow_due_keys)
        for outcome, count in zip(OUTCOMES, counts, strict=True):
            self._due.labels(outcome).inc(count)


def _gauge(registry: CollectorRegistry, name: str, text: str, label: str) -> Gauge:
    return Gauge(f"restock_shadow_{name}", text, ["partition", label], registry=registry)
