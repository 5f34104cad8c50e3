"""TensorFlow and Keras, imported here and nowhere else, without the lines they write to stderr at start-up.

Those lines bypass Python and TF_CPP_MIN_LOG_LEVEL, and tell an operator of
missing GPU libraries as if something were wrong. Errors of the import are exceptions and stay.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # warnings of TensorFlow itself are not for operators either


@contextmanager
def _without_stderr() -> Iterator[None]:
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


with _without_stderr():
    import keras
    import tensorflow as tf

    tf.config.list_physical_devices()  # looks for GPUs now, while nobody listens

__all__ = ["keras", "tf"]
