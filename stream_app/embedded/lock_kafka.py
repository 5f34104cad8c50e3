"""Writes the lock of Kafka's jars anew: ``python -m stream_app.embedded.lock_kafka 4.3.1`` (needs the network).

Kafka's own dependencies as its pom states them, and the binding without which
Kafka's log goes nowhere. The class path is the same on every platform.
"""

import hashlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
from jgo.maven import Artifact, Dependency, MavenContext, ProfileConstraints, PythonResolver

from stream_app.embedded.jars import LOCK, Jar, JarLock

# fixed, so that the profiles of a pom do not depend on who writes the lock
PLATFORM = ProfileConstraints(jdk="17", os_name="Linux", os_family="unix", os_arch="amd64")


def locked(version: str, repository: Path) -> JarLock:
    """Resolve and fetch a version of Kafka; return its lock."""
    resolver = PythonResolver(PLATFORM)
    maven = MavenContext(resolver=resolver, repo_cache=repository, local_repos=[])
    kafka = Dependency(maven.project("org.apache.kafka", "kafka_2.13").at_version(version).artifact())
    inputs, transitive = resolver.resolve([kafka])
    jars = tuple(_jar(artifact) for artifact in _with_log_binding(maven, [d.artifact for d in [*inputs, *transitive]]))
    return JarLock(version, jars)


def _with_log_binding(maven: MavenContext, artifacts: list[Artifact]) -> Iterator[Artifact]:
    """Yield all artifacts, then the one that joins the log interface Kafka writes to with the log it has."""
    yield from artifacts
    log4j = next(one for one in artifacts if one.artifactId == "log4j-core")
    yield maven.project(log4j.groupId, "log4j-slf4j-impl").at_version(log4j.version).artifact()


def _jar(artifact: Artifact) -> Jar:
    content = artifact.resolve().read_bytes()
    coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
    return Jar(coordinate, len(content), hashlib.sha256(content).hexdigest())


def main() -> None:
    """Write the lock of the version named on the command line, or of the one locked now."""
    version = sys.argv[1] if len(sys.argv) > 1 else msgspec.json.decode(LOCK.read_bytes(), type=JarLock).kafka_version
    with tempfile.TemporaryDirectory() as repository:
        lock = locked(version, Path(repository))
    LOCK.write_bytes(msgspec.json.format(msgspec.json.encode(lock), indent=2) + b"\n")


if __name__ == "__main__":
    main()
