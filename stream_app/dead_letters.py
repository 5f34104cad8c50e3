"""Dead letters as people deal with them: what was refused, why, and what would become of it now.

A letter is known by its source (topic, partition, offset); it may lie in the
topic more than once and counts once.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from replenishment.engine.columns import Role
from replenishment.keys import stock_key
from stream_app.kafka.topics import TopicNames
from stream_app.ports import Headers, RecordBatch
from stream_app.topic_reader import Message, TopicReader
from stream_app.wire.admission import partition_of
from stream_app.wire.incoming import incoming_wire

ERROR_HEADERS = frozenset(
    {f"__connect.errors.{name}" for name in ("topic", "partition", "offset", "connector.name", "task.id", "stage")}
    | {f"__connect.errors.{name}" for name in ("class.name", "exception.class.name", "exception.message")}
    | {"restock.error.code"}
)
"""What a refusal adds: of each name the last header is ours."""
CUT_HEADERS = ("restock.value.sha256", "restock.key.sha256", "restock.headers.sha256")
"""One of them says that the letter holds only the beginning of the original."""
REPLAY_OF = "restock.replay-of"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A refused record; ``source`` is the real name of the topic it came from."""

    message: Message
    source: str
    partition: int
    offset: int
    code: str
    reason: str

    @property
    def name(self) -> str:
        """How people name it: ``topic/partition/offset`` of the original."""
        return f"{self.source}/{self.partition}/{self.offset}"

    @property
    def is_cut(self) -> bool:
        """Whether it holds only the beginning of the original."""
        return any(self.message.header(name) is not None for name in CUT_HEADERS)

    def original_headers(self) -> Headers:
        """Return the headers as they were before the refusal, those of an earlier replay left out."""
        kept: list[tuple[str, bytes]] = []
        ours = set(ERROR_HEADERS)
        for name, content in reversed(self.message.headers):
            if name in ours:
                ours.remove(name)
            elif name != REPLAY_OF:
                kept.append((name, content or b""))
        return tuple(reversed(kept))


def letter_of(message: Message) -> DeadLetter | None:
    """Return a record of the dead-letter topic as a letter, None if it has no sound error headers."""
    names = ("topic", "partition", "offset", "exception.message")
    found = [message.header(f"__connect.errors.{name}") for name in names]
    code = message.header("restock.error.code")
    if code is None or any(one is None for one in found):
        return None
    topic, partition, offset, reason = (one.decode(errors="backslashreplace") for one in found if one is not None)
    if not (partition.isascii() and partition.isdigit() and offset.isascii() and offset.isdigit()):
        return None
    return DeadLetter(message, topic, int(partition), int(offset), code.decode(errors="backslashreplace"), reason)


def letters(reader: TopicReader) -> Iterator[DeadLetter]:
    """Yield every letter in the topic once, in the order of their partitions."""
    seen: set[str] = set()
    for message in reader.read(reader.starts(), reader.ends()):
        letter = letter_of(message)
        if letter is not None and letter.name not in seen:
            seen.add(letter.name)
            yield letter


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which letters are meant: all that pass every condition given."""

    names: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()

    def takes(self, letter: DeadLetter) -> bool:
        """Return whether a letter is meant."""
        return (
            (not self.names or letter.name in self.names)
            and (not self.codes or letter.code in self.codes)
            and (not self.sources or letter.source in self.sources)
        )


@dataclass(frozen=True, slots=True)
class Replayed:
    """A record to be sent again, and why it is not: empty if it is."""

    letter: DeadLetter
    role: Role | None
    partition: int
    kept_back: str = ""


@dataclass(frozen=True, slots=True)
class Targets:
    """Where letters may go: partition counts of the input topics by role, and how far events may lie ahead."""

    names: TopicNames
    partitions: Mapping[Role, int]
    max_future_seconds: int
    mapping_file: Path | None = None
    done: frozenset[str] = field(default_factory=frozenset)
    outdated: frozenset[str] = field(default_factory=frozenset)

    def judged(self, letter: DeadLetter) -> Replayed:
        """Return where a letter would go now; kept back if that would help nobody."""
        role = self.names.role_of(letter.source)
        if role is None or role not in self.partitions:
            return Replayed(letter, None, 0, f"{letter.source} is no input topic of this product")
        partition = self._partition(letter, self.partitions[role])
        return Replayed(letter, role, partition, self._why_not(letter, role, partition))

    def _partition(self, letter: DeadLetter, count: int) -> int:
        key = letter.message.key
        if key is not None and stock_key(key) is not None:
            return partition_of(key, count)
        return letter.partition % count

    def _why_not(self, letter: DeadLetter, role: Role, partition: int) -> str:
        if letter.is_cut:
            return "it holds only the beginning of the original: send that again from its source"
        if letter.name in self.done:
            return "it was replayed before"
        if letter.name in self.outdated:
            return "a younger record of its key is in the topic: correct that instead"
        message = letter.message
        record = Message(partition, 0, round(time.time() * 1000), message.key, message.value, letter.original_headers())
        wire = incoming_wire(self.partitions[role], self.max_future_seconds, self.mapping_file)
        entry = wire.decode(RecordBatch(role, letter.source, partition, 0, 1, [record]))
        refused = [f"it would be refused again: {one.code}: {one.reason}" for one in getattr(entry, "rejections", ())]
        return refused[0] if refused else ""


def headers_to_send(letter: DeadLetter) -> list[tuple[str, bytes]]:
    """Return the original headers and whose replay the record is."""
    return [*letter.original_headers(), (REPLAY_OF, letter.name.encode())]


def replays_in(reader: TopicReader, wanted: Sequence[DeadLetter]) -> frozenset[str]:
    """Return which of some letters of a topic lie in it again already: a replay that was interrupted goes on."""
    names = {letter.name for letter in wanted}
    oldest = min((letter.message.timestamp for letter in wanted), default=-1)
    starts = reader.at_times(dict.fromkeys(reader.partitions, oldest)) if oldest >= 0 else reader.starts()
    found = (message.header(REPLAY_OF) for message in reader.read(starts, reader.ends()))
    return frozenset(name.decode(errors="backslashreplace") for name in found if name is not None) & names


def superseded(reader: TopicReader, wanted: Sequence[DeadLetter]) -> frozenset[str]:
    """Return which of some letters of a compacted topic have a younger record of their key: a replay would undo it."""
    latest: dict[bytes | None, tuple[int, int]] = {}
    for message in reader.read(reader.starts(), reader.ends()):
        latest[message.key] = (message.partition, message.offset)
    return frozenset(
        letter.name for letter in wanted if latest.get(letter.message.key, (-1, -1)) > (letter.partition, letter.offset)
    )


def by_source(found: Sequence[DeadLetter]) -> Mapping[str, Sequence[DeadLetter]]:
    """Return letters by the topic they came from."""
    groups: dict[str, list[DeadLetter]] = defaultdict(list)
    for letter in found:
        groups[letter.source].append(letter)
    return groups
