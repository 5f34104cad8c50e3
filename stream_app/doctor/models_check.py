"""The model store: the champion pointer, and every file of the newest versions against its digest."""

from collections.abc import Iterator, Sequence

from model_store.errors import ModelStoreError
from model_store.versions import Versions
from stream_app.doctor.finding import Finding, fine, problem, warning
from stream_app.settings import Settings
from stream_app.swap import CHAMPION, MOVING_AVERAGE, ChampionFollower

MOST_VERSIONS = 20


def model_findings(settings: Settings) -> Sequence[Finding]:
    """Return what there is to say of the versions; reads files, so call it in a thread."""
    versions = Versions(settings.models)
    try:
        ids = versions.ids()
        champion = versions.champion()
    except (ModelStoreError, OSError) as wrong:
        return [problem("models", f"the model store cannot be read: {_line(wrong)}", "model-store list")]
    found = [*_of_versions(versions, ids, champion)]
    found += _of_champion(settings, versions, champion)
    return found


def _of_versions(versions: Versions, ids: Sequence[str], champion: str | None) -> Iterator[Finding]:
    for version in ids[-MOST_VERSIONS:]:
        if version == champion:
            continue  # said with the champion
        try:
            versions.read(version)
        except (ModelStoreError, OSError) as wrong:
            yield warning(
                "models.digests", f"version {version} is damaged: {_line(wrong)}", f"model-store verify {version}"
            )


def _of_champion(settings: Settings, versions: Versions, champion: str | None) -> Iterator[Finding]:
    failures: list[str] = []
    served, rung = ChampionFollower(
        versions, settings.plan(), lambda failure: failures.append(f"{failure.version}: {failure.reason}")
    ).champion()
    why = f" ({'; '.join(' '.join(one.split()) for one in failures)})" if failures else ""
    if champion is None and rung != MOVING_AVERAGE:
        yield fine("models", f"no version was promoted in {settings.models}: the packaged starter serves")
    elif rung == CHAMPION:
        yield fine("models", f"champion {champion} is whole, passes its self-test and fits the settings")
    elif champion is not None:
        mend = f"model-store verify {champion}; model-store rollback"
        yield problem("models.champion", f"champion {champion} cannot serve{why}; {served.version} would", mend)
    else:
        what = f"no version fits RESTOCK_BUCKET_SECONDS={settings.bucket_seconds}: a moving average would serve{why}"
        yield warning("models", what, "model-store train")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
