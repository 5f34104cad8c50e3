"""Names of the array types; shapes are in each docstring.

K keys of a partition, B keys of one call, N lines of a batch, H horizons,
Q levels, S memory floats, W window buckets, O open buckets.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Int64s: TypeAlias = NDArray[np.int64]
"""Times in epoch milliseconds, bucket indices, units and row numbers."""
Int32s: TypeAlias = NDArray[np.int32]
UInt64s: TypeAlias = NDArray[np.uint64]
"""Fingerprints."""
UInt32s: TypeAlias = NDArray[np.uint32]
UInt16s: TypeAlias = NDArray[np.uint16]
UInt8s: TypeAlias = NDArray[np.uint8]
Float32s: TypeAlias = NDArray[np.float32]
"""Whatever enters or leaves a model."""
Float64s: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Names: TypeAlias = NDArray[np.bytes_]
"""Texts of fixed width."""
Records: TypeAlias = NDArray[np.void]
"""Packed rows of a durable table (structured dtype, little-endian)."""
