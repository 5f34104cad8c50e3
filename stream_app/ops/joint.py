"""Prometheus metrics of a buyer: counters of what became durable, gauges of what waits."""

from typing import get_args

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from replenishment.joint.advance import BuyerEffects
from replenishment.joint.decisions import Because, JointOrderPlaced, ProposalExcepted, Reason, RequestPlaced
from replenishment.joint.proposals import MONEY
from stream_app.ports import Outcome

OUTCOMES = ("held", "reduced", "refused")
MOST_LINES = 20
"""Of each turn; the topic ``joint-orders`` has them all."""

log = structlog.stdlib.get_logger(__name__)


class JointMeter:
    """Counts and logs what a buyer decides, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._proposals = Counter("restock_buyer_proposals", "Proposals read.", registry=registry)
        self._repeated = Counter("restock_buyer_repeated_proposals", "Proposals known already.", registry=registry)
        self._orders = Counter("restock_joint_orders", "Joint orders placed.", ["reason"], registry=registry)
        self._placed = Counter("restock_joint_order_lines", "Proposals that became requests.", registry=registry)
        self._value = Counter("restock_joint_order_value", "What joint orders cost, where known.", registry=registry)
        self._excepted = Counter(
            "restock_excepted_proposals",
            "Proposals held, reduced or refused, by reason.",
            ["outcome", "reason"],
            registry=registry,
        )
        self._rejected = Counter("restock_buyer_rejected_records", "Records sent to dead-letter.", registry=registry)
        self._turns = Counter("restock_buyer_turns", "Turns asked of the store.", ["outcome"], registry=registry)
        self._published = Counter(
            "restock_buyer_published_records", "Outbox entries acknowledged by Kafka.", registry=registry
        )
        self._waiting = Gauge("restock_waiting_proposals", "Proposals that wait.", ["partition"], registry=registry)
        self._begin_at_zero()

    def bought(self, partition: int, effects: BuyerEffects) -> None:
        """Count and log a turn that is durable."""
        self._turns.labels(Outcome.APPLIED.value).inc()
        self._proposals.inc(effects.proposals)
        self._repeated.inc(effects.repeated)
        self._rejected.inc(len(effects.rejections))
        self._waiting.labels(str(partition)).set(effects.waiting)
        self._placed.inc(sum(isinstance(one, RequestPlaced) for one in effects.decisions))
        for order in [one for one in effects.decisions if isinstance(one, JointOrderPlaced)]:
            self._order(partition, order)
        self._except(partition, [one for one in effects.decisions if isinstance(one, ProposalExcepted)])

    def refused(self, partition: int, outcome: Outcome) -> None:  # noqa: ARG002  counters outlive partitions
        """Count a turn that the store refused."""
        self._turns.labels(outcome.value).inc()

    def published(self, partition: int, entries: int) -> None:  # noqa: ARG002
        """Count outbox entries that Kafka acknowledged."""
        self._published.inc(entries)

    def released(self, partition: int) -> None:
        """Forget the gauges of a partition that another buyer may own now."""
        self._waiting.remove_by_labels({"partition": str(partition)})

    def _order(self, partition: int, order: JointOrderPlaced) -> None:
        self._orders.labels(order.because).inc()
        self._value.inc(order.value / MONEY)
        log.info(
            "joint_order_placed",
            partition=partition,
            joint_order_id=order.joint_order_id,
            supplier=order.supplier,
            lines=order.lines,
            units=order.units,
            value=order.value / MONEY,
            reason=order.because,
        )

    def _except(self, partition: int, excepted: list[ProposalExcepted]) -> None:
        for one in excepted:
            self._excepted.labels(one.outcome, one.reason).inc()
        for one in excepted[:MOST_LINES]:
            log.warning(
                f"proposal_{one.outcome}",
                partition=partition,
                restock_id=one.proposal.restock_id,
                key=one.proposal.key.decode(),
                supplier=one.proposal.supplier,
                reason=one.reason,
                proposed_units=one.proposal.units,
                units=one.units,
            )
        if len(excepted) > MOST_LINES:
            log.warning("more_proposals_excepted", partition=partition, count=len(excepted) - MOST_LINES)

    def _begin_at_zero(self) -> None:
        """Show counters before their first event: a rate over a series that appears late misses the first."""
        for reason in get_args(Because):
            self._orders.labels(reason)
        for outcome in OUTCOMES:
            for reason in get_args(Reason):
                self._excepted.labels(outcome, reason)
