"""A server as a process that ends with this one, its log in a file, and waiting until it is ready."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stream_app.embedded.failures import EmbeddedUnavailable
from stream_app.embedded.watchdog import GRACE_SECONDS

POLL_SECONDS = 0.02
WATCHDOG = Path(__file__).with_name("watchdog.py")
INJECTED = frozenset({"CLASSPATH", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"})
"""Variables that would change a server behind our back."""


@dataclass
class BoundProcess:
    """A server behind a watchdog, in a session of its own: Ctrl-C in the terminal does not reach it.

    Attributes:
        name: For messages.
        command: Started in ``folder``.
        folder: Where it keeps all its files.
        environment: Set on top of ours.
    """

    name: str
    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    _watchdog: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def log(self) -> Path:
        """What the server printed since the folder was made."""
        return self.folder / "server.log"

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._watchdog is not None and self._watchdog.poll() is None

    @property
    def pid(self) -> int | None:
        """Process id of its watchdog, whose child the server is; None while it does not run."""
        return self._watchdog.pid if self._watchdog else None

    def begin(self) -> None:
        """Start the server without waiting for it."""
        with self.log.open("ab") as log:
            self._watchdog = subprocess.Popen(
                [sys.executable, "-I", "-S", str(WATCHDOG), *self.command],
                cwd=self.folder,
                env={**_environment(os.environ), **self.environment},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until(self, is_ready: Callable[[], bool], patience_seconds: float) -> None:
        """Return once the server answers; if it does not, it is ended.

        Raises:
            EmbeddedUnavailable: If it ends by itself, or does not answer in time.
        """
        end = time.monotonic() + patience_seconds
        while not is_ready():
            if not self.is_running:
                code = self._watchdog.returncode if self._watchdog else None
                raise self._failed(f"it ended with exit code {code} before it was ready")
            if time.monotonic() > end:
                raise self._failed(f"it was not ready within {patience_seconds:g} s")
            time.sleep(POLL_SECONDS)

    def _failed(self, why: str) -> EmbeddedUnavailable:
        self.kill()
        return EmbeddedUnavailable(self.name, f"{why}; its log says:", self.log)

    def stop(self) -> None:
        """End the server in its own time, then by force; nothing happens if it does not run."""
        if self._watchdog is None:
            return
        if self._watchdog.stdin:
            self._watchdog.stdin.close()  # which is what the watchdog waits for
        try:
            self._watchdog.wait(GRACE_SECONDS + 2)
        finally:
            self.kill()  # a second Ctrl-C while we wait must leave nothing behind either

    def kill(self) -> None:
        """End the server as a crash would: SIGKILL, no last write."""
        if self._watchdog is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._watchdog.pid, signal.SIGKILL)
        self._watchdog.wait()
        if self._watchdog.stdin:
            self._watchdog.stdin.close()
        self._watchdog = None


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in INJECTED}
