"""Why an embedded server is not there, said so that a reader knows what to do next."""

from pathlib import Path

from stream_app.errors import RestockError

LAST_LINES = 15
OWN_SERVERS = (
    "To use servers of your own: set RESTOCK_KAFKA and RESTOCK_REDIS_URL, then `restock topics create`"
    " and `restock worker`"
)


class EmbeddedUnavailable(RestockError):
    """A part of the embedded servers cannot be fetched, found or started.

    Operator action: mend what the message names and start again, or use servers of your own.

    Args:
        part: What is missing, for example ``Apache Kafka``.
        why: What happened and where.
        log: File of the server's own log; its last lines become part of the message.
    """

    def __init__(self, part: str, why: str, log: Path | None = None) -> None:
        lines = [f"the embedded {part} is not available: {why}", *_excerpt(log), OWN_SERVERS]
        super().__init__("\n  ".join(lines))
        self.part = part


def _excerpt(log: Path | None) -> list[str]:
    if log is None:
        return []
    lines = log.read_text(errors="replace").splitlines()[-LAST_LINES:] if log.exists() else []
    return [*(f"  {line}" for line in lines or ["(nothing was logged)"]), f"the whole log: {log}"]
