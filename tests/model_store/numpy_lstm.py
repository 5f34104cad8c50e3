"""The step of the LSTM in NumPy: the oracle that a served graph is compared with."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from replenishment.arrays import Float32s, Float64s


@dataclass(frozen=True, slots=True)
class LstmWeights:
    """Weights of the net; F inputs, D dense units, U recurrent units, H horizons, Q levels.

    Dense -> LSTM, then its output beside the dense one -> dense -> head.
    Gate blocks in Keras order: i, f, g, o.
    """

    mean: Float32s
    inverse_deviation: Float32s
    dense_kernel: Float32s
    dense_bias: Float32s
    kernel: Float32s
    recurrent_kernel: Float32s
    bias: Float32s
    mix_kernel: Float32s
    mix_bias: Float32s
    head_kernel: Float32s
    head_bias: Float32s

    @classmethod
    def random(cls, seed: int, inputs: int, units: int, outputs: int) -> Self:
        """Weights of a plausible size: (F, U), (U, 4U), (2U, U), (U, H * Q)."""
        rng = np.random.default_rng(seed)
        shapes = (
            (inputs,), (inputs,), (inputs, units), (units,), (units, 4 * units), (units, 4 * units),
            (4 * units,), (2 * units, units), (units,), (units, outputs), (outputs,),
        )  # fmt: skip
        drawn = [rng.normal(0, shape[0] ** -0.5, shape).astype(np.float32) for shape in shapes]
        drawn[1] = np.abs(drawn[1]) + np.float32(0.5)
        drawn[-1] -= np.float32(3.0)
        return cls(**dict(zip((field.name for field in fields(cls)), drawn, strict=True)))


def step(weights: LstmWeights, features: Float32s, state: Float32s, levels: int) -> tuple[Float64s, Float64s]:
    """Advance the net by one bucket: quantiles (B, H, Q) in units of scale, and state (B, 2U) = h beside c.

    Source:
        Hochreiter & Schmidhuber, Long Short-Term Memory, Neural Computation
        9(8), 1997; forget gate: Gers, Schmidhuber & Cummins, 2000.
    """
    h, c = np.split(state.astype(np.float64), 2, axis=1)
    x = np.clip((features.astype(np.float64) - weights.mean) * weights.inverse_deviation, -6, 6)
    dense = np.maximum(x @ weights.dense_kernel + weights.dense_bias, 0)
    i, f, g, o = np.split(dense @ weights.kernel + h @ weights.recurrent_kernel + weights.bias, 4, axis=1)
    c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
    h = _sigmoid(o) * np.tanh(c)
    mixed = np.maximum(np.concatenate([h, dense], axis=1) @ weights.mix_kernel + weights.mix_bias, 0)
    head = np.logaddexp(0, mixed @ weights.head_kernel + weights.head_bias).reshape(len(features), -1, levels)
    return head.cumsum(axis=1).cumsum(axis=2), np.concatenate([h, c], axis=1)


def _sigmoid(x: Float64s) -> Float64s:
    # tanh form: never overflows, unlike 1 / (1 + exp(-x)) at x = -1000.
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))
