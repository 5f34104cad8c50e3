"""Files of a version: read without following anything, written so that a crash leaves all or nothing.

What the bytes mean is in `artifact`; which version serves is in `versions`.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from model_store.errors import ArtifactCorrupt, VersionNotFound

_MOST_FILES = 16


def read_directory(directory: Path, largest_bytes: Mapping[str, int], *, packaged: bool = False) -> dict[str, bytes]:
    """Return the bytes of all files of a directory, each read once.

    Args:
        directory: A real directory, not a link to one.
        largest_bytes: The files that may be there and how large each may be.
        packaged: Whether an installer put it there; installers may hard-link files to their cache.

    Raises:
        VersionNotFound: If there is no such directory.
        ArtifactCorrupt: If an entry is surplus, a link, no plain file, or too large.
    """
    try:
        opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError as error:
        raise VersionNotFound(f"there is no version in {directory}. See: model-store list") from error
    except OSError as error:
        raise ArtifactCorrupt(f"{directory} is a link or cannot be read ({error.strerror})") from error
    try:
        names = sorted(os.listdir(opened))
        surplus = [name for name in names if name not in largest_bytes]
        if surplus or len(names) > _MOST_FILES:
            raise ArtifactCorrupt(f"{directory} holds {', '.join(map(repr, surplus[:5]))}: no file of a version")
        return {name: _read_plain(opened, directory / name, largest_bytes[name], packaged) for name in names}
    finally:
        os.close(opened)


def _read_plain(directory: int, path: Path, largest_bytes: int, packaged: bool) -> bytes:
    try:
        opened = os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    except OSError as error:
        raise ArtifactCorrupt(f"{path} is a link or cannot be read ({error.strerror})") from error
    with os.fdopen(opened, "rb") as file:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode):
            raise ArtifactCorrupt(f"{path} is not a plain file")
        if found.st_nlink != 1 and not packaged:
            raise ArtifactCorrupt(f"{path} is hard-linked from elsewhere; copy versions with cp -a, without links")
        raw = file.read(largest_bytes + 1)
    if len(raw) > largest_bytes:
        raise ArtifactCorrupt(f"{path} has more than {largest_bytes} bytes")
    return raw


def read_small(path: Path, largest_bytes: int) -> bytes | None:
    """Return the bytes of one plain file, None if there is none.

    Raises:
        ArtifactCorrupt: If it is a link, no plain file, or too large.
    """
    try:
        opened = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        return _read_plain(opened, path, largest_bytes, packaged=True) if path.name in os.listdir(opened) else None
    finally:
        os.close(opened)


def write_durably(path: Path, raw: bytes) -> None:
    """Write a new file and wait until it is on the disk.

    Raises:
        FileExistsError: If there is one.
    """
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with os.fdopen(opened, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(opened)


def replace_durably(path: Path, raw: bytes) -> None:
    """Put a file in the place of another: readers see the old bytes or the new ones, never a part."""
    staged = path.with_name(f".{path.name}.staged")
    staged.unlink(missing_ok=True)
    write_durably(staged, raw)
    os.replace(staged, path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Wait until the names in a directory are on the disk."""
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
