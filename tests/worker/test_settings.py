"""Settings: every wrong one is named at once, secrets stay in their files, the reference page is true."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from stream_app.cli.config import config
from stream_app.errors import ConfigError
from stream_app.server_settings import variable
from stream_app.settings import Settings, load_settings, shown

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("RESTOCK_"):
            monkeypatch.delenv(name)


def test_all_wrong_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTOCK_BUCKETS_SECONDS", "60")
    monkeypatch.setenv("RESTOCK_BUCKET_SECONDS", "59")
    monkeypatch.setenv("RESTOCK_KAFKA", "broker")
    monkeypatch.setenv("RESTOCK_DECIDE_FROM", "2026-01-31")
    with pytest.raises(ConfigError) as wrong:
        load_settings()
    assert len(wrong.value.problems) == 4
    for name in ("RESTOCK_BUCKETS_SECONDS", "RESTOCK_BUCKET_SECONDS", "RESTOCK_KAFKA", "RESTOCK_DECIDE_FROM"):
        assert any(problem.startswith(name) for problem in wrong.value.problems)


def test_settings_that_do_not_fit_together_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTOCK_ALLOWED_LATENESS_SECONDS", str(200 * 86_400))
    with pytest.raises(ConfigError, match="more than the window of 112"):
        load_settings()


def test_the_cache_directory_is_no_unknown_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTOCK_CACHE", "/somewhere")
    assert load_settings() == Settings()


def test_the_password_comes_from_its_file_and_is_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("pa/ss@word\nnot this\n")
    monkeypatch.setenv("RESTOCK_REDIS_PASSWORD_FILE", str(secret))
    monkeypatch.setenv("RESTOCK_REDIS_URL", "redis://worker@cache.example:6380/2")
    assert load_settings().redis_address() == "redis://worker:pa%2Fss%40word@cache.example:6380/2"
    assert "word@" not in CliRunner().invoke(config, ["--json"]).output


def test_a_password_in_the_address_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTOCK_REDIS_URL", "redis://:hunter2@cache.example/0")
    with pytest.raises(ConfigError, match="RESTOCK_REDIS_PASSWORD_FILE") as wrong:
        load_settings()
    assert "hunter2" not in str(wrong.value)


def test_deciding_begins_at_an_instant_of_any_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTOCK_DECIDE_FROM", "2011-11-10T01:00:00+01:00")
    assert load_settings().decide_from_at == 1_320_883_200_000


def test_config_tells_values_from_the_environment_from_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTOCK_TICK_SECONDS", "0")
    lines = CliRunner().invoke(config, []).output.splitlines()
    words = {line.split()[0]: line.split()[1:] for line in lines}
    assert words["RESTOCK_TICK_SECONDS"] == ["0", "environment"]
    assert words["RESTOCK_GROUP"] == ["restock", "default"]


@given(st.sampled_from(sorted(Settings.model_fields)))
def test_a_default_reads_back_as_itself(name: str) -> None:
    value = getattr(Settings(), name)
    if value is not None and shown(value):
        assert getattr(Settings.model_validate({name: shown(value)}), name) == value


def test_the_reference_page_lists_every_setting_as_it_is() -> None:
    rows = [line for line in REFERENCE.read_text().splitlines() if line.startswith("| `RESTOCK_")]
    expected = [
        f"| `{variable(name)}` | {f'`{shown(field.default)}`' if shown(field.default) else ''} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    assert rows == expected
