"""What a process shows of its partitions: whether it is ready, and the one line that says so."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from stream_app.ops.health import Health
from stream_app.ops.metrics import PrometheusMeter
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
        health: Where readiness is shown.
        released: Told of each partition that is somebody else's now.
        about: Returns what else the line says, when it is said.
    """

    def __init__(
        self, health: Health, released: Callable[[int], None], about: Callable[[], Mapping[str, object]]
    ) -> None:
        self._health = health
        self._released = released
        self._about = about
        self._begun_seconds = time.monotonic()
        self._told: list[int] | None = None
        self._held: set[int] = set()

    def show(self, is_assigned: bool, stages: Mapping[int, Stage]) -> None:
        """Take in how far each assigned partition is."""
        waiting = [f"partition {number} is {stage.value}" for number, stage in stages.items() if stage != Stage.WORKING]
        for partition in self._held - stages.keys():
            self._released(partition)
        self._held = set(stages)
        if not is_assigned:
            self._health.lacks("partitions", "Kafka assigns partitions at present")
        elif waiting:
            self._health.lacks("partitions", "; ".join(waiting))
        else:
            self._health.has("partitions")
            self._tell(list(stages))

    def _tell(self, partitions: list[int]) -> None:
        if partitions == self._told:
            return
        event = "ready" if self._told is None else "partitions_changed"
        seconds = round(time.monotonic() - self._begun_seconds, 1)
        log.info(event, partitions=partitions, **self._about(), seconds=seconds)
        self._told = partitions
