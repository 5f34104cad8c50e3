"""Which version steps beside the champion: the pointer, the log that champion and shadow share, the command."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from model_store.cli.main import main
from model_store.errors import ArtifactCorrupt, SpecMismatch, VersionNotFound
from model_store.versions import Versions
from replenishment.buckets import BucketWidth
from tests.model_store.builders import moving_average_draft

BY = {"who": "ana", "why": "try it"}


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "models")


def published(versions: Versions, count: int) -> list[str]:
    ids = [versions.publish(moving_average_draft(20 + n)) for n in range(count)]
    versions.promote(ids[0], **BY, at=1)
    return ids


def ran(versions: Versions, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--models", str(versions.root)])


def test_shadow_stands_beside_the_champion_until_it_is_ended(versions: Versions) -> None:
    champion, b, c = published(versions, 3)
    assert versions.shadow() is None
    versions.begin_shadow(b, **BY, at=2)
    moved = versions.begin_shadow(c, **BY, at=3)
    assert (versions.shadow(), moved.previous, versions.champion()) == (c, b, champion)
    versions.end_shadow(**BY, at=4)
    assert versions.shadow() is None
    assert [one.action for one in versions.decisions()] == ["promote", "shadow", "shadow", "end"]
    assert [one.sequence for one in versions.decisions()] == [1, 2, 3, 4]
    assert [one.version for one in versions.promotions()] == [champion]


def test_the_same_shadow_again_changes_nothing(versions: Versions) -> None:
    _, b = published(versions, 2)
    assert versions.begin_shadow(b, **BY, at=2) == versions.begin_shadow(b, **BY, at=3)
    assert len(versions.decisions()) == 2


def test_rollback_goes_back_over_champions_only(versions: Versions) -> None:
    a, b, c = published(versions, 3)
    versions.begin_shadow(c, **BY, at=2)
    versions.promote(b, **BY, at=3)
    versions.end_shadow(**BY, at=4)
    moved = versions.rollback(**BY, at=5)
    assert (moved.version, moved.previous, moved.sequence) == (a, b, 5)


def test_what_cannot_be_compared_is_no_shadow(versions: Versions) -> None:
    champion, damaged = published(versions, 2)
    draft = moving_average_draft(24)
    hourly = versions.publish(replace(draft, spec=replace(draft.spec, width=BucketWidth(3_600))))
    with pytest.raises(SpecMismatch, match="is the champion"):
        versions.begin_shadow(champion, **BY, at=2)
    with pytest.raises(SpecMismatch, match="buckets of 3600 s"):
        versions.begin_shadow(hourly, **BY, at=2)
    (versions.root / damaged / "extra").write_bytes(b"")
    with pytest.raises(ArtifactCorrupt, match="extra"):
        versions.begin_shadow(damaged, **BY, at=2)
    with pytest.raises(VersionNotFound, match="no version is shadow"):
        versions.end_shadow(**BY, at=2)
    assert versions.shadow() is None and len(versions.decisions()) == 1


def test_a_damaged_pointer_is_refused_and_mended_by_ending(versions: Versions) -> None:
    _, b = published(versions, 2)
    versions.begin_shadow(b, **BY, at=2)
    (versions.root / "shadow").write_text("{")
    with pytest.raises(ArtifactCorrupt, match="shadow"):
        versions.shadow()
    versions.end_shadow(**BY, at=3)
    assert versions.shadow() is None


def test_a_decision_that_a_crash_kept_out_of_the_log_is_written_with_the_next(versions: Versions) -> None:
    _, b, c = published(versions, 3)
    log = versions.root / "promotions.ndjson"
    before = log.read_bytes()
    versions.begin_shadow(b, **BY, at=2)
    log.write_bytes(before)
    assert [one.action for one in versions.decisions()] == ["promote", "shadow"]
    versions.promote(c, **BY, at=3)
    assert [json.loads(line)["sequence"] for line in log.read_bytes().splitlines()] == [1, 2, 3]


def test_command_begins_marks_lists_and_ends(versions: Versions) -> None:
    champion, b = published(versions, 2)
    begun = ran(versions, "shadow", b, "--who", "ana", "--why", "live first")
    assert (begun.exit_code, begun.stdout) == (0, f"shadow is {b}, before it nobody\n")
    marks = {line.split()[1]: line[0] for line in ran(versions, "list").stdout.splitlines()}
    assert marks == {champion: "*", b: "+"}
    ended = ran(versions, "shadow", "--end", "--who", "ben", "--why", "no better", "--json")
    assert json.loads(ended.stdout)["previous"] == b
    lines = ran(versions, "promotions").stdout.splitlines()
    assert [line.split("  ", 1)[1] for line in lines[1:]] == [
        f"{b}  shadow by ana: live first",
        "nobody  end by ben: no better",
    ]


@pytest.mark.parametrize("arguments", [(), ("some-version", "--end")])
def test_command_wants_a_version_or_the_end(versions: Versions, arguments: tuple[str, ...]) -> None:
    assert ran(versions, "shadow", *arguments, "--why", "x").exit_code == 2


def test_command_says_what_is_wrong_in_one_sentence(versions: Versions) -> None:
    champion, _ = published(versions, 2)
    refused = ran(versions, "shadow", champion, "--why", "x")
    assert refused.exit_code == 1 and "is the champion" in refused.stderr
