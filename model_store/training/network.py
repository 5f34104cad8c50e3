"""Nets as Keras models over whole windows; their weights leave as named arrays for `export`.

Two dense layers read the inputs: one sees own demand only and feeds the core
(recurrent, convolutions, or dense), so that a state cannot learn which week
it is and remember a shock by it; the other sees the calendar too and takes
the way around. The head adds up softplus increments over levels and horizons:
quantiles never cross, a longer horizon never has a smaller one.

Sources:
    Hochreiter & Schmidhuber, Long Short-Term Memory, Neural Computation 9(8), 1997; Bai, Kolter & Koltun, An
    Empirical Evaluation of Generic Convolutional and Recurrent Networks, 2018 (causal, dilated, residual), with
    residuals that begin at zero as in Zhang, Dauphin & Ma, Fixup Initialization, ICLR 2019; Wen et al., A
    Multi-Horizon Quantile Recurrent Forecaster, 2017 (every step forecasts every horizon).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from model_store.spec import FeatureSpec
from model_store.training import decoder
from model_store.training.backend import keras
from model_store.training.nets import PRESETS, Net
from replenishment.arrays import Float32s, Float64s
from replenishment.quantiles import QuantileGrid

layers, ops = keras.layers, keras.ops
OWN, SKIP, MIX, HEAD = "own_dense", "skip_dense", "mix_dense", "head_dense"
DEFAULT_NET = PRESETS["lstm"]
NetArrays = Mapping[str, Float32s]
"""Weights by name: ``own_kernel``, ``core_0_kernel`` and so on; see `arrays_of`."""


@dataclass(frozen=True, slots=True)
class StepWeights:
    """Weights of a net with one LSTM layer.

    O own inputs, F all inputs, D dense and U recurrent units, H horizons, Q levels. Gate blocks in Keras order:
    i, f, g, o.

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

    @classmethod
    def of(cls, arrays: NetArrays) -> Self:
        """Return the weights of such a net by their own names."""
        return cls(**{name.replace("core_0_", ""): array for name, array in arrays.items()})

    @property
    def arrays(self) -> NetArrays:
        """The weights as every net has them."""
        core = ("kernel", "recurrent_kernel", "bias")
        return {f"core_0_{name}" if name in core else name: getattr(self, name) for name in self.__slots__}

    @property
    def net(self) -> Net:
        """Shape of the net."""
        return Net("lstm", (len(self.recurrent_kernel),), self.own_kernel.shape[1])


@dataclass(frozen=True, slots=True)
class Built:
    """One net in three views with the same weights.

    Attributes:
        whole: Standardised inputs (B, L, O) and (B, L, F - O) to quantiles (B, L, H, Q) in units of scale.
        reader: Inputs of own demand (B, L, O) to what the core makes of them, (B, L, U): it needs every bucket.
        teller: That and both inputs at any S of the buckets, (B, S, …), to their quantiles (B, S, H, Q).
    """

    whole: keras.Model
    reader: keras.Model
    teller: keras.Model


def build(spec: FeatureSpec, grid: QuantileGrid, net: Net = DEFAULT_NET) -> Built:
    """Return an untrained net."""
    own = keras.Input((None, spec.demand_inputs), name="own")
    calendar = keras.Input((None, spec.inputs - spec.demand_inputs), name="calendar")
    # Made first: Keras draws the seeds of weights in the order in which layers are made, and versions are repeatable.
    core = [_layer(net, place) for place in range(len(net.widths))]
    remembered = layers.Dense(net.own_units, activation="relu", name=OWN)(own)
    for place, layer in enumerate(core):
        remembered = _added(net, place, remembered, layer(remembered))
    told = _teller(spec, grid, net)
    kept = keras.Input((None, remembered.shape[-1]), name="remembered")
    return Built(
        whole=keras.Model([own, calendar], told(remembered, own, calendar)),
        reader=keras.Model(own, remembered),
        teller=keras.Model([kept, own, calendar], told(kept, own, calendar)),
    )


def _teller(spec: FeatureSpec, grid: QuantileGrid, net: Net) -> Callable[..., keras.KerasTensor]:
    """Return what makes quantiles of the core's output and both inputs: the dense layers after the core, made once."""
    horizons, levels = len(grid.horizons_buckets), len(grid.levels)
    skip = layers.Dense(net.dense_units, activation="relu", name=SKIP)
    mix = layers.Dense(net.dense_units, activation="relu", name=MIX)
    bias = keras.initializers.Constant(_head_bias(grid))
    # In float32 under any policy: sums of a hundred increments lose too much in fewer digits.
    head = layers.Dense(horizons * levels, bias_initializer=bias, dtype="float32", name=HEAD)
    factors = decoder.decoder(levels) if spec.ahead_inputs else None

    def told(remembered: keras.KerasTensor, own: keras.KerasTensor, calendar: keras.KerasTensor) -> keras.KerasTensor:
        passed = calendar[..., : -spec.ahead_inputs] if factors else calendar
        mixed = mix(layers.Concatenate()([remembered, skip(layers.Concatenate()([own, passed]))]))
        increments = layers.Reshape((-1, horizons, levels), dtype="float32")(ops.softplus(head(mixed)))
        if factors:
            ahead = calendar[..., -spec.ahead_inputs :]
            increments *= factors(layers.Reshape((-1, horizons, spec.ahead_inputs // horizons))(ahead), mixed)
        over_levels = ops.matmul(increments, _adding_up(levels).T)
        return ops.matmul(_adding_up(horizons), over_levels)

    return told


def _layer(net: Net, place: int) -> keras.Layer:
    """Return the layer of the core at a place, from 0."""
    width, name = net.widths[place], f"core_{place}"
    match net.core:
        case "lstm":
            return layers.LSTM(width, return_sequences=True, name=name)
        case "mlp":
            return layers.Dense(width, activation="relu", name=name)
        case "cnn":
            return layers.Conv1D(
                width, 2, dilation_rate=net.reaches[place], padding="causal", activation="relu", name=name
            )


def _added(net: Net, place: int, read: keras.KerasTensor, made: keras.KerasTensor) -> keras.KerasTensor:
    """Return what a layer made; a convolution adds it to what it read, at first nothing."""
    if net.core != "cnn":
        return made
    return read + layers.Dense(net.widths[place], kernel_initializer="zeros", name=f"core_{place}_add")(made)


def arrays_of(model: keras.Model) -> NetArrays:
    """Return the weights of a whole net made by `build`, by name.

    Dense layers have ``…_kernel`` (inputs, units) and ``…_bias``; LSTM layers ``core_0_kernel``,
    ``core_0_recurrent_kernel`` and ``core_0_bias``; convolutions ``core_0_kernel`` (2, inputs, units), the farther
    bucket first, ``core_0_bias``, and the dense layer that adds to what was read, ``core_0_add_kernel``.
    """
    return {name: np.asarray(weight, dtype=np.float32) for name, weight in _named(model)}


def set_arrays(model: keras.Model, arrays: NetArrays) -> None:
    """Give a net made by `build` the weights of another one of the same shape."""
    for name, weight in _named(model):
        weight.assign(arrays[name])


def _named(model: keras.Model) -> Iterator[tuple[str, keras.Variable]]:
    for layer in model.layers:
        for weight in layer.weights:
            yield f"{layer.name.removesuffix('_dense')}_{weight.name}", weight


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
