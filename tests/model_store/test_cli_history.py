"""`model-store diff` and `promotions`: what changed, and who decided it when."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from model_store.cli.main import main
from model_store.versions import Versions
from tests.model_store.builders import lstm_draft, moving_average_draft

DAY = 86_400_000
AT = 1_767_225_600_000  # 2026-01-01


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "models")


def ran(versions: Versions, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--models", str(versions.root)])


def test_diff_names_the_fields_that_differ_and_no_others(versions: Versions) -> None:
    old, new = versions.publish(lstm_draft(1)), versions.publish(lstm_draft(2))
    rows = [json.loads(line) for line in ran(versions, "diff", old, new, "--json").stdout.splitlines()]
    fields = {row["field"]: (row["old"], row["new"]) for row in rows}
    assert fields.pop("metrics.seed") == (1.0, 2.0)
    assert set(fields) <= {
        f"files.{name}.{part}" for name in ("step.onnx", "self_test.json") for part in ("sha256", "size_bytes")
    }
    assert "files.step.onnx.sha256" in fields
    assert "metrics.seed: 1.0 -> 2.0  (+100.0 %)" in ran(versions, "diff", old, new).stdout
    assert ran(versions, "diff", old, old).stdout == ""


def test_diff_of_kinds_shows_what_one_has_and_the_other_has_not(versions: Versions) -> None:
    old, new = versions.publish(moving_average_draft()), versions.publish(lstm_draft())
    text = ran(versions, "diff", old, new).stdout
    assert 'spec.kind: "moving_average" -> "lstm"' in text
    assert "spec.parameters.window_buckets: 28.0 -> none" in text
    missing = ran(versions, "diff", old, "lstm-20111008-00000000")
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "there is no version" in missing.stderr


def test_log_as_of_an_instant_ends_with_the_champion_of_that_time(versions: Versions) -> None:
    one, two = versions.publish(lstm_draft(1)), versions.publish(lstm_draft(2))
    versions.promote(one, who="ana", why="first", at=AT)
    versions.promote(two, who="ben", why="sharper", at=AT + 2 * DAY)
    versions.rollback(who="ana", why="biased", at=AT + 4 * DAY)
    lines = ran(versions, "promotions").stdout.splitlines()
    assert [line.split("  ")[1] for line in lines] == [one, two, one]
    assert lines[1] == f"2026-01-03T00:00:00.000Z  {two}  promote by ben: sharper"
    then = [
        json.loads(line) for line in ran(versions, "promotions", "--as-of", "2026-01-03", "--json").stdout.splitlines()
    ]
    assert (then[-1]["version"], then[-1]["why"], len(then)) == (two, "sharper", 2)
    before = ran(versions, "promotions", "--as-of", "2026-01-02T23:59:59Z").stdout.splitlines()
    assert len(before) == 1


def test_log_before_the_first_promotion_is_empty_and_says_what_serves(versions: Versions) -> None:
    result = ran(versions, "promotions", "--as-of", "2026-01-01")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing was promoted" in result.stderr and "the starter serves" in result.stderr
