"""Writes dashboards and rules: ``make dashboards``. A test compares what is committed with what the code gives."""

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from deploy.observability.dashboards import ALL
from deploy.observability.grafana import rendered
from deploy.observability.rules import document

DEPLOY = Path(__file__).parents[1]
NOTE = "# Written by `make dashboards` from deploy/observability/rules.py.\n"


def contents() -> Mapping[str, str]:
    """Return every file by its path below ``deploy``."""
    files = {f"grafana/dashboards/{one.name}.json": json.dumps(rendered(one, ALL), indent=2) + "\n" for one in ALL}
    rules = yaml.safe_dump(document(), sort_keys=False, width=110, allow_unicode=True)
    return {**files, "prometheus/rules.yml": NOTE + rules}


def main() -> None:
    """Write all files."""
    for name, content in contents().items():
        (DEPLOY / name).write_text(content)


if __name__ == "__main__":
    main()
