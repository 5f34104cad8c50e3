"""A local decoder: what is planned in the buckets of one horizon changes the demand of just these buckets.

One small dense layer, with the same weights at every horizon, reads the plans
of that horizon beside the net's summary of the key, and makes a positive factor for
each level's increment. So a promotion moves its own buckets, a surface never
crosses, and what was learnt at one horizon holds at all.

Source:
    Wen et al., A Multi-Horizon Quantile Recurrent Forecaster, 2017, section 3.2 (local decoder with shared weights).
"""

from collections.abc import Callable
from math import expm1, log

from model_store.training.backend import keras

UNITS = 24
LEAST_FACTOR = 0.02
"""Nothing planned takes all demand away; below, float32 no longer has the digits that parity is checked by."""
layers, ops = keras.layers, keras.ops
_ONE = log(expm1(1 - LEAST_FACTOR))
"""Where the factor is 1: an untrained decoder changes nothing."""


def decoder(levels: int) -> Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]:
    """Return what makes factors (B, L, H, Q), `LEAST_FACTOR` or more, of plans (B, L, H, C) and a summary (B, L, D)."""
    ahead_layer = layers.Dense(UNITS, use_bias=False, name="decoder_ahead_dense")
    context_layer = layers.Dense(UNITS, name="decoder_context_dense")
    one = keras.initializers.Constant(_ONE)
    out_layer = layers.Dense(levels, kernel_initializer="zeros", bias_initializer=one, name="decoder_out_dense")

    def factors(ahead: keras.KerasTensor, context: keras.KerasTensor) -> keras.KerasTensor:
        hidden = ops.relu(ahead_layer(ahead) + ops.expand_dims(context_layer(context), 2))
        return ops.softplus(out_layer(hidden)) + LEAST_FACTOR

    return factors
