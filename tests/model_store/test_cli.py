"""The command model-store: data on stdout, messages on stderr, exit codes, nothing heavy at import."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from model_store.cli.main import main
from model_store.versions import Versions
from tests.model_store.builders import lstm_draft, moving_average_draft


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "models")


def ran(versions: Versions, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--models", str(versions.root)])


def test_empty_store_lists_nothing_and_says_what_to_do(versions: Versions) -> None:
    result = ran(versions, "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "model-store train" in result.stderr


def test_list_marks_the_champion_and_shows_damage(versions: Versions) -> None:
    a, b = versions.publish(lstm_draft(1)), versions.publish(moving_average_draft())
    versions.promote(a, who="ana", why="first", at=1)
    (versions.root / b / "surplus").touch()
    text = ran(versions, "list").stdout.splitlines()
    assert text[0].startswith(f"* {a}  buckets of 86400 s  2010-12-12 to 2011-10-08")
    assert text[1].startswith(f"  {b}  damaged: ")
    rows = [json.loads(line) for line in ran(versions, "list", "--json").stdout.splitlines()]
    assert [(row["version"], row["champion"]) for row in rows] == [(a, True), (b, False)]
    assert rows[0]["metrics"]["spb_7"] == 0.437
    assert "surplus" in rows[1]["fault"]


def test_promote_and_rollback_move_the_champion_and_log_it(versions: Versions) -> None:
    a, b = versions.publish(lstm_draft(1)), versions.publish(lstm_draft(2))
    assert ran(versions, "promote", a, "--why", "first", "--who", "ana").exit_code == 0
    moved = json.loads(ran(versions, "promote", b, "--why", "gate passed", "--json").stdout)
    assert (moved["version"], moved["previous"], moved["sequence"]) == (b, a, 2)
    assert moved["at"].endswith("Z")
    assert moved["who"]
    assert ran(versions, "rollback", "--why", "bias").stdout == f"champion is {a}, before it {b}\n"
    assert versions.champion() == a
    shown = ran(versions, "show", a).stdout
    assert '"kind": "lstm"' in shown
    assert "promote by ana: first" in shown
    assert "rollback by" in shown
    assert json.loads(ran(versions, "show", a, "--json").stdout)["manifest"]["schema"] == 1


def test_verify_names_each_damaged_version_and_exits_1(versions: Versions) -> None:
    a, b = sorted([versions.publish(lstm_draft(1)), versions.publish(lstm_draft(2))])
    assert ran(versions, "verify").exit_code == 0
    (versions.root / b / "step.onnx").write_bytes(b"")
    result = ran(versions, "verify", "--json")
    assert result.exit_code == 1
    assert [json.loads(line)["sound"] for line in result.stdout.splitlines()] == [True, False]
    assert ran(versions, "verify", a).exit_code == 0
    assert ran(versions, "verify", "lstm-20111008-00000000").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["promote", "lstm-20111008-00000000", "--why", "x"], 1, "there is no version"),
        (["show", "nothing"], 1, "there is no version"),
        (["rollback", "--why", "x"], 1, "no earlier champion"),
        (["promote", "lstm-20111008-00000000"], 2, "--why"),
        (["rollback", "--why", "two\nlines"], 2, "printable"),
    ],
)
def test_failure_is_one_message_on_stderr(versions: Versions, arguments: list[str], code: int, message: str) -> None:
    versions.publish(moving_average_draft())
    result = ran(versions, *arguments)
    assert result.exit_code == code
    assert result.stdout == ""
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_directory_of_versions_comes_from_the_environment(versions: Versions) -> None:
    version = versions.publish(moving_average_draft())
    result = CliRunner().invoke(main, ["list", "--json"], env={"RESTOCK_MODELS": str(versions.root)})
    assert json.loads(result.stdout)["version"] == version


def test_listing_versions_loads_no_tensorflow_and_help_no_runtime_either(versions: Versions) -> None:
    versions.publish(lstm_draft())
    loaded = "import sys; from model_store.cli.main import main; main({}, standalone_mode=False); print(*sys.modules)"
    for arguments, absent in (
        (["promote", "--help"], {"onnxruntime", "tensorflow"}),
        (["list"], {"tensorflow", "keras"}),
    ):
        full = [*arguments, "--models", str(versions.root)] if arguments == ["list"] else arguments
        ended = subprocess.run(
            [sys.executable, "-c", loaded.format(full)],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
        assert not absent & set(ended.stdout.split()), absent
