"""The jars of Kafka in our cache: exactly those of the lock file, fetched once, digests checked at every start."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import msgspec

from stream_app.embedded.failures import EmbeddedUnavailable

LOCK = Path(__file__).with_name("kafka.lock.json")
PART = "Apache Kafka"
FETCHES_AT_ONCE = 6
ATTEMPTS = 3
TIMEOUT_SECONDS = 30


class Jar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a Maven repository, by ``group:artifact:version``."""

    coordinate: str
    size_bytes: int
    sha256: str

    @property
    def file_name(self) -> str:
        """Its name in a Maven repository and in our cache.

        Example:
            >>> Jar("org.apache.kafka:kafka_2.13:4.3.1", 1, "").file_name
            'kafka_2.13-4.3.1.jar'
        """
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


class JarLock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every jar that a version of Kafka needs, in class path order."""

    kafka_version: str
    jars: tuple[Jar, ...]


def read_lock(path: Path = LOCK) -> JarLock:
    """Return what a lock file pins."""
    return msgspec.json.decode(path.read_bytes(), type=JarLock)


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where fetched parts are kept.

    ``RESTOCK_CACHE`` if set; ``.cache`` of the clone if this code runs from
    one; else ``restock`` in the user's cache directory.

    Example:
        >>> cache_folder({"RESTOCK_CACHE": "/srv/cache"}).as_posix()
        '/srv/cache'
    """
    if chosen := environ.get("RESTOCK_CACHE"):
        return Path(chosen).absolute()
    clone = Path(__file__).parents[2]
    if (clone / "pyproject.toml").exists():
        return clone / ".cache"
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "restock"


def fetched_jars(folder: Path, lock: JarLock, tell: Callable[[str], None]) -> Path:
    """Return the folder of all jars of a lock, fetching those that are missing.

    Raises:
        EmbeddedUnavailable: If one cannot be fetched, or is not what the lock says.
    """
    jars = folder / "jars"
    missing = [jar for jar in lock.jars if not (jars / jar.file_name).exists()]
    if missing:
        _fetch(missing, lock.kafka_version, jars, tell)
    for jar in lock.jars:
        _verify(jar, jars / jar.file_name)
    return jars


def _fetch(missing: list[Jar], version: str, jars: Path, tell: Callable[[str], None]) -> None:
    what = f"fetching {PART} {version} ({sum(jar.size_bytes for jar in missing) / 1e6:.0f} MB)"
    tell(what)
    try:
        jars.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        raise EmbeddedUnavailable(
            PART, f"{jars} cannot be written ({wrong.strerror}): set RESTOCK_CACHE to another directory"
        ) from wrong
    pool = ThreadPoolExecutor(FETCHES_AT_ONCE)
    try:
        tasks = [pool.submit(_fetch_one, jar, jars) for jar in missing]
        for count, task in enumerate(as_completed(tasks), start=1):
            task.result()
            tell(f"{what}: {count} of {len(missing)} files")
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _fetch_one(jar: Jar, jars: Path) -> None:
    """Fetch into a private Maven repository, check, then move into place: the cache never holds half a file."""
    for attempt in range(1, ATTEMPTS + 1):
        with tempfile.TemporaryDirectory(prefix="fetch-", dir=jars.parent) as repository:
            try:
                path = _downloaded(jar, Path(repository))
            except (OSError, RuntimeError) as wrong:  # jgo: the network's errors are OSErrors, a missing file is not
                if attempt < ATTEMPTS:
                    continue
                cause = str(wrong).rpartition("Caused by ")[2]  # without the layers of connection pools around it
                raise EmbeddedUnavailable(
                    PART, f"{jar.coordinate} cannot be fetched from Maven Central ({cause}): connect and start again"
                ) from wrong
            _verify(jar, path)
            path.replace(jars / jar.file_name)
            return


def _downloaded(jar: Jar, repository: Path) -> Path:
    try:
        from jgo.maven import MavenContext  # noqa: PLC0415  needed once, and only in the extra `demo`
    except ModuleNotFoundError:
        raise EmbeddedUnavailable(PART, "jgo is not installed: run `pip install 'restock[demo]'`") from None
    group, artifact, version = jar.coordinate.split(":")
    maven = MavenContext(repo_cache=repository, local_repos=[], timeout=TIMEOUT_SECONDS)
    return Path(maven.project(group, artifact).at_version(version).artifact().resolve())


def _verify(jar: Jar, path: Path) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != jar.sha256:
        raise EmbeddedUnavailable(
            PART,
            f"{path} has sha256 {found}, the lock says {jar.sha256}: it was not used;"
            " delete it if you do not know why, and start again",
        )
