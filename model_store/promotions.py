"""Who decided what about versions, when and why: an append-only log beside small files that name the versions in use.

A file that names a version is replaced as one and holds the whole decision, so
it decides; the log is brought up to it before one is written again.
"""

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from model_store.artifact import VERSION_ID
from model_store.errors import ArtifactCorrupt
from model_store.files import read_small, replace_durably, sync_directory

Action: TypeAlias = Literal["promote", "rollback", "shadow", "end"]
CHAMPION, SHADOW = "champion", "shadow"
"""Files that name a version."""
_LOG = "promotions.ndjson"
_LARGEST_POINTER_BYTES, _LARGEST_LOG_BYTES = 8192, 64 * 2**20


class Promotion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One decision: numbered from 1, at epoch milliseconds, on what was named before it in the same file, or none.

    ``promote`` and ``rollback`` move the champion; ``version`` is None after a
    rollback behind the first one: the packaged starter serves, as it did
    before. ``shadow`` and ``end`` say which version steps beside it.
    """

    sequence: int
    action: Action
    version: str | None
    previous: str | None
    who: str
    why: str
    at: int

    @property
    def moves_champion(self) -> bool:
        """Whether it is about the champion, not about its shadow."""
        return self.action in ("promote", "rollback")


class PromotionLog:
    """The log of a directory and the files that name its champion and shadow."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def pointed(self, name: str) -> Promotion | None:
        """Return the decision that a file holds, None if there was never one.

        Raises:
            ArtifactCorrupt: If the file is damaged.
        """
        raw = read_small(self.root / name, _LARGEST_POINTER_BYTES)
        return None if raw is None else _parsed(raw, f"{self.root / name}")

    def pointed_if_sound(self, name: str) -> Promotion | None:
        """Return the same; a damaged file counts as none, so that deciding again mends it."""
        try:
            return self.pointed(name)
        except ArtifactCorrupt:
            return None

    def history(self) -> list[Promotion]:
        """Return what was logged, and the last decision if a crash kept it out of the log.

        Raises:
            ArtifactCorrupt: If a line of the log is damaged; a last line torn by a crash is not.
        """
        logged = self._logged()
        for pointed in (self.pointed_if_sound(CHAMPION), self.pointed_if_sound(SHADOW)):
            # at most one is missing: the log is brought up to date before another is written
            if pointed and (not logged or pointed.sequence > logged[-1].sequence):
                logged.append(pointed)
        return logged

    def decide(self, name: str, made: Promotion, history: Sequence[Promotion]) -> None:
        """Write a decision that follows ``history`` to its file, then to the log."""
        self._catch_up(history)
        replace_durably(self.root / name, msgspec.json.encode(made) + b"\n")
        self._catch_up([made])

    def _logged(self) -> list[Promotion]:
        # What follows the last line end was torn by a crash, and is written again from the file that decides.
        whole, newline, _torn = (read_small(self.root / _LOG, _LARGEST_LOG_BYTES) or b"").rpartition(b"\n")
        lines = whole.split(b"\n") if newline else []
        logged = [_parsed(line, f"{self.root / _LOG} line {number}") for number, line in enumerate(lines, 1)]
        if any(a.sequence + 1 != b.sequence for a, b in pairwise(logged)):
            raise ArtifactCorrupt(f"{self.root / _LOG} has lost lines. Restore it, or move it away to begin another")
        return logged

    def _catch_up(self, history: Sequence[Promotion]) -> None:
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


def _parsed(raw: bytes, where: str) -> Promotion:
    try:
        promotion = msgspec.json.decode(raw, type=Promotion)
    except (ValueError, RecursionError) as error:
        raise ArtifactCorrupt(f"{where} is not readable ({error}). Decide again: model-store promote") from error
    if promotion.version is not None and not VERSION_ID.fullmatch(promotion.version):
        raise ArtifactCorrupt(f"{where} names no version: {promotion.version!r}. Decide again: model-store promote")
    return promotion
