"""Runs a server that must not outlive the process that asked for it: ``python watchdog.py COMMAND…``.

Standard input is a pipe whose other end that process holds and never writes
to. When it closes, by intent or because its holder is gone (``kill -9``
included), the server is told to end and killed if it does not. The exit code
is the server's. Standard library only: this file runs as a script.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import threading
from functools import partial

GRACE_SECONDS = 10.0
LOOK_SECONDS = 1.0
SET_PARENT_DEATH_SIGNAL = 1


def main() -> int:
    """Run the command given until it or the process that started us ends; return its exit code."""
    server = subprocess.Popen(
        sys.argv[1:],
        stdin=subprocess.DEVNULL,
        # there is one thread only, so far
        preexec_fn=partial(_die_with_parent, os.getpid()) if sys.platform == "linux" else None,  # noqa: PLW1509
    )
    threading.Thread(target=_end_with_holder, args=(server,), daemon=True).start()
    return server.wait()


def _end_with_holder(server: "subprocess.Popen[bytes]") -> None:
    holder = os.getppid()
    # a process that the holder forked may keep the pipe open after its death: so its id is looked at too
    while os.getppid() == holder and not select.select([sys.stdin], [], [], LOOK_SECONDS)[0]:
        pass
    server.terminate()
    try:
        server.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()


def _die_with_parent(watchdog: int) -> None:
    """Ask the kernel to kill the server when this watchdog itself is killed; end at once if it was before."""
    ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != watchdog:
        os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
