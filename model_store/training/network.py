"""The LSTM as a Keras model over whole windows; its weights leave as plain arrays for `export`.

Two dense layers read the inputs: one sees own demand only and feeds the
recurrent layer, so that the state cannot learn which week it is and remember
a shock by it; the other sees the calendar too and takes the way around. The
head adds up softplus increments over levels and horizons: quantiles never
cross, a longer horizon never has a smaller one.
"""

from dataclasses import dataclass

import numpy as np

from model_store.spec import FeatureSpec
from model_store.training.backend import keras
from replenishment.arrays import Float32s, Float64s
from replenishment.quantiles import QuantileGrid

UNITS = 64
layers, ops = keras.layers, keras.ops
OWN, SKIP, LSTM, MIX, HEAD = "own_dense", "skip_dense", "lstm", "mix_dense", "head_dense"


@dataclass(frozen=True, slots=True)
class StepWeights:
    """Weights of one step; O own inputs, F all inputs, D dense and U recurrent units, H horizons, Q levels.

    Gate blocks in Keras order: i, f, g, o.

    Attributes:
        own_kernel: (O, D), its bias (D,).
        kernel: (D, 4U), recurrent_kernel (U, 4U), their bias (4U,).
        skip_kernel: (F, D), its bias (D,).
        mix_kernel: (U + D, D), its bias (D,): recurrent output first.
        head_kernel: (D, H * Q), its bias (H * Q,): levels along the fast axis.
    """

    own_kernel: Float32s
    own_bias: Float32s
    kernel: Float32s
    recurrent_kernel: Float32s
    bias: Float32s
    skip_kernel: Float32s
    skip_bias: Float32s
    mix_kernel: Float32s
    mix_bias: Float32s
    head_kernel: Float32s
    head_bias: Float32s


def build(spec: FeatureSpec, grid: QuantileGrid, units: int = UNITS) -> keras.Model:
    """Return the net: standardised inputs (B, L, O) and (B, L, C) to quantiles (B, L, H, Q) in units of scale."""
    horizons, levels = len(grid.horizons_buckets), len(grid.levels)
    own = keras.Input((None, spec.demand_inputs), name="own")
    calendar = keras.Input((None, spec.calendar_inputs), name="calendar")
    recurrent = layers.LSTM(units, return_sequences=True, name=LSTM)(
        layers.Dense(units, activation="relu", name=OWN)(own)
    )
    around = layers.Dense(units, activation="relu", name=SKIP)(layers.Concatenate()([own, calendar]))
    mixed = layers.Dense(units, activation="relu", name=MIX)(layers.Concatenate()([recurrent, around]))
    bias = keras.initializers.Constant(_head_bias(grid))
    increments = ops.softplus(layers.Dense(horizons * levels, bias_initializer=bias, name=HEAD)(mixed))
    over_levels = ops.matmul(layers.Reshape((-1, horizons, levels))(increments), _adding_up(levels).T)
    return keras.Model([own, calendar], ops.matmul(_adding_up(horizons), over_levels))


def weights_of(model: keras.Model) -> StepWeights:
    """Return the weights of a net made by `build`."""
    arrays = [
        np.asarray(one, dtype=np.float32)
        for name in (OWN, LSTM, SKIP, MIX, HEAD)
        for one in model.get_layer(name).get_weights()
    ]
    return StepWeights(*arrays)


def _adding_up(count: int) -> Float32s:
    """Matrix that adds up, (count, count): as a product a third of a training step quicker than cumulative sums."""
    return np.tril(np.ones((count, count), dtype=np.float32))


def _head_bias(grid: QuantileGrid) -> Float64s:
    """Bias with which an untrained head forecasts exponential demand of the scale's mean, (H * Q,)."""
    over_levels = np.diff(-np.log1p(-np.array(grid.levels)), prepend=0)
    over_horizons = np.diff(np.array(grid.horizons_buckets, dtype=np.float64), prepend=0)
    increments = np.outer(over_horizons, over_levels)
    # Softplus undone: log(exp(x) - 1).
    return np.asarray(np.log(np.expm1(increments)).reshape(-1))
