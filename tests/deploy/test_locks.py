"""Lock files: every package with its digests, everything that is asked for, no address of an index."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
PEERS = [line for line in (ROOT / "bench/peers/requirements.in").read_text().splitlines() if not line.startswith("#")]
LOCKED = {
    "peers": PEERS,
    "worker": PROJECT["dependencies"],
    "train": [*PROJECT["dependencies"], *EXTRAS["train"]],
    "dev": [*PROJECT["dependencies"], *EXTRAS["train"], *EXTRAS["demo"], *EXTRAS["peers"], *EXTRAS["dev"]],
}


def name_of(requirement: str) -> str:
    """Return the normalised name of a requirement."""
    name = re.match(r"[\w.-]+", requirement)
    assert name
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def packages(lock: str) -> dict[str, str]:
    """Return each locked package with the text that pins it."""
    text = (ROOT / "locks" / f"{lock}.txt").read_text()
    entries = re.split(r"\n(?=\S)", text.strip())
    return {name_of(entry): entry for entry in entries}


@pytest.mark.parametrize("lock", LOCKED)
def test_everything_that_is_asked_for_is_pinned_with_digests(lock: str) -> None:
    pinned = packages(lock)
    assert {name_of(requirement) for requirement in LOCKED[lock]} - {"restock"} <= set(pinned)
    for entry in pinned.values():
        assert re.match(r"[\w.-]+==\S+", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


@pytest.mark.parametrize("lock", LOCKED)
def test_no_lock_names_an_index(lock: str) -> None:
    text = (ROOT / "locks" / f"{lock}.txt").read_text()
    assert "://" not in text
    assert "--find-links" not in text
    assert "--index" not in text


def test_all_locks_agree_on_versions() -> None:
    everything = {name: entry.split()[0] for name, entry in packages("dev").items()}
    for lock in ("worker", "train"):
        assert {name: entry.split()[0] for name, entry in packages(lock).items()}.items() <= everything.items()


def test_every_requirement_has_both_bounds() -> None:
    requirements = [one for one in LOCKED["dev"] + PEERS if name_of(one) != "restock"]
    assert [one for one in requirements if not re.search(r">=.*,<", one)] == []
