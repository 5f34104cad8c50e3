"""LightGBM as a peer: direct quantiles of demand over each lead, on the features of the nets. Evaluated, not served.

One model for each lead and level, fitted once like all others, on the same
targets (demand / (scale * lead)), with the nets' weights of series or plainly.

Source: Ke et al., LightGBM: A Highly Efficient Gradient Boosting Decision Tree, NeurIPS 2017.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from model_store.errors import ModelStoreError
from model_store.training.comparison import Effort, Rolled
from model_store.training.dataset import SETTLING_BUCKETS
from model_store.training.evaluate import Origins
from model_store.training.history import DemandHistory
from model_store.training.inputs import Inputs, features_of, inputs_of
from model_store.training.plan import Clock
from model_store.training.progress import Reporter, Stage
from model_store.training.scoring import TABLE_LEVELS, LeadForecasts
from model_store.training.sufficiency import require_sold
from replenishment.arrays import Float32s, Float64s, Int64s
from replenishment.quantiles import ProtectionDemand, QuantileGrid

NAME = "lightgbm"
PEERS = {NAME: True, "lightgbm_plain": False}
"""Names, and whether series weigh in the loss as they do for nets."""
MOST_ROWS = 200_000
ROUNDS = 200
PARAMETERS: dict[str, Any] = {
    "objective": "quantile",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 100,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,  # sums in one order on every machine, and no threads that wait for busy cores
    "verbosity": -1,
}


class PeerMissing(ModelStoreError):
    """A peer that is not installed.

    Operator action: pip install 'restock[peers]'.
    """


@dataclass(frozen=True, slots=True)
class LightgbmPeer:
    """Candidate that fits LightGBM before the first origin.

    Attributes:
        seed: Of the rows that are drawn, and of LightGBM.
        rounds: Trees of each model.
        weighs: Whether series weigh in the loss as they do for nets; people who use LightGBM plainly do not weigh.
    """

    seed: int = 0
    rounds: int = ROUNDS
    weighs: bool = True

    def __call__(self, seen: DemandHistory, origins: Origins, reporter: Reporter, clock: Clock) -> Rolled:
        """Return its forecasts at origins.

        Raises:
            PeerMissing: If LightGBM is not installed.
            UnusableHistory: If there is too little to learn from.
        """
        begun = clock()
        first = origins.columns[0]
        learnt = seen.until(first)
        require_sold(learnt)
        spec = features_of(learnt, QuantileGrid(tuple(range(1, origins.leads[-1] + 1)), TABLE_LEVELS))
        reporter.stage("features")
        inputs = inputs_of(seen.until(origins.columns[-1]), spec)
        stage = reporter.stage(f"fitting {NAME}")
        models = {}
        for place, lead in enumerate(origins.leads):
            rows = _rows(learnt, lead, self.seed)
            models[lead] = self._fitted(inputs, learnt, lead, rows, _shifted(stage, place, len(origins.leads)))
        fit_seconds, begun = clock() - begun, clock()
        forecasts = _forecasts(models, inputs, seen, origins)
        steps = sum(seen.born_by(column) for column in range(origins.columns[-1]))
        return Rolled(forecasts, Effort(fit_seconds, clock() - begun, steps, 0))

    def _fitted(
        self, inputs: Inputs, learnt: DemandHistory, lead: int, rows: tuple[Int64s, Int64s], stage: Stage
    ) -> list[Any]:
        lightgbm = _lightgbm()
        key, column = rows
        before = np.pad(np.cumsum(learnt.demand_units, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
        scale = inputs.scale[key, column]
        target = (before[key, column + lead + 1] - before[key, column + 1]) / (scale * lead)
        weights = np.sqrt(scale) if self.weighs else None
        shown = lightgbm.Dataset(inputs.over(key, column, lead), target, weight=weights, free_raw_data=False)
        models = []
        for place, level in enumerate(TABLE_LEVELS):
            options = PARAMETERS | {"alpha": level, "seed": self.seed}
            models.append(lightgbm.train(options, shown, num_boost_round=self.rounds))
            stage(place + 1, len(TABLE_LEVELS))
        return models


def _lightgbm() -> Any:
    try:
        import lightgbm  # noqa: PLC0415 - an extra that most do without
    except ModuleNotFoundError as error:
        raise PeerMissing(
            "LightGBM is not installed; it is only a peer to compare with. Install it: pip install 'restock[peers]'"
        ) from error
    except OSError as error:
        raise PeerMissing(f"LightGBM cannot be loaded ({error}). It needs the OpenMP library, e.g. libgomp1") from error
    return lightgbm


def _shifted(stage: Stage, place: int, many: int) -> Stage:
    """Return the part of a stage that is the ``place``-th of many."""

    def shown(done: float, total: float, remark: str = "") -> None:
        stage(place + done / total, many, remark)

    return shown


def _rows(learnt: DemandHistory, lead: int, seed: int) -> tuple[Int64s, Int64s]:
    """Keys and columns to learn from: settled, and with a known lead that ends within the history."""
    unknown = np.pad(np.cumsum(learnt.available_ratio == 0, axis=1), ((0, 0), (1, 0)))
    columns = np.arange(learnt.buckets)
    fits = (columns >= learnt.born[:, None] + SETTLING_BUCKETS) & (columns + lead < learnt.buckets)
    end = np.minimum(columns + lead + 1, learnt.buckets)
    fits &= unknown[:, end] == unknown[:, columns + 1]
    key, column = np.nonzero(fits)
    if len(key) > MOST_ROWS:
        drawn = np.sort(np.random.default_rng(seed).choice(len(key), MOST_ROWS, replace=False))
        key, column = key[drawn], column[drawn]
    return key, column


def _forecasts(models: dict[int, list[Any]], inputs: Inputs, seen: DemandHistory, origins: Origins) -> LeadForecasts:
    sizes = (len(seen.keys), len(origins.columns), len(origins.leads))
    quantiles = np.full((*sizes, len(TABLE_LEVELS)), np.nan, dtype=np.float32)
    mean = np.full(sizes, np.nan)
    for place, origin in enumerate(origins.columns):
        key = np.arange(seen.born_by(origin - 1))
        column = np.full(len(key), origin - 1)
        for lead_place, (lead, fitted) in enumerate(models.items()):
            shown = inputs.over(key, column, lead)
            units = _units(fitted, shown, inputs.scale[key, column] * lead)
            quantiles[key, place, lead_place] = units
            mean[key, place, lead_place] = ProtectionDemand(TABLE_LEVELS, units).mean()
    return LeadForecasts(quantiles, mean)


def _units(models: list[Any], shown: Float32s, scale: Float32s) -> Float64s:
    """Quantiles (B, Q) in units; direct quantiles cross, so each is at least the one below it."""
    scaled = np.stack([np.asarray(model.predict(shown)) for model in models], axis=1)
    return np.asarray(np.maximum.accumulate(np.maximum(scaled, 0), axis=1) * scale[:, None])
