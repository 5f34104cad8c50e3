"""Model versions with the figures of their own evaluation, from the manifests of the model store."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from model_store.artifact import Manifest
from model_store.errors import ModelStoreError
from model_store.promotions import Promotion
from model_store.versions import Versions

MOST_VERSIONS = 20
MOST_PROMOTIONS = 20
_LEAD = re.compile(r"spb_(\d+)")


@dataclass(frozen=True, slots=True)
class LeadAccuracy:
    """Scaled pinball loss over a lead in buckets, the moving average's on the same origins, share below level .95."""

    lead_buckets: int
    loss: float
    average_loss: float | None
    coverage: float | None

    @property
    def gain(self) -> float | None:
        """Share by which the loss is lower than the moving average's; negative if it is higher."""
        return None if not self.average_loss else 1 - self.loss / self.average_loss


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version; ``fault`` says why it cannot be read, empty if it can."""

    version: str
    is_champion: bool
    kind: str = ""
    data_until: str = ""
    accuracy: Sequence[LeadAccuracy] = ()
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Promoted:
    """One move of the champion; ``version`` is empty where the packaged starter serves again."""

    action: str
    version: str
    who: str
    why: str
    at: str


@dataclass(frozen=True, slots=True)
class ModelStore:
    """The latest versions by the end of their data, youngest first, the last promotions, and why they are not known."""

    lines: Sequence[VersionLine]
    found: int
    promotions: Sequence[Promoted]
    fault: str = ""


def model_store(root: Path, read: dict[str, Manifest]) -> ModelStore:
    """Return what is in a model store; ``read`` keeps manifests, which never change, from one call to the next."""
    versions = Versions(root)
    try:
        champion, promotions = versions.champion(), versions.promotions()
        ids = sorted(versions.ids(), key=_end, reverse=True)
    except (ModelStoreError, OSError) as wrong:
        return ModelStore((), 0, (), str(wrong))
    lines = [_line(versions, one, read, is_champion=one == champion) for one in ids[:MOST_VERSIONS]]
    return ModelStore(lines, len(ids), [_promoted(one) for one in reversed(promotions[-MOST_PROMOTIONS:])])


def accuracy(metrics: Mapping[str, float]) -> Sequence[LeadAccuracy]:
    """Return the figures of each lead, shortest first.

    Example:
        >>> (one,) = accuracy({"spb_7": 0.5, "moving_average_spb_7": 0.8, "coverage_7_95": 0.94})
        >>> one.lead_buckets, one.gain, one.coverage
        (7, 0.375, 0.94)
    """
    leads = sorted(int(found[1]) for found in map(_LEAD.fullmatch, metrics) if found)
    return [
        LeadAccuracy(
            lead,
            metrics[f"spb_{lead}"],
            metrics.get(f"moving_average_spb_{lead}"),
            metrics.get(f"coverage_{lead}_95"),
        )
        for lead in leads
    ]


def _line(versions: Versions, version: str, read: dict[str, Manifest], *, is_champion: bool) -> VersionLine:
    try:
        manifest = read.get(version) or versions.read(version).manifest
    except (ModelStoreError, OSError) as wrong:
        return VersionLine(version, is_champion, fault=str(wrong))
    read[version] = manifest
    until = f"{datetime.fromtimestamp(manifest.data_until_at / 1000, UTC):%Y-%m-%d}"
    return VersionLine(version, is_champion, manifest.spec.kind, until, accuracy(manifest.metrics))


def _end(version: str) -> tuple[str, str]:
    """Return the date within a version's id, and the id: ``kind-YYYYMMDD-digest``."""
    return version.split("-")[-2], version


def _promoted(one: Promotion) -> Promoted:
    at = f"{datetime.fromtimestamp(one.at / 1000, UTC):%Y-%m-%d %H:%M}"
    return Promoted(one.action, one.version or "", one.who, one.why, at)
