"""What a worker shows of its partitions: whether it is ready, and the one line that says so."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from stream_app.ops.health import Health
from stream_app.ops.metrics import PrometheusMeter
from stream_app.ports import ForecasterSource
from stream_app.worker.surroundings import Stage

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outside:
    """Where a worker shows itself: health, metrics, and the address of the page that has both."""

    health: Health
    meter: PrometheusMeter
    address: str


class Readiness:
    """Follows the stages of all partitions.

    Args:
        outside: Where readiness is shown.
        source: Who forecasts, for the line.
        begun_seconds: Monotonic seconds at which the worker was started.
        is_observing: Whether the worker requests nothing.
    """

    def __init__(self, outside: Outside, source: ForecasterSource, begun_seconds: float, *, is_observing: bool) -> None:
        self._outside = outside
        self._source = source
        self._begun_seconds = begun_seconds
        self._is_observing = is_observing
        self._told: list[int] | None = None
        self._held: set[int] = set()

    def show(self, is_assigned: bool, stages: Mapping[int, Stage]) -> None:
        """Take in how far each assigned partition is."""
        health = self._outside.health
        waiting = [f"partition {number} is {stage.value}" for number, stage in stages.items() if stage != Stage.WORKING]
        for partition in self._held - stages.keys():
            self._outside.meter.released(partition)
        self._held = set(stages)
        if not is_assigned:
            health.lacks("partitions", "Kafka assigns partitions at present")
        elif waiting:
            health.lacks("partitions", "; ".join(waiting))
        else:
            health.has("partitions")
            self._tell(list(stages))

    def _tell(self, partitions: list[int]) -> None:
        if partitions == self._told:
            return
        champion, rung = self._source.champion()
        log.info(
            "ready" if self._told is None else "partitions_changed",
            partitions=partitions,
            model=champion.version,
            rung=rung,
            metrics=self._outside.address,
            observing=self._is_observing,
            seconds=round(time.monotonic() - self._begun_seconds, 1),
        )
        self._told = partitions
