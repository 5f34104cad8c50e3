"""Live accuracy as gauges: sums that add up over workers, so that Prometheus makes the ratios."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from replenishment.accuracy import Accuracy
from replenishment.drift import Watch
from replenishment.engine.effects import VersionAccuracy
from replenishment.engine.rows import LEAD_NAMES
from replenishment.segments import SEGMENTS

ROLES = ("champion", "challenger")
LABELS = ("role", "lead", "segment")
SUMS: Mapping[str, tuple[str, str]] = {
    "scored": ("forecast_scored", "Forecasts whose demand became known, the older the less."),
    "demand_units": ("forecast_demand_units", "Demand that they were made for."),
    "absolute_error_units": ("forecast_absolute_error_units", "Absolute error of their medians."),
    "error_units": ("forecast_error_units", "Error of their means; above 0 = too much was forecast."),
    "deviation_units": ("forecast_deviation_units", "Absolute error of their means."),
}
"""Name and text of each sum of ``Accuracy``."""
BY_LEVEL: Mapping[str, tuple[str, str]] = {
    "covered": ("forecast_covered", "Forecasts whose quantile was not exceeded, the older the less."),
    "pinball_units": ("forecast_pinball_units", "Pinball loss of their quantiles."),
}


class AccuracyCollector(Collector):
    """Shows the sums of all partitions that this process owns; they are durable, so a restart shows the same."""

    def __init__(self) -> None:
        self._partitions: dict[int, Sequence[VersionAccuracy]] = {}

    def scored(self, partition: int, accuracy: Sequence[VersionAccuracy]) -> None:
        """Take in what is known of the forecasts of one partition."""
        self._partitions[partition] = accuracy

    def released(self, partition: int) -> None:
        """Forget a partition that another worker may own now."""
        self._partitions.pop(partition, None)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield each sum by role, lead and segment."""
        found = list(self._found())
        for field, (name, text) in SUMS.items():
            family = GaugeMetricFamily(f"restock_{name}", text, labels=LABELS)
            for labels, accuracy in found:
                family.add_metric(labels, getattr(accuracy, field))
            yield family
        for field, (name, text) in BY_LEVEL.items():
            family = GaugeMetricFamily(f"restock_{name}", text, labels=(*LABELS, "level"))
            for labels, accuracy in found:
                for level, value in getattr(accuracy, field).items():
                    family.add_metric([*labels, f"{level:g}"], value)
            yield family
        yield from self._drift()

    def _drift(self) -> Iterator[GaugeMetricFamily]:
        """Yield how far the test for drift is in the partition nearest to it, and in how many it was found."""
        ratio = GaugeMetricFamily(
            "restock_drift_ratio", "How far the test for drift is; above 1 = found.", labels=("role",)
        )
        asked = GaugeMetricFamily(
            "restock_drifted_partitions", "Partitions whose forecasts drift: retraining is asked for.", labels=("role",)
        )
        for role in ROLES:
            accounts = [one.account for all_of in self._partitions.values() for one in all_of if one.role == role]
            if accounts:
                ratio.add_metric([role], max(Watch(*account["watch"].tolist()).ratio for account in accounts))
                asked.add_metric([role], sum(bool(account["drifted_bucket"]) for account in accounts))
        yield from (ratio, asked)

    def _found(self) -> Iterator[tuple[list[str], Accuracy]]:
        for role in ROLES:
            # in order of partitions: sums of floats must not depend on which came first
            sums = [
                one.account["sums"]
                for _, all_of in sorted(self._partitions.items())
                for one in all_of
                if one.role == role
            ]
            if not sums:
                continue
            total = np.sum(sums, axis=0)
            for place, lead in enumerate(LEAD_NAMES):
                for segment, cells in SEGMENTS.items():
                    yield [role, lead, segment], Accuracy(total[place, list(cells)].sum(axis=0))
