"""Versions on disk, which of them is champion, and the log of who promoted what, when and why.

A version exists once its directory is renamed into place; it serves once the
small file ``champion`` names it. That file is replaced as one and holds the
whole promotion, so it decides; the log is brought up to it before it is
written again. Time is an argument.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from model_store import artifact
from model_store.artifact import VERSION_ID, Artifact, Draft
from model_store.errors import ArtifactCorrupt, ModelStoreError, VersionNotFound
from model_store.files import read_small, replace_durably, sync_directory

_CHAMPION, _LOG, _STAGING, _LOCK = "champion", "promotions.ndjson", ".staging", ".lock"
_Action: TypeAlias = Literal["promote", "rollback"]
_LARGEST_TEXT = 500
_LARGEST_CHAMPION_BYTES, _LARGEST_LOG_BYTES = 8192, 64 * 2**20


class Promotion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One move of the champion: numbered from 1, at epoch milliseconds, from the previous version or none.

    ``version`` is None after a rollback behind the first champion: the packaged starter serves, as it did before.
    """

    sequence: int
    action: _Action
    version: str | None
    previous: str | None
    who: str
    why: str
    at: int


class Versions:
    """A directory of versions; it need not exist before something is published.

    Any number of processes may read while one writes.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def ids(self) -> tuple[str, ...]:
        """Return the ids of all published versions, sorted; they may still prove damaged when read."""
        if not self.root.is_dir():
            return ()
        return tuple(sorted(entry.name for entry in self.root.iterdir() if VERSION_ID.fullmatch(entry.name)))

    def only_of(self, kind: str) -> str | None:
        """Return the version of a kind, None if there is none.

        Raises:
            VersionNotFound: If there are several.
        """
        found = [version for version in self.ids() if version.rsplit("-", 2)[0] == kind]
        if len(found) > 1:
            raise VersionNotFound(f"there are {len(found)} versions of {kind}: {', '.join(found)}. Name one of them")
        return found[0] if found else None

    def directory(self, version: str) -> Path:
        """Return where a version is.

        Raises:
            VersionNotFound: If the id is none, or not published here.
        """
        if not VERSION_ID.fullmatch(version) or not os.path.lexists(self.root / version):
            raise VersionNotFound(f"there is no version {version!r} in {self.root}. See: model-store list")
        return self.root / version

    def read(self, version: str) -> Artifact:
        """Return a verified version; its content must be the one its name was given for.

        Raises:
            ModelStoreError: As `artifact.read`.
        """
        found = artifact.read(self.directory(version))
        if found.version != version:
            raise ArtifactCorrupt(f"directory {version} in {self.root} holds version {found.version}; rename it back")
        return found

    def champion(self) -> str | None:
        """Return the id of the version in use, None if none was ever promoted.

        Raises:
            ArtifactCorrupt: If the pointer is damaged.
        """
        promotion = self._current()
        return promotion.version if promotion else None

    def previous(self) -> str | None:
        """Return the version that `rollback` would go back to; None if that is the starter, or there is nothing."""
        served = self._served()
        return served[-2] if len(served) > 1 else None

    def _served(self) -> list[str | None]:
        """Who served and was not gone back behind, oldest first; before the first champion it was nobody."""
        served: list[str | None] = [None]
        for promotion in self._history():
            if promotion.action == "rollback":
                del served[-2:]  # who was left, and who was gone back to: the latter is added again
            served.append(promotion.version)
        return served

    def promotions(self) -> tuple[Promotion, ...]:
        """Return all moves of the champion, oldest first.

        Raises:
            ArtifactCorrupt: If a line of the log is damaged; a last line torn by a crash is not.
        """
        return tuple(self._history())

    def publish(self, draft: Draft) -> str:
        """Make a version exist, whole or not at all, and return its id; publishing it twice is harmless.

        Raises:
            PublishRefused: If the draft cannot be built or fails its self-test.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with self._locked():
            staging = self.root / _STAGING
            # Left by a publisher that was killed: nobody else writes while we hold the lock.
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
            try:
                version = artifact.write(staging, draft)
                if os.path.lexists(self.root / version):
                    self.read(version)
                else:
                    os.rename(staging, self.root / version)
                    sync_directory(self.root)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        return version

    def promote(self, version: str, *, who: str, why: str, at: int) -> Promotion:
        """Make a version the champion, after verifying and self-testing it; the champion again changes nothing.

        Args:
            version: A published version.
            who: Who promotes, for the log.
            why: Reason, for the log.
            at: Time of the promotion, epoch milliseconds.

        Raises:
            ModelStoreError: If the version is missing, damaged or fails; the champion stays.
            ValueError: If who or why is empty, too long or holds control characters.
        """
        return self._move("promote", version, who, why, at)

    def rollback(self, *, who: str, why: str, at: int) -> Promotion:
        """Go back to the version that was champion before the current one; again goes back further.

        Behind the first champion there is the packaged starter: nobody is champion then.

        Raises:
            VersionNotFound: If there is nothing to go back to.
            ModelStoreError: If that version is damaged; the champion stays.
        """
        return self._move("rollback", None, who, why, at)

    def _move(self, action: _Action, wanted: str | None, who: str, why: str, at: int) -> Promotion:
        _require_text(who=who, why=why)
        if not self.root.is_dir():
            raise VersionNotFound(f"there are no versions in {self.root}. Publish one: model-store train")
        with self._locked():
            history = self._history()
            current = history[-1] if history else None
            if wanted is None and len(self._served()) < 2:
                raise VersionNotFound(f"no earlier champion to go back to in {self.root}. See: model-store list")
            pointed = self._pointed()
            if wanted and pointed and pointed.version == wanted:
                return pointed
            version = wanted or self.previous()
            if version is not None:
                self._require_able(version, current)
            moved = Promotion(
                sequence=current.sequence + 1 if current else 1,
                action=action,
                version=version,
                previous=current.version if current else None,
                who=who,
                why=why,
                at=at,
            )
            self._catch_up_log(history)
            replace_durably(self.root / _CHAMPION, msgspec.json.encode(moved) + b"\n")
            self._catch_up_log([moved])
        return moved

    def _require_able(self, version: str, current: Promotion | None) -> None:
        try:
            self.read(version).forecaster()
        except ModelStoreError as error:
            error.add_note(f"The champion stays {current.version if current else 'unset'}.")
            raise

    def _current(self) -> Promotion | None:
        raw = read_small(self.root / _CHAMPION, _LARGEST_CHAMPION_BYTES)
        return None if raw is None else _parsed(raw, f"{self.root / _CHAMPION}")

    def _pointed(self) -> Promotion | None:
        """The current promotion; a damaged pointer counts as none, so that promoting mends it."""
        try:
            return self._current()
        except ArtifactCorrupt:
            return None

    def _history(self) -> list[Promotion]:
        """What was logged, and the current promotion if a crash kept it out of the log."""
        logged, pointed = self._logged(), self._pointed()
        if pointed and (not logged or pointed.sequence > logged[-1].sequence):
            logged.append(pointed)
        return logged

    def _logged(self) -> list[Promotion]:
        # What follows the last line end was torn by a crash, and is written again from the champion file.
        whole, newline, _torn = (read_small(self.root / _LOG, _LARGEST_LOG_BYTES) or b"").rpartition(b"\n")
        lines = whole.split(b"\n") if newline else []
        logged = [_parsed(line, f"{self.root / _LOG} line {number}") for number, line in enumerate(lines, 1)]
        if any(a.sequence + 1 != b.sequence for a, b in pairwise(logged)):
            raise ArtifactCorrupt(f"{self.root / _LOG} has lost lines. Restore it, or move it away to begin another")
        return logged

    def _catch_up_log(self, history: Sequence[Promotion]) -> None:
        """Append what the log does not hold yet, after cutting off a torn last line."""
        logged = self._logged()
        missing = [one for one in history if not logged or one.sequence > logged[-1].sequence]
        opened = os.open(self.root / _LOG, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        with os.fdopen(opened, "r+b") as log:
            log.truncate(log.read().rfind(b"\n") + 1)
            log.seek(0, os.SEEK_END)
            log.writelines(msgspec.json.encode(promotion) + b"\n" for promotion in missing)
            log.flush()
            os.fsync(opened)
        sync_directory(self.root)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        opened = os.open(self.root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX)
            yield
        finally:
            os.close(opened)


def _parsed(raw: bytes, where: str) -> Promotion:
    try:
        promotion = msgspec.json.decode(raw, type=Promotion)
    except (ValueError, RecursionError) as error:
        raise ArtifactCorrupt(f"{where} is not readable ({error}). Promote a version again") from error
    if promotion.version is not None and not VERSION_ID.fullmatch(promotion.version):
        raise ArtifactCorrupt(f"{where} names no version: {promotion.version!r}. Promote a version again")
    return promotion


def _require_text(**texts: str) -> None:
    for name, text in texts.items():
        if not text.isprintable() or not 1 <= len(text) <= _LARGEST_TEXT:
            raise ValueError(f"{name} must be 1 to {_LARGEST_TEXT} printable characters, got {text!r}")
