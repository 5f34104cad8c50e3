"""A checked step graph run by ONNX Runtime on one thread, so that a row never depends on its neighbours.

Matrix kernels treat the last rows of an odd batch otherwise than the rest and
differ there in the last bit. Rows therefore run in blocks of at most 1,024,
padded with zeros to a multiple of 64.
"""

from typing import Self

import numpy as np

from model_store.onnx_graph import BLOCK_ROWS, GraphShape, checked_shape
from model_store.runtime import InferenceSession, session_of
from replenishment.arrays import Float32s

ROW_MULTIPLE = 64


class OnnxStep:
    """One step of a net: features (B, F) and state (B, R) to quantiles (B, H, Q), in units of scale, and state (B, R).

    Attributes:
        shape: Sizes F, R, H and Q of the graph.
    """

    def __init__(self, session: InferenceSession, shape: GraphShape) -> None:
        self._session = session
        self.shape = shape

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Check a serialised graph and make it ready to run.

        Raises:
            ArtifactCorrupt: If the graph is not safe to run, or ONNX Runtime refuses it.
        """
        shape = checked_shape(raw)
        return cls(session_of(raw), shape)

    def run(self, features: Float32s, state: Float32s) -> tuple[Float32s, Float32s]:
        """Return scaled quantiles (B, H, Q) and the next state (B, R); the arguments are not changed."""
        rows = len(features)
        quantiles = np.empty((rows, self.shape.horizons, self.shape.levels), dtype=np.float32)
        state_out = np.empty((rows, self.shape.state_floats), dtype=np.float32)
        for start in range(0, rows, BLOCK_ROWS):
            block = slice(start, min(start + BLOCK_ROWS, rows))
            count = block.stop - start
            fed = {"features": _padded(features[block]), "state": _padded(state[block])}
            block_quantiles, block_state = self._session.run(["quantiles", "state_out"], fed)
            quantiles[block], state_out[block] = block_quantiles[:count], block_state[:count]
        return quantiles, state_out


def _padded(rows: Float32s) -> Float32s:
    surplus = -len(rows) % ROW_MULTIPLE
    if not surplus:
        return np.ascontiguousarray(rows)
    padded = np.zeros((len(rows) + surplus, rows.shape[1]), dtype=np.float32)
    padded[: len(rows)] = rows
    return padded
