"""Asking Redis until it gives a definite answer: what is an outage, what is a refusal, and how long to wait.

A request whose fate is unknown (a timeout, a lost connection) is made again,
exactly the same; the scripts recognise it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import stamina
from redis import exceptions

from stream_app.errors import ConfigError, RestockError, StateCorrupt, Unavailable
from stream_app.store.refusal import forbidden, refusal

FIRST_WAIT_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 2.0
JITTER_SECONDS = 0.25
AWAY_CODES = ("BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "OOM", "READONLY", "TRYAGAIN")
"""Errors by which a server says that it cannot serve now; it may later."""
_AWAY = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.OutOfMemoryError,
    exceptions.ReadOnlyError,
    exceptions.ClusterDownError,
    exceptions.MasterDownError,
    exceptions.TryAgainError,
    exceptions.MovedError,
    exceptions.AskError,
    OSError,
)

T = TypeVar("T")


def is_away(error: Exception) -> bool:
    """Return whether an error says nothing about the request, only that the server cannot serve it now.

    Example:
        >>> is_away(exceptions.OutOfMemoryError("used memory > 'maxmemory'"))
        True
        >>> is_away(exceptions.ResponseError("WRONGTYPE Operation against a key"))
        False
    """
    if isinstance(error, _AWAY):
        return True
    return isinstance(error, exceptions.ResponseError) and str(error).startswith(AWAY_CODES)


def nobody(_: str = "") -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to ask, and who is told meanwhile.

    ``seconds`` None = for ever; ``on_unavailable`` is told why at each failure,
    ``on_available`` that an answer came.
    """

    seconds: float | None = None
    on_unavailable: Callable[[str], None] = nobody
    on_available: Callable[[], None] = nobody

    async def ask(self, request: Callable[[], Awaitable[T]]) -> T:
        """Make a request until the answer is definite, with growing pauses.

        A server that turns us away is asked no more, unless patience has no end.

        Raises:
            Unavailable: If there was none in time.
            ConfigError: If the server turns us away.
            Forbidden: If a right is missing.
            StateCorrupt: If the server refused it for what is stored.
        """
        try:
            async for attempt in stamina.retry_context(
                on=self._retries,
                attempts=None,
                timeout=self.seconds,
                wait_initial=FIRST_WAIT_SECONDS,
                wait_max=LONGEST_WAIT_SECONDS,
                wait_jitter=JITTER_SECONDS,
            ):
                with attempt:
                    answer = await request()
        except exceptions.RedisError as error:
            raise _classed(error) from error
        except OSError as error:
            raise _classed(error) from error
        self.on_available()
        return answer

    def _retries(self, error: Exception) -> bool:
        if not is_away(error):
            return False
        self.on_unavailable(refusal(error) or reason(error))
        return self.seconds is None or refusal(error) is None


def reason(error: Exception) -> str:
    """Return an error as one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _classed(error: Exception) -> RestockError:
    turned_away = refusal(error)
    if turned_away is not None:
        return ConfigError([turned_away])
    if isinstance(error, exceptions.NoPermissionError):
        return forbidden(error)
    if is_away(error):
        return Unavailable(
            f"Redis gives no answer ({reason(error)}). Start it, or set RESTOCK_REDIS_URL to where it is"
        )
    return StateCorrupt(
        f"Redis refuses a request for what is stored ({reason(error)}). Keep its files; restore a back-up, or choose "
        "another RESTOCK_STATE_PREFIX to rebuild from the topics"
    )
