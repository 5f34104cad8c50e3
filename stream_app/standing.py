"""A claimed partition: who forecasts for it, and which version is tried beside the champion."""

from dataclasses import dataclass

import numpy as np

from replenishment.arrays import Float32s, Names
from replenishment.engine.rebuild import begin_rebuild
from replenishment.engine.state import PartitionState
from replenishment.forecaster import ClosedBucket, Forecast, Forecaster, Serving
from replenishment.lead_time import Delays, KnowsSuppliers
from replenishment.quantiles import QuantileGrid
from stream_app.ports import Fence


@dataclass(slots=True)
class Standing:
    """A claimed partition and who forecasts for it."""

    fence: Fence
    state: PartitionState
    champion: Forecaster
    rung: str
    incoming: "Trial | None" = None

    @property
    def is_swapping(self) -> bool:
        """Whether another version is about to take over."""
        return self.incoming is not None and not self.incoming.is_shadow

    def shadow_of(self, version: str) -> "Trial | None":
        """Return the shadow if it is of that version."""
        is_it = self.incoming is not None and self.incoming.is_shadow and self.incoming.version == version
        return self.incoming if is_it else None

    def serving(self, *, is_requesting: bool) -> Serving:
        """Return what the engine is told; of a version that failed nothing more is asked."""
        incoming = None if self.incoming is None or self.incoming.error is not None else self.incoming
        return Serving(self.champion, incoming, self.rung, is_requesting)


class Trial:
    """A version beside the champion that cannot hurt: after its first error it forecasts nothing, ``error`` keeps it.

    ``is_shadow``: it stays beside the champion and does not take over.
    """

    def __init__(self, forecaster: Forecaster, *, is_shadow: bool = False) -> None:
        self._forecaster = forecaster
        self.is_shadow = is_shadow
        self.error: Exception | None = None

    @property
    def version(self) -> str:
        """Id of the version."""
        return self._forecaster.version

    @property
    def grid(self) -> QuantileGrid:
        """Horizons and levels of its forecasts."""
        return self._forecaster.grid

    @property
    def memory_floats(self) -> int:
        """Numbers carried for each key."""
        return self._forecaster.memory_floats

    @property
    def context_buckets(self) -> int:
        """How many buckets warm a memory."""
        return self._forecaster.context_buckets

    def delays(self, suppliers: Names) -> Delays | None:
        """Return what the version knows of suppliers, None if it knows nothing: levels must be those it will have."""
        return self._forecaster.delays(suppliers) if isinstance(self._forecaster, KnowsSuppliers) else None

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        """Step, or return zeros if it cannot."""
        shape = (len(memory), len(self.grid.horizons_buckets), len(self.grid.levels))
        if self.error is None:
            try:
                forecast = self._forecaster.step(closed, memory)
                if (forecast.quantiles.shape, forecast.memory.shape) == (shape, memory.shape):
                    return forecast
                self.error = ValueError(f"version {self.version} forecasts {forecast.quantiles.shape}, must be {shape}")
            except Exception as error:  # whatever a model does wrong must not stop the partition
                self.error = error
        return Forecast(np.zeros(shape, dtype=np.float32), memory)


def begun(standing: Standing, forecaster: Forecaster, *, is_shadow: bool = False) -> Trial:
    """Return a trial of a version that is beside the champion from now on, in the place of one that was."""
    trial = standing.incoming = Trial(forecaster, is_shadow=is_shadow)
    begin_rebuild(standing.state, trial)
    return trial
