"""Writes the contracts: ``make contracts``. A test compares what is committed with what the code gives."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from stream_app.contracts import inputs, joint, outputs
from stream_app.contracts.asyncapi import document
from stream_app.contracts.recorder import Schema

DRAFT = "http://json-schema.org/draft-07/schema#"


def schemas() -> Mapping[str, Schema]:
    """Return the schema of each topic by role."""
    found = {
        "orders": inputs.orders(),
        "inventory": inputs.inventory_events(),
        "catalog": inputs.terms(),
        "signals": inputs.signals(),
        "restock": outputs.restock(),
        "demand": outputs.demand(),
        "suppliers": joint.suppliers(),
        "proposals": joint.proposals(),
        "joint-orders": joint.joint_orders(),
    }
    return {role: {"$schema": DRAFT, "$id": f"urn:restock:schema:{role}", **schema} for role, schema in found.items()}


def contents() -> Mapping[str, str]:
    """Return every file by name."""
    files: dict[str, Schema] = {f"{role}.schema.json": schema for role, schema in schemas().items()}
    return {
        name: json.dumps(content, indent=2) + "\n" for name, content in {**files, "asyncapi.json": document()}.items()
    }


def main(folder: Path) -> None:
    """Write all files into a folder."""
    for name, content in contents().items():
        (folder / name).write_text(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
