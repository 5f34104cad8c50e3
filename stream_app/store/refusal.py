"""Why Redis does not let us in, or does not let us do what we ask for: what no waiting mends."""

import ssl
from collections.abc import Iterator

from redis import exceptions

from server_access.tls import certificate_fault
from stream_app.errors import Forbidden

PREFIX = "RESTOCK_REDIS_"


def refusal(error: BaseException) -> str | None:
    """Return who turns whom away and what to set, in a sentence; None if the error is an outage or something else."""
    # redis-py wraps whatever goes wrong while connecting in a plain ConnectionError
    for cause in _causes(error):
        if isinstance(cause, exceptions.AuthenticationError):
            return f"{PREFIX}URL: the server turns us away ({cause}): check the user and {PREFIX}PASSWORD_FILE"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return certificate_fault(PREFIX, "Redis", cause)
        if isinstance(cause, ssl.SSLError):
            return (
                f"{PREFIX}URL: the server does not take our TLS ({cause.reason or cause}): set the address of its TLS "
                f"port, and {PREFIX}CERTIFICATE_FILE if it asks for a certificate"
            )
    return None


def forbidden(error: exceptions.NoPermissionError) -> Forbidden:
    """Return what to raise where a right is missing."""
    told = " ".join(str(error).split())
    return Forbidden(f"Redis does not allow what this needs ({told}): `restock acl redis` prints the rights needed")


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
