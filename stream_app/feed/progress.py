"""How far a file is fed: a small file beside it, and what the topic itself says of rows sent after that was written.

Each record names its feed and row in a header. On resumption the partitions
are read from where they stood when progress was last written: a row that is
found there is not sent again, although nothing had noted it.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import msgspec

from stream_app.errors import ConfigError
from stream_app.feed.records import FED_AS
from stream_app.topic_reader import TopicReader

SUFFIX = ".fed"
_READ_BYTES = 2**20


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """All rows up to ``row`` are in the topic; ``ends`` are its offsets at that moment, by partition.

    ``content`` names the file's content and its target, ``feed`` one feeding of it.
    """

    content: str
    feed: str
    topic: str
    row: int
    ends: dict[int, int]
    is_complete: bool = False


def content_of(path: Path, topic: str) -> str:
    """Return the name of a file's content and the topic it goes to."""
    digest = hashlib.sha256(f"{topic}\0".encode())
    with path.open("rb") as content:
        while block := content.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()[:24]


def progress_file(path: Path, given: Path | None) -> Path:
    """Return where progress is kept: beside the file unless it is given."""
    return given or path.with_name(path.name + SUFFIX)


def load(file: Path) -> Progress | None:
    """Return the progress noted, None if there is none.

    Raises:
        ConfigError: If the file is none of ours.
    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=Progress)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as wrong:
        problem = f"{file} is no progress of a feed ({wrong}): name another one by --progress, or delete it"
        raise ConfigError([problem]) from wrong


def store(file: Path, progress: Progress) -> None:
    """Note progress, whole or not at all.

    Raises:
        ConfigError: If it cannot be written there.
    """
    fresh = file.with_name(file.name + ".new")
    try:
        with fresh.open("wb") as out:
            out.write(msgspec.json.encode(progress) + b"\n")
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(file)
    except OSError as wrong:
        problem = f"progress cannot be written to {file} ({wrong.strerror}): name another place by --progress"
        raise ConfigError([problem]) from wrong


def begin(path: Path, topic: str, file: Path, *, skip: int | None = None, again: bool = False) -> Progress:
    """Return where feeding a file begins: where it was left, or at its beginning.

    Args:
        path: What is fed.
        topic: Real name of the topic.
        file: Where progress is kept.
        skip: Rows to leave out; what was noted before is forgotten.
        again: Whether to begin anew whatever was noted.

    Raises:
        ConfigError: If the file changed while only part of it is in the topic.
    """
    content, noted = content_of(path, topic), load(file)
    fresh = Progress(content=content, feed=uuid4().hex[:16], topic=topic, row=skip or 0, ends={})
    if skip is not None or again or noted is None:
        return fresh
    if noted.content == content:
        return noted
    if noted.is_complete:
        return fresh
    raise ConfigError(
        [
            f"{path} is not what it was when its first {noted.row} rows were sent to {noted.topic} (says {file}): give "
            f"--skip {noted.row} if those rows are still the same, --again to send all, or name another --progress"
        ]
    )


def rows_there(reader: TopicReader, progress: Progress) -> Mapping[int, set[int]]:
    """Return the rows of a feed that each partition got after progress was noted."""
    mark = progress.feed + "/"
    starts = {number: progress.ends[number] for number in reader.partitions if number in progress.ends}
    found: dict[int, set[int]] = {}
    for message in reader.read(starts, reader.ends()):
        name = (message.header(FED_AS) or b"").decode(errors="replace")
        row = name.removeprefix(mark)
        if name.startswith(mark) and row.isdigit():
            found.setdefault(message.partition, set()).add(int(row))
    return found
