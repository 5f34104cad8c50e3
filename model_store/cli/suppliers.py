"""Where the trainer learns what suppliers take: requests and receipts, of topics or of files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

if TYPE_CHECKING:
    from model_store.lead_times import LeadTimePriors
    from model_store.training.history import DemandHistory
    from model_store.training.progress import Reporter

_decode = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True, slots=True)
class SupplierSource:
    """Topics of a product, or two files; neither = suppliers are taken at the catalog's word.

    Raises:
        click.UsageError: If only one file is named, or topics without Kafka.
    """

    is_wanted: bool
    restocks: Path | None
    inventory: Path | None
    kafka: str | None
    topic_prefix: str

    def __post_init__(self) -> None:
        if (self.restocks is None) != (self.inventory is None):
            raise click.UsageError("--restocks and --inventory go together: requests, and what came of them")
        if self.is_wanted and self.restocks is None and self.kafka is None:
            raise click.UsageError("--lead-times reads topics: name --kafka HOST:PORT, or --restocks and --inventory")

    def lead_times(self, history: "DemandHistory", reporter: "Reporter") -> "LeadTimePriors | None":
        """Return what suppliers took before the history's end; None if nobody wants to know, or nothing came.

        Raises:
            UnusableHistory: If a topic or file cannot be read.
        """
        if not self.is_wanted and self.restocks is None:
            return None
        from model_store.training.deliveries import lead_time_priors, told

        requests, events = (
            self._read("restock", self.restocks, reporter),
            self._read("inventory", self.inventory, reporter),
        )
        made = told(requests, events, history.width, history.end_at)
        priors = lead_time_priors(made.found)
        suppliers = 0 if priors is None else len(priors.suppliers)
        reporter.say(f"{len(made.found)} deliveries of {suppliers} suppliers; {made.unreadable} records not understood")
        return priors

    def _read(self, role: str, file: Path | None, reporter: "Reporter") -> Iterator[dict[str, Any]]:
        if file is not None:
            from model_store.training.orders_file import read_frame

            reporter.stage(f"reading {file.name}")
            yield from read_frame(file).iter_rows(named=True)
            return
        from model_store.training.demand_reader import new_records

        topic = self.topic_prefix + role
        for record in new_records(self.kafka or "", topic, {}, reporter.stage(f"reading {topic}")):
            try:
                yield _decode(record.value)
            except (ValueError, RecursionError):
                yield {}
