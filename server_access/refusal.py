"""Why a broker does not let us in: asked of one connection, since clients try again in silence and tell no cause.

Only what waiting does not mend is a refusal: certificates, logins, protocols
that do not match. A broker that is away or starting is none.
"""

import asyncio
import ssl
from collections.abc import Sequence

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError, SaslAuthenticationFailed, UnsupportedSaslMechanismError
from aiokafka.protocol.metadata import MetadataRequest

from server_access.kafka import KafkaAccess
from server_access.security import PREFIX
from server_access.tls import certificate_fault

ANSWER_SECONDS = 5.0


def refusal(access: KafkaAccess) -> str | None:
    """Return why the brokers refuse us, and what to set, in a sentence; None if one lets us in or all are away.

    For code without an event loop; ``asked_refusal`` is the same within one.
    """
    return asyncio.run(asked_refusal(access))


async def asked_refusal(access: KafkaAccess) -> str | None:
    """Return what ``refusal`` does."""
    reasons = await asyncio.gather(*(server_refusal(access, server) for server in access.servers))
    return None if None in reasons else _first(reasons)


async def server_refusal(access: KafkaAccess, server: str) -> str | None:
    """Return why one ``host:port`` refuses us, None if it does not or is away."""
    try:
        await _connect(access, server)
    except ssl.SSLCertVerificationError as wrong:
        return certificate_fault(PREFIX, f"Kafka at {server}", wrong)
    except SaslAuthenticationFailed:
        return _of_login(access, server)
    except UnsupportedSaslMechanismError as wrong:
        return f"Kafka at {server} takes other logins ({wrong}): set {PREFIX}MECHANISM"
    except (KafkaError, OSError) as wrong:
        is_there = not isinstance(wrong, ConnectionRefusedError | TimeoutError)
        return await _of_protocol(access, server) if is_there else None
    except Exception:  # whatever listens there is no Kafka: clients say so themselves
        return None
    return None


async def _connect(access: KafkaAccess, server: str) -> None:
    host, _, port = server.rpartition(":")
    async with asyncio.timeout(ANSWER_SECONDS):
        link = await create_conn(
            host.strip("[]"), int(port), request_timeout_ms=int(ANSWER_SECONDS * 1000), **access.link_arguments()
        )
        try:
            # a listener that wants a login answers nothing but this question's predecessor without one
            await link.send(MetadataRequest([], allow_auto_topic_creation=False))
        finally:
            await link.close()


def _of_login(access: KafkaAccess, server: str) -> str:
    user = access.login.user if access.login else ""
    mechanism = access.login.mechanism if access.login else ""
    return (
        f"Kafka at {server} does not let in user {user} by {mechanism}: correct {PREFIX}USER or the first line of the "
        f"file {PREFIX}PASSWORD_FILE, or have the user made on the brokers for this mechanism"
    )


async def _of_protocol(access: KafkaAccess, server: str) -> str | None:
    """Return that both sides do not speak the same, if that is so."""
    if access.tls is None:
        if await _speaks_tls(server):
            return f"{PREFIX}PROTOCOL=PLAINTEXT: Kafka at {server} speaks TLS only: set SSL or SASL_SSL"
        return None
    if await _speaks_tls(server):
        return (
            f"Kafka at {server} takes our TLS and closes the connection: it wants a certificate of ours "
            f"({PREFIX}CERTIFICATE_FILE, {PREFIX}KEY_FILE) or a login ({PREFIX}PROTOCOL=SASL_SSL)"
        )
    try:
        await _connect(KafkaAccess(server), server)
    except (KafkaError, OSError, TimeoutError):
        return None
    return (
        f"{PREFIX}PROTOCOL={access.protocol}: Kafka at {server} does not speak TLS: set the address of its TLS listener"
    )


async def _speaks_tls(server: str) -> bool:
    """Whether a handshake succeeds, whoever it is with."""
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    host, _, port = server.rpartition(":")
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=anybody)
    except (OSError, TimeoutError):
        return False
    writer.transport.abort()
    return True


def _first(reasons: Sequence[str | None]) -> str | None:
    return next((reason for reason in reasons if reason is not None), None)
