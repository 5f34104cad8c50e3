"""Versions on disk, which of them is champion, which steps beside it, and who decided so.

A version exists once its directory is renamed into place; it serves once the
small file ``champion`` names it, and steps beside the champion once ``shadow``
does. Time is an argument.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_store import artifact
from model_store.artifact import VERSION_ID, Artifact, Draft
from model_store.errors import ArtifactCorrupt, ModelStoreError, SpecMismatch, VersionNotFound
from model_store.files import sync_directory
from model_store.promotions import CHAMPION, SHADOW, Action, Promotion, PromotionLog

_STAGING, _LOCK = ".staging", ".lock"
_LARGEST_TEXT = 500


class Versions:
    """A directory of versions; it need not exist before something is published.

    Any number of processes may read while one writes.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._log = PromotionLog(root)

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
        promotion = self._log.pointed(CHAMPION)
        return promotion.version if promotion else None

    def previous(self) -> str | None:
        """Return the version that `rollback` would go back to; None if that is the starter, or there is nothing."""
        served = self._served()
        return served[-2] if len(served) > 1 else None

    def _served(self) -> list[str | None]:
        """Who served and was not gone back behind, oldest first; before the first champion it was nobody."""
        served: list[str | None] = [None]
        for promotion in self.promotions():
            if promotion.action == "rollback":
                del served[-2:]  # who was left, and who was gone back to: the latter is added again
            served.append(promotion.version)
        return served

    def promotions(self) -> tuple[Promotion, ...]:
        """Return all moves of the champion, oldest first; errors as ``decisions``."""
        return tuple(one for one in self.decisions() if one.moves_champion)

    def decisions(self) -> tuple[Promotion, ...]:
        """Return what was ever decided about champion and shadow, oldest first.

        Raises:
            ArtifactCorrupt: If a line of the log is damaged; a last line torn by a crash is not.
        """
        return tuple(self._log.history())

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

    def shadow(self) -> str | None:
        """Return the id of the version that steps beside the champion, None if there is none; it may be champion now.

        Raises:
            ArtifactCorrupt: If the pointer is damaged.
        """
        decided = self._log.pointed(SHADOW)
        return decided.version if decided else None

    def begin_shadow(self, version: str, *, who: str, why: str, at: int) -> Promotion:
        """Have a version step beside the champion, after verifying and self-testing it; again changes nothing.

        Raises:
            ModelStoreError: If the version is missing, damaged, the champion itself or of another bucket width.
            ValueError: If who or why is empty, too long or holds control characters.
        """
        _require_text(who=who, why=why)
        directory = self.directory(version)
        with self._locked():
            self._require_comparable(version, directory)
            before = self._log.pointed_if_sound(SHADOW)
            if before and before.version == version:
                return before
            return self._decide(SHADOW, before, action="shadow", version=version, who=who, why=why, at=at)

    def end_shadow(self, *, who: str, why: str, at: int) -> Promotion:
        """Have no version beside the champion any more.

        Raises:
            VersionNotFound: If there is none.
        """
        _require_text(who=who, why=why)
        nobody = VersionNotFound(f"no version is shadow in {self.root}. Begin: model-store shadow VERSION")
        if not self.root.is_dir():
            raise nobody
        with self._locked():
            before = self._log.pointed_if_sound(SHADOW)
            is_damaged = before is None and os.path.lexists(self.root / SHADOW)
            if not is_damaged and (before is None or before.version is None):
                raise nobody
            return self._decide(SHADOW, before, action="end", version=None, who=who, why=why, at=at)

    def _require_comparable(self, version: str, directory: Path) -> None:
        champion = self.champion()
        if version == champion:
            raise SpecMismatch(f"{version} is the champion; a shadow is another version. See: model-store list")
        found = self.read(version)
        found.forecaster()
        if champion is None:
            return
        width = self.read(champion).manifest.spec.width
        if found.manifest.spec.width != width:
            raise SpecMismatch(
                f"{directory} has buckets of {found.manifest.spec.width.seconds} s, the champion {champion} of "
                f"{width.seconds} s. Train one for the same: model-store train --bucket"
            )

    def _move(self, action: Action, wanted: str | None, who: str, why: str, at: int) -> Promotion:
        _require_text(who=who, why=why)
        if not self.root.is_dir():
            raise VersionNotFound(f"there are no versions in {self.root}. Publish one: model-store train")
        with self._locked():
            moves = self.promotions()
            current = moves[-1] if moves else None
            if wanted is None and len(self._served()) < 2:
                raise VersionNotFound(f"no earlier champion to go back to in {self.root}. See: model-store list")
            pointed = self._log.pointed_if_sound(CHAMPION)
            if wanted and pointed and pointed.version == wanted:
                return pointed
            version = wanted or self.previous()
            if version is not None:
                self._require_able(version, current)
            return self._decide(CHAMPION, current, action=action, version=version, who=who, why=why, at=at)

    def _decide(
        self, name: str, before: Promotion | None, *, action: Action, version: str | None, who: str, why: str, at: int
    ) -> Promotion:
        history = self._log.history()
        made = Promotion(
            sequence=history[-1].sequence + 1 if history else 1,
            action=action,
            version=version,
            previous=before.version if before else None,
            who=who,
            why=why,
            at=at,
        )
        self._log.decide(name, made, history)
        return made

    def _require_able(self, version: str, current: Promotion | None) -> None:
        try:
            self.read(version).forecaster()
        except ModelStoreError as error:
            error.add_note(f"The champion stays {current.version if current else 'unset'}.")
            raise

    @contextmanager
    def _locked(self) -> Iterator[None]:
        opened = os.open(self.root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX)
            yield
        finally:
            os.close(opened)


def _require_text(**texts: str) -> None:
    for name, text in texts.items():
        if not text.isprintable() or not 1 <= len(text) <= _LARGEST_TEXT:
            raise ValueError(f"{name} must be 1 to {_LARGEST_TEXT} printable characters, got {text!r}")
