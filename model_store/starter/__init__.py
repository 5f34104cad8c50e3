"""The starter version that the package carries: what serves before the first champion is promoted."""

from importlib.resources import files
from pathlib import Path


def starter_directory() -> Path:
    """Return the directory of the starter version; read it with ``artifact.load(…, packaged=True)``."""
    return Path(str(files(__name__))) / "version"
