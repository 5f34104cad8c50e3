"""Successors: what a predecessor sold is expected of them; wrong rows by number; the old key names the new one."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from stream_app.cli.catalog import CatalogRefused
from stream_app.cli.main import cli
from tests.explain.test_silence import applied, explained, prefix, sold, terms
from tests.stream.shop import record

__all__ = ["prefix"]


def dry_run(path: Path, text: str, *words: str) -> tuple[list[str], BaseException | None]:
    path.write_text(text)
    result = CliRunner().invoke(cli, ["catalog", "import", str(path), "--dry-run", *words])
    return result.stdout.splitlines(), result.exception


@pytest.mark.usefixtures("prefix")
def test_a_successor_is_expected_to_sell_what_its_predecessor_sold(redis_url: str, prefix: str, tmp_path: Path) -> None:
    applied(redis_url, prefix, sold())
    path = tmp_path / "catalog.csv"
    # ten units a day for ten days; C replaces B, which never sold and replaces A
    text = "sku,successor_of,expected_daily_units\nB,A,\nC,B,\nD,A,2.5\n"
    lines, failure = dry_run(path, text)
    assert failure is None
    assert lines[0].startswith("main|B  expected_daily_units 10: what its predecessor main|A sold a day")
    assert lines[1].startswith("main|C  expected_daily_units 10: what its predecessor main|B sold a day")
    assert lines[2] == "3 stock keys are fine; nothing was written (--dry-run)"
    told = json.loads(dry_run(path, text, "--json")[0][0])
    assert [(one["key"], one["expected_daily_units"]) for one in told["successors"]] == [("main|B", 10), ("main|C", 10)]


def test_circles_strangers_and_keys_that_replace_themselves_are_refused_by_row(
    redis_url: str, prefix: str, tmp_path: Path
) -> None:
    applied(redis_url, prefix, sold())
    path = tmp_path / "catalog.csv"
    _, failure = dry_run(path, "sku,successor_of\nE,F\nF,E\nG,Z\nB,A\n")
    assert isinstance(failure, CatalogRefused)
    assert str(failure).splitlines() == [
        f"3 of 4 rows of {path} are wrong; nothing was written:",
        "    row 1: out_of_range: successor_of: main|E replaces main|F replaces main|E: a circle",
        "    row 2: out_of_range: successor_of: main|F replaces main|E replaces main|F: a circle",
        "    row 3: out_of_range: successor_of: main|Z is neither in the state nor in this file: correct it, or leave "
        "it out",
    ]
    _, failure = dry_run(path, "sku,successor_of\nA,A\n")
    assert 'row 1: out_of_range: successor_of is "A", must be another SKU than its own' in str(failure)
    _, failure = dry_run(path, "sku,successor_of\nB,A\nC,D\nD,\n")
    assert "row 2: out_of_range: successor_of: main|D has neither sold anything nor an expected_daily_units" in str(
        failure
    )


def test_days_that_no_bucket_serves_are_refused_by_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTOCK_BUCKET_SECONDS", str(7 * 86_400))
    _, failure = dry_run(tmp_path / "catalog.csv", 'sku,order_days\nA,mon\nB,"tue,thu"\n')
    assert str(failure).splitlines()[1] == (
        "    row 2: out_of_range: order_days: the supplier takes orders on tue,thu, and no bucket of 168 h ends on "
        "such a day"
    )


def test_a_discontinued_key_names_its_successor(redis_url: str, prefix: str) -> None:
    applied(redis_url, prefix, sold(), catalog=[*terms(active=False), record(1, "B", successor_of="A")])
    told = explained()
    assert told["why"] == "inactive"
    assert told["sentences"][-1].endswith("nothing is requested for it. Its successor is B.")


def test_an_order_waits_for_the_day_and_a_rounded_one_for_a_pack(redis_url: str, prefix: str) -> None:
    applied(redis_url, prefix, sold(), catalog=terms(order_days="mon,thu", rounding="down_to_max"), decide_from=0)
    assert explained()["why"] in ("enough", "not_reviewed_yet")
