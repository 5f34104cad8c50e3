"""One value from which every client's arguments are built: kafka-python's, aiokafka's and, through the latter, Faust's.

A login over a connection that anybody can read cannot be built. Secrets are
in no ``repr``.
"""

import ssl
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Mechanism: TypeAlias = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]
Protocol: TypeAlias = Literal["PLAINTEXT", "SSL", "SASL_SSL"]


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to a broker."""

    mechanism: Mechanism
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """Where Kafka is and how we come in.

    Args:
        bootstrap: ``host:port[,host:port…]``.
        tls: Whom we trust and, with a client certificate, who we are; None = no TLS.
        login: None = none.

    Raises:
        ValueError: If a password would cross the network without TLS.

    Example:
        >>> KafkaAccess("127.0.0.1:9092").protocol
        'PLAINTEXT'
    """

    bootstrap: str
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    login: Login | None = None

    def __post_init__(self) -> None:
        if self.login is not None and self.tls is None:
            raise ValueError("a login needs TLS: without it anybody on the way could read along")

    def __str__(self) -> str:
        """Return the address, for messages."""
        return self.bootstrap

    @property
    def servers(self) -> list[str]:
        """Each ``host:port``."""
        return self.bootstrap.split(",")

    @property
    def protocol(self) -> Protocol:
        """Kafka's name of what is spoken."""
        if self.tls is None:
            return "PLAINTEXT"
        return "SSL" if self.login is None else "SASL_SSL"

    def link_arguments(self) -> dict[str, Any]:
        """Return how to speak to any broker; both client libraries have the same names for it."""
        arguments: dict[str, Any] = {"security_protocol": self.protocol}
        if self.tls is not None:
            arguments["ssl_context"] = self.tls
        if self.login is not None:
            arguments["sasl_mechanism"] = self.login.mechanism
            arguments["sasl_plain_username"] = self.login.user
            arguments["sasl_plain_password"] = self.login.password
        return arguments

    def client_arguments(self) -> dict[str, Any]:
        """Return what a client of kafka-python or aiokafka needs to reach the cluster."""
        return {"bootstrap_servers": self.servers, **self.link_arguments()}
