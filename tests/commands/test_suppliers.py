"""``restock suppliers``: files of terms are checked whole, written, and read back; and when there can be no buyer."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.commands.runs import refusal, run
from tests.e2e.cluster import Cluster

FILE = """supplier,minimum_order_value,budget,longest_wait_hours,below_minimum
ACME,500,20000.5,48,place
Zenith,,,24,refuse
"""


@pytest.fixture
def joint(product: Cluster) -> Cluster:
    """A product with joint orders, its topics created."""
    one = replace(product, environment={**product.environment, "RESTOCK_JOINT_ORDERS": "1"})
    assert "created" in run(one, "topics", "create", "--partitions", "3").stdout
    return one


def written(tmp_path: Path, text: str) -> str:
    file = tmp_path / "suppliers.csv"
    file.write_text(text)
    return str(file)


def test_terms_are_imported_exported_and_taken_back(joint: Cluster, tmp_path: Path) -> None:
    file = written(tmp_path, FILE)
    assert "2 suppliers are fine; nothing was written" in run(joint, "suppliers", "import", file, "--dry-run").stdout
    assert run(joint, "suppliers", "export", "-").stdout.count("\n") == 1
    assert "2 suppliers written" in run(joint, "suppliers", "import", file).stdout
    exported = run(joint, "suppliers", "export", "-").stdout
    assert exported.splitlines()[1:] == ["ACME,500,,20000.5,30,15,48,place", "Zenith,,,,30,15,24,refuse"]
    run(joint, "suppliers", "import", written(tmp_path, exported))
    assert run(joint, "suppliers", "export", "-").stdout == exported
    run(joint, "suppliers", "remove", "ACME")
    assert "ACME" not in run(joint, "suppliers", "export", "-").stdout


def test_word_of_short_supply_goes_to_the_partition_of_its_supplier(joint: Cluster) -> None:
    told = run(joint, "suppliers", "short", "ACME", "A", "--units", "24", "--until", "2099-01-01T00:00:00Z").stdout
    assert told == "ACME has 24 units of A until 2099-01-01T00:00:00Z\n"
    assert '"units":24' in run(joint, "tail", "proposals", "--from-beginning", "--no-follow").stdout
    assert "RFC 3339" in refusal(joint, "suppliers", "short", "ACME", "A", "--units", "24", "--until", "soon")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("supplier,minimum\nACME,5\n", "has a column 'minimum'"),
        ("supplier,budget\nACME,-5\nZenith,x\n", "2 of 2 rows"),
        (
            "supplier,budget,minimum_order_value\nACME,5,6\n",
            "row 1: out_of_range: the terms of supplier ACME contradict",
        ),
        ("supplier\nACME\nACME\n", "row 2: supplier ACME is in row 1 already"),
        ("supplier\nACME,5\n", "row 1 has more cells than columns"),
    ],
)
def test_a_wrong_file_is_refused_whole_with_its_rows(joint: Cluster, tmp_path: Path, text: str, told: str) -> None:
    assert told in refusal(joint, "suppliers", "import", written(tmp_path, text))
    assert run(joint, "suppliers", "export", "-").stdout.count("\n") == 1


def test_a_buyer_without_joint_orders_says_which_setting_is_missing(product: Cluster) -> None:
    assert "RESTOCK_JOINT_ORDERS=false" in refusal(product, "buyer")


def test_a_buyer_without_its_topics_ends_with_the_command_that_creates_them(product: Cluster) -> None:
    one = replace(product, environment={**product.environment, "RESTOCK_JOINT_ORDERS": "1"})
    assert "topics create` with RESTOCK_JOINT_ORDERS=1" in refusal(one, "buyer")
