"""Explodes orders of finished goods into lines of the components that they are made of.

    python splitter.py file BOM.csv FINISHED.csv COMPONENTS.csv
    python splitter.py topic BOM.csv FINISHED_TOPIC

It keeps no state. What it writes follows from a record and its place alone: `order_id` is topic, partition and offset
(file and row) of the finished goods' line, `line` the place of the component. After a crash it writes some lines
again, byte for byte the same, and Restock recognises them as repeats. Reading, writing and committing are those of
`restock split`, with its settings, metrics and dead letters. A good that the bill of materials does not name is its
own component.
"""

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from replenishment.events import Rejection
from stream_app.cli.split import serve
from stream_app.ports import OutgoingRecord, Record, RecordBatch
from stream_app.wire.refusals import Code, excerpt
from stream_app.wire.whole_orders import line_record, source_of

MOST_UNITS = 1_000_000  # of a line: Restock refuses more
Bill = Mapping[str, Mapping[str, int]]


def bill_of_materials(file: str) -> Bill:
    """Read `sku, component, units`: so many whole units of a component are in one unit of a good, at any depth."""
    bill: dict[str, dict[str, int]] = {}
    with open(file, newline="", encoding="utf-8") as rows:
        for number, row in enumerate(csv.DictReader(rows), 1):
            if not row["units"].isdigit() or int(row["units"]) < 1:
                sys.exit(f"{file} row {number}: units is {row['units']!r}, must be a whole number of 1 or more")
            parts = bill.setdefault(row["sku"], {})
            parts[row["component"]] = parts.get(row["component"], 0) + int(row["units"])
    for sku in bill:
        exploded(bill, sku)
    return bill


def exploded(bill: Bill, sku: str, above: tuple[str, ...] = ()) -> dict[str, int]:
    """Return the units of each component in one unit of a good, bought parts only, by name."""
    if sku in above:
        sys.exit(f"the bill of materials is a circle: {' > '.join([*above, sku])}")
    if sku not in bill:
        return {sku: 1}
    units: dict[str, int] = {}
    for part, count in bill[sku].items():
        for component, inside in exploded(bill, part, (*above, sku)).items():
            units[component] = units.get(component, 0) + count * inside
    return dict(sorted(units.items()))


def component_lines(bill: Bill, order: Mapping[str, Any], source: str) -> Iterator[dict[str, Any]]:
    """Yield the lines of one order line or cancellation; same order and source, same lines.

    Raises:
        ValueError: If the quantity is no whole number of 1 or more; KeyError if a field is missing.
    """
    kept = {name: order[name] for name in ("type", "location", "event_time", "placed_at") if order.get(name)}
    quantity, line = int(str(order["quantity"])), 0
    if quantity < 1:
        raise ValueError(f"quantity is {quantity}, must be 1 or more")
    for component, units in exploded(bill, order["sku"]).items():
        left = units * quantity
        while left:
            line += 1
            taken = min(left, MOST_UNITS)
            yield {"order_id": source, "line": line, "sku": component, "quantity": taken, **kept}
            left -= taken


def split_file(bill: Bill, finished: str, components: str) -> None:
    """Write the component lines of a file for `restock simulate` or `restock feed`."""
    with open(finished, newline="", encoding="utf-8") as rows, open(components, "w", encoding="utf-8") as out:
        columns = ("order_id", "line", "location", "sku", "quantity", "event_time", "type", "placed_at")
        writer = csv.DictWriter(out, columns, lineterminator="\n")
        writer.writeheader()
        for number, row in enumerate(csv.DictReader(rows), 1):
            try:
                passes = row.get("type") == "time_passed"
                writer.writerows([row] if passes else component_lines(bill, row, f"{finished}/{number}"))
            except (ValueError, KeyError) as wrong:
                sys.exit(f"{finished} row {number}: {wrong}")


def components(bill: Bill, record: Record, batch: RecordBatch) -> Sequence[OutgoingRecord] | Rejection:
    """Return the lines for the topic `orders`, or why a record is no order of a finished good."""
    try:
        order = {"location": "main", **json.loads(record.value or b"")}
        lines = list(component_lines(bill, order, source_of(record, batch)))
        return [line_record(line, json.dumps(line, sort_keys=True).encode(), record, batch) for line in lines]
    except (ValueError, KeyError, TypeError, RecursionError) as wrong:
        reason = f"{excerpt(record.value or b'')} is no order of a finished good: {wrong!r}"
        return Rejection("orders", record.offset, Code.OUT_OF_RANGE, reason)


def main(form: str, bill_file: str, *places: str) -> None:
    """Split a file, or a topic until it is told to end or killed, at any moment."""
    bill = bill_of_materials(bill_file)
    if form == "file":
        split_file(bill, *places)
    else:
        serve(places[0], lambda _settings, _partitions: lambda record, batch: components(bill, record, batch))


if __name__ == "__main__":
    if len(sys.argv) != {"file": 5, "topic": 4}.get(sys.argv[1] if sys.argv[1:] else ""):
        sys.exit(__doc__)
    main(*sys.argv[1:])
