"""What a net reads of a history: inputs made by the serving code bucket by bucket, and which of them there are."""

from dataclasses import dataclass, replace

import numpy as np

from model_store.features import FeatureState, calendar, features, fresh_memory, observe
from model_store.signal_features import signal_floats, signal_inputs
from model_store.spec import FeatureSpec, buckets_per_day, default_features
from model_store.training.history import DemandHistory
from replenishment.arrays import Float32s, Int64s
from replenishment.quantiles import QuantileGrid

_LEAST_WEEKS = 4


def features_of(history: DemandHistory, grid: QuantileGrid, chosen: FeatureSpec | None = None) -> FeatureSpec:
    """Return the features of a version: those chosen or the default ones, and the plans that the history has."""
    spec = chosen or default_features(history.width, closed_weekdays(history))
    return replace(spec, signals=history.plans.spec(grid, history.width)) if history.plans else spec


def closed_weekdays(history: DemandHistory) -> tuple[int, ...]:
    """Return the weekdays (0 = Monday) on which nobody ever ordered anything, in at least four weeks.

    None if the width does not divide a day, or if all days are closed.
    """
    per_day = buckets_per_day(history.width)
    if not per_day:
        return ()
    weekdays = (history.first_bucket + np.arange(history.buckets)) // per_day % 7
    lines = history.order_lines.sum(axis=0)
    seen = np.bincount(weekdays, minlength=7)
    closed = (np.bincount(weekdays, lines, minlength=7) == 0) & (seen >= _LEAST_WEEKS * per_day)
    return () if closed.all() else tuple(np.flatnonzero(closed).tolist())


@dataclass(frozen=True, slots=True)
class Inputs:
    """Raw inputs of K keys over T buckets: own demand (K, T, O), calendar (T, C), signals (K, T, S), scale (K, T)."""

    spec: FeatureSpec
    own: Float32s
    calendar: Float32s
    signals: Float32s
    scale: Float32s

    def at(self, rows: Int64s, columns: Int64s) -> Float32s:
        """Return the inputs (N, F) of keys at columns, own demand first."""
        parts = (self.own[rows, columns], self.calendar[columns], self.signals[rows, columns])
        return np.concatenate(parts, axis=1)

    def over(self, rows: Int64s, columns: Int64s, lead: int) -> Float32s:
        """Return the inputs (N, F') for a sum over a lead: plans ahead are summed over it, one input for each channel.

        Horizons are every bucket up to the longest lead.
        """
        inputs = self.at(rows, columns)
        if not self.spec.ahead_inputs or not self.spec.signals:
            return inputs
        ahead = inputs[:, -self.spec.ahead_inputs :].reshape(len(rows), -1, len(self.spec.signals.known_ahead))
        return np.concatenate([inputs[:, : -self.spec.ahead_inputs], ahead[:, :lead].sum(axis=1)], axis=1)


def inputs_of(history: DemandHistory, spec: FeatureSpec) -> Inputs:
    """Return what a net would read in every bucket of a history, before it is standardised."""
    own, signals, scale = _stepped(history, spec)
    days = np.stack([calendar(spec, history.first_bucket + column) for column in range(history.buckets)])
    return Inputs(spec, own, days, signals, scale)


def _stepped(history: DemandHistory, spec: FeatureSpec) -> tuple[Float32s, Float32s, Float32s]:
    """Raw own inputs (K, T, O), signals (K, T, S) and scale (K, T), stepped from birth with the serving code."""
    shape = (len(history.keys), history.buckets)
    own = np.zeros((*shape, spec.demand_inputs), dtype=np.float32)
    scale = np.ones(shape, dtype=np.float32)
    signals = np.zeros((*shape, spec.signal_inputs), dtype=np.float32)
    memory = fresh_memory(spec, len(history.keys))
    means = np.zeros((len(history.keys), signal_floats(spec)), dtype=np.float32)
    for column in range(history.buckets):
        closed = history.closed(column)
        born = len(closed.demand_units)
        state = FeatureState.view(spec, memory[:born])
        observe(spec, state, closed)
        own[:born, column] = features(spec, state, closed)[:, : spec.demand_inputs]
        if spec.signals:
            signals[:born, column] = signal_inputs(spec, means[:born], closed)
        scale[:born, column] = state.scale
    return own, signals, scale
