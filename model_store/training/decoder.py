"""A local decoder: what is planned in the buckets of one horizon changes the demand of just these buckets.

One small dense layer, with the same weights at every horizon, reads the plans
of that horizon beside the net's summary of the key, and makes a positive factor for
each level's increment. So a promotion moves its own buckets, a surface never
crosses, and what was learnt at one horizon holds at all.

Source:
    Wen et al., A Multi-Horizon Quantile Recurrent Forecaster, 2017, section 3.2 (local decoder with shared weights).
"""

from math import expm1, log

from model_store.training.backend import keras

UNITS = 24
layers, ops = keras.layers, keras.ops
_ONE = log(expm1(1))
"""Where softplus is 1: an untrained decoder changes nothing."""


def factors(ahead: keras.KerasTensor, context: keras.KerasTensor, levels: int) -> keras.KerasTensor:
    """Return factors (B, L, H, Q) above 0 of plans (B, L, H, C) and a net's summary (B, L, D)."""
    read = layers.Dense(UNITS, use_bias=False, name="decoder_ahead_dense")(ahead)
    shared = layers.Dense(UNITS, name="decoder_context_dense")(context)
    hidden = ops.relu(read + ops.expand_dims(shared, 2))
    one = keras.initializers.Constant(_ONE)
    out = layers.Dense(levels, kernel_initializer="zeros", bias_initializer=one, name="decoder_out_dense")
    return ops.softplus(out(hidden))
