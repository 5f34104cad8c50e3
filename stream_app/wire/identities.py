"""What tells order lines of a key apart: one 64-bit hash of order, line number and type for each line of a batch."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from replenishment.arrays import Int64s, UInt64s
from replenishment.engine.repeats import mixed
from stream_app.wire.fields import LONGEST_ID

_FACTORS = mixed(np.arange(1, LONGEST_ID + 3, dtype=np.uint64)) | np.uint64(1)
_TEXT, _LINE, _KIND = _FACTORS[:LONGEST_ID], _FACTORS[LONGEST_ID], _FACTORS[LONGEST_ID + 1]


class Identities(NamedTuple):
    """Of lines, 0 where there is no order id or no line number, and of their orders, 0 where there is no id, (N,)."""

    lines: UInt64s
    orders: UInt64s


def line_identities(order_ids: Sequence[str], line_numbers: Int64s, kinds: Int64s) -> Identities:
    """Return what tells lines apart and what tells orders apart, the same in any batch.

    Without a number two lines of an order that name the same SKU cannot be
    told from a line that came twice, and a unit that was sold must not be lost.

    Texts are hashed all at once, by a sum of their characters times factors
    that depend on the place, modulo 2**64: a place without a character adds nothing.

    Source: the multilinear family of Lemire & Kaser, Strongly Universal String Hashing is Fast, The Computer
        Journal 57(11), 2014.

    Example:
        >>> first, again, other = line_identities(["o-1", "o-1", "o-1"], np.array([1, 1, 2]), np.array([0, 0, 0])).lines
        >>> bool(first == again), bool(first == other)
        (True, False)
    """
    texts = np.array(order_ids, dtype=np.str_)
    width = texts.dtype.itemsize // 4
    characters = texts.view(np.uint32).reshape(len(texts), width).astype(np.uint64)
    of_orders = mixed(characters @ _TEXT[:width])
    sums = mixed(of_orders + line_numbers.astype(np.uint64) * _LINE + kinds.astype(np.uint64) * _KIND)
    has_order = characters[:, :1].any(axis=1)
    return Identities(
        np.where(has_order & (line_numbers > 0), np.maximum(sums, np.uint64(1)), np.uint64(0)),
        np.where(has_order, np.maximum(of_orders, np.uint64(1)), np.uint64(0)),
    )
