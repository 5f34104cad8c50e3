"""Classical forecasters with parameters of the middle, for tests."""

from model_store.kinds import seasonal_least_squares as least_squares
from model_store.kinds import seasonal_naive as naive
from model_store.kinds.exponential_smoothing import ExponentialSmoothing
from model_store.kinds.lag_weights import LagWeights
from model_store.kinds.tsb import Tsb
from model_store.spec import ModelSpec, default_grid
from tests.model_store.builders import DAY


def spec(kind: str, context: int, **parameters: float) -> ModelSpec:
    return ModelSpec(kind, DAY, default_grid(), context, None, parameters)


def exponential_smoothing(gain: float = 0.1) -> ExponentialSmoothing:
    return ExponentialSmoothing("v", spec("exponential_smoothing", 112, gain=gain))


def tsb(gain: float = 0.1, spread: float = 1.0) -> Tsb:
    return Tsb("v", spec("tsb", 112, probability_gain=gain, size_gain=gain, spread=spread))


def seasonal_naive(season: int = 7, seasons: int = 2) -> LagWeights:
    return naive.build("v", spec("seasonal_naive", season * seasons, season_buckets=season, seasons=seasons, spread=1))


def seasonal_least_squares(weights: tuple[float, ...] = (0.1, 0, 0, 0, 0, 0.2, 0.7), spread: float = 1.0) -> LagWeights:
    named = {least_squares.weight_name(lag): weight for lag, weight in enumerate(weights, 1)}
    return least_squares.build("v", spec("seasonal_least_squares", len(weights), spread=spread, **named))
