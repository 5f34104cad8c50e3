"""One log line for each decision: what is requested, what is withheld, what is refused."""

from collections.abc import Sequence

import structlog

from replenishment.engine.effects import Effects, ShadowDecisions, VersionAccuracy
from stream_app.ports import Meter, Outcome
from stream_app.wire.times import shown

MOST_LINES = 20
"""Of each kind and turn; the rest is one line with their number. Metrics and topics have them all."""

log = structlog.stdlib.get_logger(__name__)


class DecisionLog:
    """A meter that also logs, once a turn is durable; implements ``Meter``."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def applied(self, partition: int, effects: Effects, seconds: float) -> None:
        """Log the decisions of a turn, then count it."""
        self._meter.applied(partition, effects, seconds)
        for version in effects.drifted:
            log.warning("retraining_asked", partition=partition, model=version, reason="forecasts drift")
        if effects.shadow is not None:
            _log_shadow(partition, effects.shadow)
        for restock in effects.restocks[:MOST_LINES]:
            log.info(
                "restock_requested" if restock.withdrawn is None else "restock_withdrawn",
                partition=partition,
                restock_id=restock.restock_id,
                revision=restock.revision,
                key=restock.key.decode(),
                units=restock.units,
                position=restock.evidence.inventory_position,
                reorder_point=restock.evidence.reorder_point,
                model=restock.model_version,
            )
        for withheld in effects.withheld[:MOST_LINES]:
            log.warning(
                "request_withheld",
                partition=partition,
                key=withheld.key.decode(),
                missing_units=withheld.raw_units,
                reason=withheld.reason,
            )
        for late in effects.overdue[:MOST_LINES]:
            log.warning(
                "supply_overdue",
                partition=partition,
                restock_id=late.restock_id,
                key=late.key.decode(),
                open_units=late.open_units,
                on_hand_units=late.on_hand_units,
                backorder_units=late.backorder_units,
                hint="ask the supplier to expedite: the position still counts it, so nothing is requested twice",
            )
        for one in effects.rejections[:MOST_LINES]:
            log.warning(
                "record_rejected",
                partition=partition,
                topic=one.topic,
                offset=one.offset,
                code=one.code,
                reason=one.reason,
            )
        for name, count in (
            ("restocks_requested", len(effects.restocks)),
            ("requests_withheld", len(effects.withheld)),
            ("supplies_overdue", len(effects.overdue)),
            ("records_rejected", len(effects.rejections)),
        ):
            if count > MOST_LINES:
                log.info(name, partition=partition, count=count, not_listed=count - MOST_LINES)

    def refused(self, partition: int, outcome: Outcome) -> None:
        """Count a turn that the store refused."""
        self._meter.refused(partition, outcome)

    def swapped(self, partition: int, version: str, rung: str) -> None:
        """Show what a partition serves."""
        self._meter.swapped(partition, version, rung)

    def scored(self, partition: int, accuracy: Sequence[VersionAccuracy]) -> None:
        """Show how good forecasts were."""
        self._meter.scored(partition, accuracy)


def _log_shadow(partition: int, shadow: ShadowDecisions) -> None:
    log.info(
        "shadow_compared",
        partition=partition,
        version=shadow.version,
        bucket_start=shown(shadow.bucket_start),
        keys=shadow.keys,
        reorder_units=shadow.shadow_reorder_units,
        champion_reorder_units=shadow.champion_reorder_units,
        order_up_to_units=shadow.shadow_order_up_to_units,
        champion_order_up_to_units=shadow.champion_order_up_to_units,
        due_by_both=shadow.both_due_keys,
        due_by_shadow_only=shadow.shadow_due_keys,
        due_by_champion_only=shadow.champion_due_keys,
    )


_meter: type[Meter] = DecisionLog
