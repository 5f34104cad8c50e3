"""What all processes of a cluster share, and which version serves."""

from dataclasses import dataclass
from typing import Any

from replenishment.engine.plan import Plan
from replenishment.forecaster import Forecaster
from tests.cluster_sim.broker import Broker, Group
from tests.cluster_sim.dice import Dice
from tests.cluster_sim.redis import PlayedRedis


@dataclass
class World:
    """What all processes share."""

    dice: Dice
    broker: Broker
    redis: PlayedRedis
    group: Group
    plan: Plan
    settings: Any
    pointer: "Pointer"


@dataclass
class Pointer:
    """The champion pointer and the versions there are; each process has a ``Follower`` of its own."""

    forecasters: list[Forecaster]


class Follower:
    """Who serves, as of the last look: what the product's follower does without directories."""

    def __init__(self, pointer: Pointer) -> None:
        self._pointer = pointer
        self._seen = pointer.forecasters[-1]

    def look(self) -> bool:
        before, self._seen = self._seen, self._pointer.forecasters[-1]
        return before is not self._seen

    def champion(self) -> tuple[Forecaster, str]:
        return self._seen, "champion"

    def shadow(self) -> Forecaster | None:
        return None

    def of_version(self, version: str) -> tuple[Forecaster, str] | None:
        return next(((one, "champion") for one in self._pointer.forecasters if one.version == version), None)
