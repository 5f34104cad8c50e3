"""Who forecasts: champion, starter, moving average; and what happens when a version is damaged."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from model_store.starter import starter_directory
from model_store.versions import Versions
from replenishment.buckets import BucketWidth
from replenishment.engine.plan import Plan
from stream_app import swap
from stream_app.errors import ConfigError
from stream_app.swap import ChampionFollower, Failure, Served, source_of
from tests.model_store.builders import moving_average_draft

PLAN = Plan()
HOURLY = Plan(width=BucketWidth(3_600))


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "models")


@pytest.fixture
def without_starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swap, "starter_directory", lambda: tmp_path / "nothing")


def promoted(versions: Versions, window_buckets: int = 28) -> str:
    version = versions.publish(moving_average_draft(window_buckets))
    versions.promote(version, who="test", why="test", at=0)
    return version


def following(versions: Versions, plan: Plan = PLAN) -> tuple[ChampionFollower, list[Failure]]:
    failures: list[Failure] = []
    return ChampionFollower(versions, plan, failures.append), failures


def named(served: Served | None) -> tuple[str, str] | None:
    return None if served is None else (served[0].version, served[1])


def test_the_promoted_version_serves(versions: Versions) -> None:
    version = promoted(versions)
    follower, failures = following(versions)
    assert named(follower.champion()) == (version, "champion")
    assert not failures


def test_before_anything_is_promoted_the_packaged_starter_serves(versions: Versions) -> None:
    follower, failures = following(versions)
    forecaster, rung = follower.champion()
    assert rung == "starter"
    assert json.loads((starter_directory() / "manifest.json").read_bytes())["spec"]["kind"] in forecaster.version
    assert named(follower.of_version(forecaster.version)) == (forecaster.version, "starter")
    assert not failures


@pytest.mark.usefixtures("without_starter")
def test_without_a_starter_a_moving_average_serves_under_a_stable_name(versions: Versions) -> None:
    follower, failures = following(versions)
    assert named(follower.champion()) == ("moving_average_28", "moving_average")
    assert named(follower.of_version("moving_average_28")) == ("moving_average_28", "moving_average")
    assert [one.version for one in failures] == ["starter"]


def test_for_another_bucket_width_nothing_that_was_trained_serves(versions: Versions) -> None:
    promoted(versions)
    follower, failures = following(versions, HOURLY)
    assert named(follower.champion()) == ("moving_average_28", "moving_average")
    assert all("buckets of 86400 s" in one.reason for one in failures)


def test_a_window_shorter_than_the_fallback_needs_is_served_by_a_shorter_one(versions: Versions) -> None:
    follower, _ = following(versions, Plan(width=BucketWidth(3_600), window_buckets=12))
    assert named(follower.champion()) == ("moving_average_12", "moving_average")


def test_a_promotion_is_seen_at_the_next_look_and_only_once(versions: Versions) -> None:
    first = promoted(versions)
    follower, _ = following(versions)
    assert follower.look()
    assert not follower.look()
    second = promoted(versions, 14)
    assert named(follower.champion()) == (first, "champion")
    assert follower.look()
    assert named(follower.champion()) == (second, "champion")
    assert not follower.look()
    assert named(follower.of_version(first)) == (first, "champion")


def test_a_rollback_is_a_promotion_of_the_version_before(versions: Versions) -> None:
    first, _ = promoted(versions), promoted(versions, 14)
    follower, _ = following(versions)
    follower.look()
    versions.rollback(who="test", why="test", at=1)
    assert follower.look()
    assert named(follower.champion()) == (first, "champion")


def flip_a_byte(versions: Versions, version: str) -> None:
    path = versions.root / version / "self_test.json"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))


def remove(versions: Versions, version: str) -> None:
    shutil.rmtree(versions.root / version)


def scribble(versions: Versions, version: str) -> None:
    (versions.root / "champion").write_text("{")


@pytest.mark.parametrize("damage", [flip_a_byte, remove, scribble])
def test_the_old_champion_stays_whatever_is_wrong_with_the_new_one(
    versions: Versions, damage: Callable[[Versions, str], None]
) -> None:
    first = promoted(versions)
    follower, failures = following(versions)
    follower.look()
    second = promoted(versions, 14)
    damage(versions, second)
    for _ in range(3):
        assert not follower.look()
    assert named(follower.champion()) == (first, "champion")
    assert len(failures) == 1
    versions.promote(first, who="test", why="mended", at=2)
    assert not follower.look()
    third = promoted(versions, 21)
    assert follower.look()
    assert named(follower.champion()) == (third, "champion")


def test_a_damaged_champion_at_the_start_falls_back_and_comes_up_once_it_is_mended(versions: Versions) -> None:
    version = promoted(versions)
    kept = versions.root / "kept"
    (versions.root / version).rename(kept)
    follower, failures = following(versions)
    assert named(follower.champion()) != (version, "champion")
    assert [one.version for one in failures] == [version]
    kept.rename(versions.root / version)
    assert follower.look()
    assert named(follower.champion()) == (version, "champion")


def test_a_version_that_is_gone_is_not_found(versions: Versions) -> None:
    version = promoted(versions)
    remove(versions, version)
    follower, _ = following(versions)
    assert follower.of_version(version) is None
    assert follower.of_version("../../etc") is None


def test_more_versions_than_are_kept_can_be_asked_for(versions: Versions) -> None:
    published = [versions.publish(moving_average_draft(window)) for window in range(10, 20)]
    follower, _ = following(versions)
    for version in published * 2:
        assert named(follower.of_version(version)) == (version, "champion")


def test_a_user_may_choose_by_name(versions: Versions) -> None:
    version = promoted(versions)
    assert named(source_of(version, versions.root, PLAN).champion()) == (version, "champion")
    assert named(source_of(None, versions.root, PLAN).champion()) == (version, "champion")
    starter = source_of("starter", versions.root, PLAN)
    assert starter.champion()[1] == "starter"
    assert starter.of_version(version) is None
    chosen = source_of("moving_average", versions.root, PLAN).champion()
    assert named(chosen) == ("moving_average_28", "moving_average")
    assert named(source_of("moving_average", versions.root, PLAN).of_version("moving_average_28")) == named(chosen)
    with pytest.raises(ConfigError, match="--model nothing: there is no version"):
        source_of("nothing", versions.root, PLAN)
