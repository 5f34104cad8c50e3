"""`model-store report`: figures that can be counted by hand, and a page that loads nothing."""

import json
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result

from model_store.cli.main import main

MONDAY = datetime(2011, 1, 3, tzinfo=UTC)


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """Six weeks: a sells 4 a day but not on Sundays, b 10 each Monday, c once; POST is no goods."""
    rows: list[dict[str, Any]] = [{"sku": "c", "quantity": 7, "event_time": MONDAY}]
    for day in range(42):
        at = MONDAY + timedelta(days=day, hours=9)
        rows += [{"sku": "a", "quantity": 4, "event_time": at}] * (day % 7 != 6)
        rows += [{"sku": "b", "quantity": 10, "event_time": at}] * (day % 7 == 0)
    rows.append({"sku": "POST", "quantity": 1, "event_time": MONDAY})
    pl.DataFrame(rows).write_parquet(tmp_path / "orders.parquet")
    return tmp_path / "orders.parquet"


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["report", *arguments])


def test_figures_are_those_counted_by_hand(orders: Path) -> None:
    result = ran(str(orders), "--json")
    figures = json.loads(result.stdout)
    assert (figures["rows"], figures["keys"], figures["buckets"]) == (36 + 6 + 2, 3, 41)
    assert (figures["units"], figures["ordered_units"]) == (36 * 4 + 60 + 7, 36 * 4 + 60 + 8)
    assert figures["findings"]["no_stock"] == {
        "lines": 1,
        "units": 1,
        "keys": 1,
        "meaning": "left out: the code names no goods",
        "examples": ["main|POST 1 on 2011-01-03"],
    }
    assert figures["closed_weekdays"] == [6]
    assert figures["zero_share"] == pytest.approx(1 - 43 / 123, abs=1e-4)
    assert figures["patterns"] == {"smooth": 1, "erratic": 0, "intermittent": 2, "lumpy": 0, "never sold": 0}
    assert sum(figures["series"]) == figures["units"]
    assert figures["seasons"] == {"week": True, "year": False}


def test_missing_buckets_are_told_from_zero_ones(orders: Path, tmp_path: Path) -> None:
    facts = [("b", 2, None), ("b", 3, 0.0), ("b", 4, 0.5), ("nobody", 2, 0.0)]
    pl.DataFrame(
        [
            {"sku": sku, "bucket_start": MONDAY + timedelta(days=day), "available_fraction": fraction}
            for sku, day, fraction in facts
        ]
    ).write_parquet(tmp_path / "inventory.parquet")
    figures = json.loads(ran(str(orders), "--inventory", str(tmp_path / "inventory.parquet"), "--json").stdout)
    assert (figures["missing_buckets"], figures["censored_buckets"]) == (2, 1)
    assert figures["zero_share"] == pytest.approx(1 - 43 / 121, abs=1e-4)


def test_text_says_what_each_rule_did(orders: Path) -> None:
    text = ran(str(orders)).stdout
    assert "stock keys: 3: 1 smooth, 2 intermittent" in text
    assert "no_stock: 1 lines, 1 units, 1 keys – left out: the code names no goods" in text
    assert "weekdays without orders: Sun" in text


class Page(HTMLParser):
    """Tags that were opened, and every address in them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "xlink:href")]


def test_page_has_a_plot_for_each_figure_and_loads_nothing(orders: Path, tmp_path: Path) -> None:
    odd = tmp_path / "a<b>&.parquet"
    odd.write_bytes(orders.read_bytes())
    assert ran(str(odd), "--html", str(tmp_path / "report.html")).exit_code == 0
    text = (tmp_path / "report.html").read_text()
    page = Page(text)
    assert page.tags.count("svg") == 4 and page.tags.count("rect") == 7 + 10 and page.tags.count("polyline") == 2
    assert page.addresses == [] and "b" not in page.tags and "script" not in page.tags
    assert "a&lt;b&gt;&amp;.parquet" in text


def test_same_file_gives_the_same_page(orders: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert ran(str(orders), "--html", str(tmp_path / name)).exit_code == 0
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"sku": ["a"], "bucket_start": ["2011-01-03"]}, "no column available_fraction"),
        (
            {"sku": ["a"], "bucket_start": ["2011-01-03T05:00:00Z"], "available_fraction": ["0"]},
            "row 1: bucket_start is no edge",
        ),
        (
            {"sku": ["a", "a"], "bucket_start": ["2011-01-03", "2011-01-04"], "available_fraction": ["1", "1.5"]},
            "1 of 2 facts are wrong: row 2: available_fraction is '1.5', must be 0 to 1",
        ),
    ],
)
def test_wrong_facts_are_named(orders: Path, tmp_path: Path, facts: dict[str, list[str]], message: str) -> None:
    pl.DataFrame(facts).write_csv(tmp_path / "inventory.csv")
    result = ran(str(orders), "--inventory", str(tmp_path / "inventory.csv"))
    assert result.exit_code == 1
    assert message in result.stderr
