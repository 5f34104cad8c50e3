"""The last closed buckets of the few keys of a page: small bars beside each line."""

from collections import defaultdict
from collections.abc import Sequence

from replenishment.engine.rows import NEVER, window_table
from stream_app.errors import RestockError
from stream_app.page.charts import spark
from stream_app.page.shapes import Chart
from stream_app.page.snapshot import Snapshot
from stream_app.store.reader import Standing, StateReader
from stream_app.tables import plan_of

SHOWN_BUCKETS = 28


async def sparks(reader: StateReader, snapshot: Snapshot, places: Sequence[int]) -> Sequence[Chart | None]:
    """Return the demand of the last buckets of some keys of the snapshot as charts; None where there is none.

    The list is worth showing without them: if Redis is away all are None.
    """
    columns = snapshot.columns
    by_partition: dict[int, list[bytes]] = defaultdict(list)
    for place in places:
        by_partition[int(columns.partition[place])].append(columns.names[place].encode())
    drawn: dict[bytes, Chart] = {}
    for standing in snapshot.standings:
        try:
            drawn |= await _of_partition(reader, standing, by_partition[standing.partition])
        except RestockError:
            break
    return [drawn.get(columns.names[place].encode()) for place in places]


async def _of_partition(reader: StateReader, standing: Standing, keys: Sequence[bytes]) -> dict[bytes, Chart]:
    plan = plan_of(standing.layout)
    table = window_table(plan)
    found = await reader.rows_of_keys(standing.partition, table.name, keys)
    drawn = {}
    for key, packed in found.items():
        row = table.unpack(packed)[0]
        closed, born = int(row["closed_bucket"]), int(row["born_bucket"])
        if NEVER not in (closed, born):
            shown = min(SHOWN_BUCKETS, plan.window_buckets)
            units = row["units"].tolist()
            buckets = range(closed - shown + 1, closed + 1)
            drawn[key] = spark([units[one % plan.window_buckets] if one >= born else 0 for one in buckets])
    return drawn
