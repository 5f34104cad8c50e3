"""What serves now, as a challenger meets it: the champion, or the fit of it that has not seen the held-out buckets.

A champion learnt the buckets that were held out from it after it had won. A
challenger has not learnt those, so it is compared with the champion's parent:
the same net as it was when it was judged.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from model_store import artifact
from model_store.artifact import Artifact
from model_store.errors import ModelStoreError
from model_store.kinds.table import STEP_GRAPH
from model_store.starter import starter_directory
from model_store.training.plan import Start
from model_store.training.progress import Reporter
from model_store.versions import Versions
from replenishment.buckets import BucketWidth
from replenishment.forecaster import Forecaster


@dataclass(frozen=True, slots=True)
class Held:
    """Buckets that a challenger is judged on: their width, and the first instant of them, epoch milliseconds."""

    width: BucketWidth
    from_at: int


def incumbent_of(held: Held, versions: Versions, reporter: Reporter) -> list[Forecaster]:
    """Return what a challenger has to beat: the champion, else the starter; none if neither serves the width.

    A champion that is damaged is said so and counts as none.
    """
    for name, read in (("champion", partial(champion_artifact, versions)), ("starter", _starter_artifact)):
        found = _read(name, read, held.width, reporter)
        if found is not None:
            return [_unseen(found, held, versions, reporter).forecaster()]
    return []


def start_of(held: Held, versions: Versions, reporter: Reporter) -> Start | None:
    """Return the fit that a refresh goes on from; None, and a sentence why, if there is none.

    It must not have learnt the held-out buckets, or the verdict would be worth nothing.
    """
    found = _read("champion", partial(champion_artifact, versions), held.width, reporter)
    if found is None:
        reporter.say("there is no champion to refresh: trained anew")
        return None
    unseen = _unseen(found, held, versions, reporter)
    spec = unseen.manifest.spec
    if STEP_GRAPH not in unseen.files or spec.features is None:
        reporter.say(f"{found.version} is of kind {spec.kind}, which is not refreshed: trained anew")
        return None
    if unseen.manifest.data_until_at > held.from_at:
        reporter.say(f"{found.version} has learnt the buckets that are held out, so it is not refreshed: trained anew")
        return None
    return Start(unseen.version, spec, unseen.files[STEP_GRAPH])


def other_width(width: BucketWidth, versions: Versions) -> str | None:
    """Return why a version for some bucket width may not replace the champion; None if it has the same width."""
    try:
        found = champion_artifact(versions)
    except ModelStoreError:  # a champion that cannot be read serves nobody
        return None
    if found is None or found.manifest.spec.width.seconds == width.seconds:
        return None
    return (
        f"{found.version} serves buckets of {found.manifest.spec.width.seconds} s and this version {width.seconds} s: "
        "workers of the one cannot use the other. If that is meant: model-store promote VERSION --why TEXT"
    )


def champion_artifact(versions: Versions) -> Artifact | None:
    """Return the champion, None if nobody is.

    Raises:
        ModelStoreError: If the pointer or the version is damaged.
    """
    champion = versions.champion()
    return versions.read(champion) if champion else None


def _read(name: str, read: Callable[[], Artifact | None], width: BucketWidth, reporter: Reporter) -> Artifact | None:
    try:
        found = read()
        if found is not None:
            found.require_fits(width, found.manifest.spec.context_buckets)
            found.forecaster()
    except ModelStoreError as error:
        reporter.say(f"the {name} is not compared with: {error}")
        return None
    return found


def _unseen(found: Artifact, held: Held, versions: Versions, reporter: Reporter) -> Artifact:
    manifest = found.manifest
    if manifest.held_out_from_at is None or manifest.data_until_at <= held.from_at or manifest.parent is None:
        return found
    try:
        parent = versions.read(manifest.parent)
        parent.forecaster()
    except ModelStoreError as error:
        reporter.say(f"{found.version} is compared with as it serves, though it learnt held-out buckets: {error}")
        return found
    return parent


def _starter_artifact() -> Artifact | None:
    directory = starter_directory()
    return artifact.read(directory, packaged=True) if directory.exists() else None
