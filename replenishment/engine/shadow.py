"""What a version beside the champion would decide, compared bucket by bucket; nothing of it is ever requested."""

from collections.abc import Sequence

import numpy as np

from replenishment.arrays import Int64s
from replenishment.engine.effects import ShadowDecisions
from replenishment.engine.review import due_at_closing
from replenishment.engine.state import PartitionState


def compared(state: PartitionState, rows: Int64s, bucket: int) -> ShadowDecisions | None:
    """Return how the version beside the champion differs over rows (B,) that just closed ``bucket``.

    To be asked before the champion's review, so that both are read at the same
    positions. None if no version is beside it that was stepped for any row.
    """
    beside = state.incoming
    if beside is None:
        return None
    rows = rows[beside.rows["stepped_bucket"][rows] == bucket]
    if not len(rows):
        return None
    ours, theirs = state.champion.rows[rows], beside.rows[rows]
    is_due, would_be_due = (due_at_closing(state, columns, rows, bucket) for columns in (state.champion, beside))
    return ShadowDecisions(
        version=beside.version,
        bucket_start=state.plan.width.start_of(bucket),
        keys=len(rows),
        champion_reorder_units=int(ours["reorder_point"].sum()),
        shadow_reorder_units=int(theirs["reorder_point"].sum()),
        champion_order_up_to_units=int(ours["order_up_to_level"].sum()),
        shadow_order_up_to_units=int(theirs["order_up_to_level"].sum()),
        both_due_keys=int(np.count_nonzero(is_due & would_be_due)),
        champion_due_keys=int(np.count_nonzero(is_due & ~would_be_due)),
        shadow_due_keys=int(np.count_nonzero(would_be_due & ~is_due)),
    )


def added_up(chunks: Sequence[ShadowDecisions]) -> ShadowDecisions | None:
    """Return the comparison over all chunks of one closing; None if there is nothing to compare."""
    if not chunks:
        return None
    first = chunks[0]
    sums = {name: sum(getattr(one, name) for one in chunks) for name in COUNTS}
    return ShadowDecisions(version=first.version, bucket_start=first.bucket_start, **sums)


COUNTS = tuple(name for name in ShadowDecisions.__slots__ if name not in ("version", "bucket_start"))
"""Fields that add up over keys."""
