"""What to raise when Kafka does not answer, does not let us in, or does not allow what we ask for."""

from server_access.kafka import KafkaAccess
from server_access.refusal import refusal
from stream_app.errors import ConfigError, Forbidden, RestockError, Unavailable

FORBIDDEN_TOPIC = 29
"""Kafka's error code TOPIC_AUTHORIZATION_FAILED."""


def require_admission(kafka: KafkaAccess) -> None:
    """Return if a broker lets us in, or none can be asked now.

    Clients that are refused try again in silence and tell no cause in the
    end, so one connection is tried before. Without TLS there is nothing to refuse.

    Raises:
        ConfigError: Says what refuses us, and what to set.
    """
    why = refusal(kafka) if kafka.tls is not None else None
    if why is not None:
        raise ConfigError([why])


def away(kafka: KafkaAccess, wrong: BaseException) -> RestockError:
    """Return what to raise when no client could be made: refused for good, or away for now."""
    why = refusal(kafka)
    if why is not None:
        return ConfigError([why])
    return Unavailable(f"Kafka at {kafka} does not answer ({wrong}): start it or set RESTOCK_KAFKA")


def is_forbidden(wrong: BaseException) -> bool:
    """Whether an error of either client library says that a right is missing; some say so in their text only."""
    return "AuthorizationFailed" in f"{type(wrong).__name__} {wrong}"


def forbidden(kafka: KafkaAccess, what: str) -> Forbidden:
    """Return what to raise when a right is missing; ``what`` is what we may not do."""
    user = f"user {kafka.login.user}" if kafka.login else "this client"
    return Forbidden(
        f"Kafka at {kafka} does not allow {user} {what}: `restock acl kafka` prints the rights that are needed"
    )
