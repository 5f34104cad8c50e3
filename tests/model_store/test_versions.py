"""Publish, promote, roll back: what readers see at every instant, also of a crash."""

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from model_store.errors import ArtifactCorrupt, ModelStoreError, PublishRefused, VersionNotFound
from model_store.versions import Versions
from tests.model_store.builders import lstm_draft, moving_average_draft

BY = {"who": "ana", "why": "better on November"}


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "models")


def published(versions: Versions, count: int) -> list[str]:
    return [versions.publish(moving_average_draft(20 + n)) for n in range(count)]


def test_store_that_does_not_exist_has_no_versions_and_no_champion(versions: Versions) -> None:
    assert (versions.ids(), versions.champion(), versions.previous(), versions.promotions()) == ((), None, None, ())
    with pytest.raises(VersionNotFound):
        versions.promote("lstm-20111008-00000000", **BY, at=1)


def test_publishing_makes_a_version_exist_and_promotes_nothing(versions: Versions) -> None:
    version = versions.publish(lstm_draft())
    assert versions.ids() == (version,)
    assert versions.champion() is None
    assert versions.read(version).forecaster().version == version


def test_publishing_twice_is_one_version(versions: Versions) -> None:
    assert versions.publish(lstm_draft()) == versions.publish(lstm_draft())
    assert len(versions.ids()) == 1


def test_refused_draft_leaves_nothing_behind(versions: Versions) -> None:
    with pytest.raises(PublishRefused):
        versions.publish(replace(lstm_draft(), files={"step.onnx": b"no graph"}))
    assert {entry.name for entry in versions.root.iterdir()} == {".lock"}


def test_promotion_is_logged_with_who_when_why_and_what_was_before(versions: Versions) -> None:
    first, second = published(versions, 2)
    versions.promote(first, who="ana", why="first", at=1_000)
    moved = versions.promote(second, who="bo", why="gate passed", at=2_000)
    assert versions.champion() == second
    assert (moved.sequence, moved.previous, moved.who, moved.why, moved.at) == (2, first, "bo", "gate passed", 2_000)
    assert [one.version for one in versions.promotions()] == [first, second]


def test_promoting_the_champion_again_changes_nothing(versions: Versions) -> None:
    (only,) = published(versions, 1)
    first = versions.promote(only, **BY, at=1)
    assert versions.promote(only, **BY, at=2) == first
    assert len(versions.promotions()) == 1


def test_rollback_goes_back_step_by_step_and_at_last_to_the_starter(versions: Versions) -> None:
    a, b, c = published(versions, 3)
    for at, version in enumerate((a, b, c)):
        versions.promote(version, **BY, at=at)
    assert versions.previous() == b
    assert versions.rollback(**BY, at=3).version == b == versions.champion()
    assert versions.rollback(**BY, at=4).version == a == versions.champion()
    assert versions.rollback(**BY, at=5).version is None
    assert versions.champion() is None
    with pytest.raises(VersionNotFound, match="no earlier champion"):
        versions.rollback(**BY, at=6)
    versions.promote(a, **BY, at=7)
    versions.promote(c, **BY, at=8)
    assert versions.rollback(**BY, at=9).version == a
    assert [one.action for one in versions.promotions()] == (
        ["promote"] * 3 + ["rollback"] * 3 + ["promote", "promote", "rollback"]
    )


@pytest.mark.parametrize(
    "version", ["", "..", "../models", "champion", "lstm-20111008-0000000g", "a/b", "lstm-20111008-00000000"]
)
def test_id_that_is_none_or_not_published_is_not_found(versions: Versions, version: str) -> None:
    published(versions, 1)
    with pytest.raises(VersionNotFound, match="model-store list"):
        versions.read(version)


def test_damaged_version_is_not_promoted_and_the_champion_stays(versions: Versions) -> None:
    a, b = published(versions, 2)
    versions.promote(a, **BY, at=1)
    (versions.root / b / "extra").write_bytes(b"")
    with pytest.raises(ArtifactCorrupt, match="extra") as error:
        versions.promote(b, **BY, at=2)
    assert error.value.__notes__ == [f"The champion stays {a}."]
    assert versions.champion() == a
    assert len(versions.promotions()) == 1


def test_version_under_the_name_of_another_is_refused(versions: Versions) -> None:
    a, b = published(versions, 2)
    (versions.root / a / "manifest.json").replace(versions.root / b / "manifest.json")
    (versions.root / a / "self_test.json").replace(versions.root / b / "self_test.json")
    with pytest.raises(ArtifactCorrupt, match=f"holds version {a}"):
        versions.read(b)


@pytest.mark.parametrize("raw", [b"", b"lstm", b"{}", b'{"version":"../x"}', b"\xff" * 9000, b"[" * 8000])
def test_damaged_pointer_is_refused_and_mended_by_promoting(versions: Versions, raw: bytes) -> None:
    a, b = published(versions, 2)
    versions.promote(a, **BY, at=1)
    (versions.root / "champion").write_bytes(raw)
    with pytest.raises(ArtifactCorrupt, match="champion"):
        versions.champion()
    moved = versions.promote(b, **BY, at=2)
    assert versions.champion() == b
    assert (moved.sequence, moved.previous) == (2, a)


def test_pointer_that_is_a_link_is_refused(versions: Versions, tmp_path: Path) -> None:
    (a,) = published(versions, 1)
    versions.promote(a, **BY, at=1)
    (versions.root / "champion").rename(tmp_path / "elsewhere")
    (versions.root / "champion").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtifactCorrupt, match="is a link"):
        versions.champion()


def test_log_with_a_torn_last_line_is_mended_by_the_next_promotion(versions: Versions) -> None:
    a, b, c = published(versions, 3)
    for at, version in enumerate((a, b)):
        versions.promote(version, **BY, at=at)
    log = versions.root / "promotions.ndjson"
    os.truncate(log, log.stat().st_size - 20)
    assert [one.version for one in versions.promotions()] == [a, b]
    versions.promote(c, **BY, at=2)
    assert [one.sequence for one in versions.promotions()] == [1, 2, 3]
    assert log.read_bytes().count(b"\n") == 3


def test_log_that_lost_a_line_is_refused_by_name(versions: Versions) -> None:
    for at, version in enumerate(published(versions, 3)):
        versions.promote(version, **BY, at=at)
    log = versions.root / "promotions.ndjson"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(lines[0] + lines[2])
    with pytest.raises(ArtifactCorrupt, match="lost lines"):
        versions.promotions()


@pytest.mark.parametrize("text", ["", "a\nb", "\x1b[31m", "x" * 501])
def test_reason_that_could_forge_a_log_line_is_refused(versions: Versions, text: str) -> None:
    (a,) = published(versions, 1)
    with pytest.raises(ValueError, match="why must be"):
        versions.promote(a, who="ana", why=text, at=1)


def test_promotions_at_once_are_all_logged(versions: Versions) -> None:
    ids = published(versions, 4)
    movers = [threading.Thread(target=versions.promote, args=(one,), kwargs={**BY, "at": 1}) for one in ids]
    for mover in movers:
        mover.start()
    for mover in movers:
        mover.join()
    assert sorted(one.version or "" for one in versions.promotions()) == sorted(ids)
    assert versions.champion() == versions.promotions()[-1].version


KILLED_AT_CALL = """
import os, signal, sys
from pathlib import Path
from model_store.versions import Versions
from tests.model_store.builders import moving_average_draft

CALLS = ("open", "write", "fsync", "mkdir", "rename", "replace", "unlink", "rmdir", "listdir", "close", "truncate")

def killing_at(deadly):
    made = 0
    def counted(call):
        def counting(*arguments, **named):
            nonlocal made
            made += 1
            if made == deadly:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **named)
        return counting
    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))

def publish_and_promote(root):
    versions = Versions(root)
    version = versions.publish(moving_average_draft(21))
    versions.promote(version, who="bo", why="killed", at=2)

root, first = Path(sys.argv[1]), sys.argv[2]
outcomes, deadly = [], 0
while True:
    deadly += 1
    copied = root / f"kill_{deadly}"
    os.system(f"cp -a '{root}/models' '{copied}'")
    child = os.fork()
    if child == 0:
        killing_at(deadly)
        publish_and_promote(copied)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if status == 0:
        break
    assert os.WTERMSIG(status) == signal.SIGKILL, status
    champion = Versions(copied).champion()
    survivor = Versions(copied).read(champion).forecaster().version
    outcomes.append("old" if survivor == first else "new")
    publish_and_promote(copied)
    after = Versions(copied)
    assert after.champion() != first and len(after.ids()) == 2, (deadly, after.ids())
    assert [one.sequence for one in after.promotions()] == [1, 2], (deadly, after.promotions())
    assert not (copied / ".staging").exists(), deadly
print(",".join(outcomes))
"""


def test_kill_at_any_call_leaves_a_champion_that_serves_and_a_store_that_goes_on(tmp_path: Path) -> None:
    versions = Versions(tmp_path / "models")
    first = versions.publish(moving_average_draft(20))
    versions.promote(first, **BY, at=1)
    ran = subprocess.run(
        [sys.executable, "-c", KILLED_AT_CALL, str(tmp_path), first],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    outcomes = ran.stdout.strip().split(",")
    assert outcomes == sorted(outcomes, reverse=True), "once new, always new"
    assert {"old", "new"} == set(outcomes)
    assert len(outcomes) > 20


def test_reader_never_sees_a_version_that_is_half_there(versions: Versions) -> None:
    a, b = published(versions, 2)
    versions.promote(a, **BY, at=0)
    ended, seen = threading.Event(), set()

    def read_on() -> None:
        while not ended.is_set():
            champion = versions.champion()
            assert champion is not None
            seen.add(versions.read(champion).version)

    reader = threading.Thread(target=read_on)
    reader.start()
    for at in range(1, 40):
        versions.promote((a, b)[at % 2], **BY, at=at)
    ended.set()
    reader.join()
    assert seen == {a, b}


def test_lock_is_released_when_its_holder_fails(versions: Versions) -> None:
    (a,) = published(versions, 1)
    with pytest.raises(ModelStoreError):
        versions.rollback(**BY, at=1)
    assert versions.promote(a, **BY, at=2).sequence == 1
