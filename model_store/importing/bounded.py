"""A graph examined in a process of its own, with bounded memory and time: what goes wrong there stops nobody else.

The child is this module; it reads a wish and a graph from stdin and writes
what it found to stdout.
"""

import resource
import subprocess
import sys

import msgspec

from model_store.errors import ArtifactCorrupt
from model_store.importing.wish import Examined, Wish

_MOST_MEMORY_BYTES = 6 * 2**30
_MOST_SECONDS = 300.0


class _Answer(msgspec.Struct, frozen=True):
    """What the child says: the graph, or why it is refused."""

    found: Examined | None
    refused: str | None


def examined_apart(
    raw: bytes, wish: Wish, *, most_seconds: float = _MOST_SECONDS, most_memory_bytes: int = _MOST_MEMORY_BYTES
) -> Examined:
    """Return what `examine.examined` does, from a child process.

    Raises:
        ArtifactCorrupt: As there; or if the child took more time or memory than allowed, or died.
    """
    said = msgspec.json.encode(wish)
    command = [sys.executable, "-m", __name__, str(len(said)), str(most_memory_bytes), str(round(most_seconds))]
    try:
        done = subprocess.run(command, input=said + raw, capture_output=True, timeout=most_seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise _gave_up(f"it was not examined within {most_seconds:g} s") from error
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise _gave_up(f"examining it ended with {last[0][:200]}; {most_memory_bytes >> 20} MiB of memory are allowed")
    answer = msgspec.json.decode(done.stdout, type=_Answer)
    if answer.found is None:
        raise ArtifactCorrupt(answer.refused)
    return answer.found


def _gave_up(what: str) -> ArtifactCorrupt:
    return ArtifactCorrupt(f"the graph is refused: {what}. Make it smaller")


def _answered(said: bytes, raw: bytes) -> _Answer:
    from model_store.importing.examine import examined  # noqa: PLC0415 - under the limits, which are set before

    try:
        return _Answer(examined(raw, msgspec.json.decode(said, type=Wish)), None)
    except ArtifactCorrupt as error:
        return _Answer(None, str(error))


def _main(said_bytes: int, most_memory_bytes: int, most_seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (most_seconds, most_seconds + 1))
    if sys.platform == "linux":  # elsewhere it is not kept, or counts what is not used
        resource.setrlimit(resource.RLIMIT_AS, (most_memory_bytes, most_memory_bytes))
    given = sys.stdin.buffer.read()
    sys.stdout.buffer.write(msgspec.json.encode(_answered(given[:said_bytes], given[said_bytes:])))


if __name__ == "__main__":
    _main(*map(int, sys.argv[1:]))
