"""In which precision a net multiplies while it is fitted; its weights, and what leaves, stay float32.

Source: Micikevicius et al., Mixed Precision Training, ICLR 2018. bfloat16 has
the range of float32, so the loss needs no scaling.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from model_store.training.backend import keras


@contextmanager
def multiplying_in(precision: str) -> Iterator[None]:
    """Make layers under one of Keras' policies, ``float32`` or ``mixed_bfloat16``; afterwards as before."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
