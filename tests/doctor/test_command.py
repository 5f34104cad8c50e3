"""``restock doctor`` as a command: settings, models, codecs, exit codes, JSON, and how long it takes."""

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from model_store.versions import Versions
from stream_app.doctor.finding import Finding, Level
from stream_app.doctor.models_check import model_findings
from stream_app.settings import Settings
from tests.doctor.surroundings import make_topics, settings_of, silent_socket, unwell
from tests.e2e.cluster import RESTOCK, Cluster, cluster
from tests.model_store.builders import lstm_draft, moving_average_draft

BY = {"who": "test", "why": "test"}


def run(made: Cluster, **changes: str) -> tuple[int, dict[str, Any]]:
    """Return the exit code and the JSON of the doctor."""
    done = subprocess.run(
        [*RESTOCK, "doctor", "--json"],
        env={**made.environment, **changes},
        capture_output=True,
        timeout=30,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def test_a_product_that_can_run_gives_0_and_says_so(
    tmp_path: Path, kafka_bootstrap: str, redis_url: str, unique_name: str
) -> None:
    make_topics(settings_of(kafka_bootstrap, redis_url, unique_name, tmp_path))
    with cluster(tmp_path, kafka_bootstrap, redis_url, unique_name) as made:
        code, report = run(made)
        text = made.run("doctor")
    assert code == 0
    assert (report["problems"], report["warnings"]) == (0, 0)
    assert report["ok"] == len(report["findings"]) == len(text.splitlines())
    assert {one["check"] for one in report["findings"]} >= {"settings", "kafka.listener", "topics", "redis", "models"}


def test_servers_that_are_away_are_all_named_within_5_seconds(tmp_path: Path, unique_name: str) -> None:
    with (
        silent_socket() as port,
        cluster(tmp_path, f"127.0.0.1:{port}", f"redis://127.0.0.1:{port}/0", unique_name) as made,
    ):
        begun = time.monotonic()
        code, report = run(made)
        seconds = time.monotonic() - begun
    assert code == 1 and seconds < 5
    problems = {one["check"] for one in report["findings"] if one["level"] == "problem"}
    assert problems == {"kafka.bootstrap", "redis.answer"}


def test_unknown_settings_are_problems_and_the_rest_is_examined(tmp_path: Path, unique_name: str) -> None:
    with cluster(tmp_path, "127.0.0.1:9", "redis://127.0.0.1:9/0", unique_name) as made:
        code, report = run(made, RESTOCK_WINDOW_BUKETS="3")
    assert code == 1
    assert any("RESTOCK_WINDOW_BUKETS is not a setting" in one["what"] for one in report["findings"])
    assert any(one["check"] == "kafka.bootstrap" for one in report["findings"])


def test_wrong_settings_are_all_named_and_nothing_else_is_guessed(tmp_path: Path, unique_name: str) -> None:
    with cluster(tmp_path, "127.0.0.1:9", "redis://127.0.0.1:9/0", unique_name) as made:
        code, report = run(made, RESTOCK_WINDOW_BUCKETS="0", RESTOCK_KAFKA="broker")
    assert code == 1
    assert {one["check"] for one in report["findings"]} == {"settings"}
    told = " ".join(one["what"] for one in report["findings"])
    assert "RESTOCK_WINDOW_BUCKETS=0" in told and "RESTOCK_KAFKA=broker" in told


def test_an_installation_without_codecs_is_found(tmp_path: Path, unique_name: str) -> None:
    # a module of that name that cannot be imported comes before the installed one
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    (shadow / "cramjam.py").write_text("raise ImportError('not installed')\n")
    with cluster(tmp_path, "127.0.0.1:9", "redis://127.0.0.1:9/0", unique_name) as made:
        _, report = run(made, PYTHONPATH=str(shadow))
    (found,) = [one for one in report["findings"] if one["check"] == "codecs"]
    assert found["level"] == "problem" and "lz4, snappy, zstd" in found["what"]


@pytest.fixture
def settings(tmp_path: Path, unique_name: str) -> Settings:
    return settings_of("127.0.0.1:9", "redis://127.0.0.1:9/0", unique_name, tmp_path / "models")


def told(settings: Settings) -> list[Finding]:
    return list(unwell(model_findings(settings)))


def test_without_a_champion_the_starter_serves_and_that_is_well(settings: Settings) -> None:
    (found,) = model_findings(settings)
    assert found.level is Level.OK and "starter" in found.what


def test_buckets_that_no_version_fits_are_a_warning(settings: Settings) -> None:
    (found,) = told(settings.model_copy(update={"bucket_seconds": 3_600}))
    assert (
        found.level is Level.WARNING and "RESTOCK_BUCKET_SECONDS=3600" in found.what and "moving average" in found.what
    )


def test_a_damaged_champion_is_a_problem_and_another_damaged_version_a_warning(settings: Settings) -> None:
    versions = Versions(settings.models)
    champion, other = versions.publish(lstm_draft()), versions.publish(moving_average_draft())
    versions.promote(champion, **BY, at=1)
    assert told(settings) == []
    for version in (champion, other):
        manifest = settings.models / version / "manifest.json"
        manifest.chmod(0o644)
        manifest.write_bytes(manifest.read_bytes().replace(b"sha256", b"sha257", 1) + b" ")
    by_level = {one.level: one for one in told(settings)}
    assert champion in by_level[Level.PROBLEM].what and "model-store" in by_level[Level.PROBLEM].mend
    assert other in by_level[Level.WARNING].what


def test_a_pointer_that_does_not_decode_is_a_problem(settings: Settings) -> None:
    settings.models.mkdir()
    (settings.models / "champion").write_text("{")
    (found,) = told(settings)
    assert found.level is Level.PROBLEM and "champion" in found.what


def test_the_reference_lists_exactly_the_checks_there_are() -> None:
    root = Path(__file__).parents[2]
    listed = set(re.findall(r"^\| `([a-z.]+)` \|", (root / "docs/reference/doctor.md").read_text(), re.MULTILINE))
    source = "".join(file.read_text() for file in (root / "stream_app/doctor").glob("*_check.py"))
    assert listed == set(re.findall(r'\b(?:fine|warning|problem)\(\s*"([a-z.]+)"', source))
