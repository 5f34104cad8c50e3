"""Perishable capacity as a catalog: the commands of its page give the numbers that its page has by hand."""

import csv
import json
from math import ceil, sqrt
from pathlib import Path
from statistics import NormalDist

import pytest

from tests.examples.runs import copied, run_commands, table


def test_the_example_gives_the_numbers_of_its_page(tmp_path: Path) -> None:
    folder = copied("transport_capacity", tmp_path)
    run_commands(folder, 0)
    lanes = table(folder, "lane")
    runs = {run["policy"]: run for run in json.loads((folder / "figures.json").read_text())["runs"]}
    assert runs["catalog"]["cost"]["total"] == sum(int(row["28 days"]) for row in lanes.values()) == 14_420
    assert runs["RS:service=0.5,kind=cycle"]["cost"]["total"] == 18_200
    with (folder / "decisions.csv").open() as rows:
        asked = [(row["sku"], row["quantity"]) for row in csv.DictReader(rows) if row["policy"] == "catalog"]
    assert sorted(asked) == sorted((lane, row["Q"]) for lane, row in lanes.items() for _ in range(28))


def test_the_numbers_of_the_page_follow_from_its_formula() -> None:
    folder = Path(__file__).parents[2] / "examples/transport_capacity"
    with (folder / "catalog.csv").open() as rows:
        terms = {row["sku"]: row for row in csv.DictReader(rows)}
    for lane, row in table(folder, "lane").items():
        price, cost, salvage = (float(row[name]) for name in "pcs")
        ratio = (price - cost) / (price - salvage)
        assert ratio == pytest.approx(float(row["ratio"]))
        assert float(terms[lane]["shortage_cost_per_unit"]) == price - cost
        assert float(terms[lane]["holding_cost_per_unit_day"]) == cost - salvage
        places = ceil(round(50 + NormalDist().inv_cdf(ratio) * sqrt(28 * 100 / 27), 6))
        assert str(places) == row["Q"]
        days = 14 * ((places - 40) * (cost - salvage) + (60 - places) * (price - cost))
        assert days == float(row["28 days"])
