"""Listeners of the embedded broker with TLS and logins, and its authorizer, beside the open listener.

The open listener on loopback is the administrator's: whoever comes by it may
do everything. Nobody else may do anything that no ACL allows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"


@dataclass(frozen=True, slots=True)
class GuardedListener:
    """``SSL`` asks for a client certificate and takes its subject for the user; ``SASL_SSL`` asks for a login.

    ``server_pem`` holds the server's certificate and its private key, ``ca_pem`` whom it trusts.
    """

    name: str
    protocol: Literal["SSL", "SASL_SSL"]
    server_pem: Path
    ca_pem: Path

    def properties(self, users: Mapping[str, str]) -> Mapping[str, str]:
        """Return what the broker's configuration says of it."""
        own = {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.server_pem),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.ca_pem),
            "ssl.client.auth": "required" if self.protocol == "SSL" else "none",
        }
        if self.protocol == "SASL_SSL":
            named = " ".join(f'user_{name}="{password}"' for name, password in users.items())
            own |= {
                "sasl.enabled.mechanisms": ",".join(MECHANISMS),
                "plain.sasl.jaas.config": f"{_PLAIN} {named};",
                "scram-sha-256.sasl.jaas.config": _SCRAM,
                "scram-sha-512.sasl.jaas.config": _SCRAM,
            }
        return {f"listener.name.{self.name.lower()}.{key}": value for key, value in own.items()}


@dataclass(frozen=True, slots=True)
class Guard:
    """Guarded listeners and the users who may log in, with their passwords."""

    listeners: Sequence[GuardedListener]
    users: Mapping[str, str] = field(repr=False)

    def properties(self) -> Mapping[str, str]:
        """Return what the broker's configuration says of listeners and authorizer, without addresses."""
        merged = {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }
        for listener in self.listeners:
            merged |= listener.properties(self.users)
        return merged

    def format_arguments(self) -> Sequence[str]:
        """Return what has Kafka's storage tool know the users before the first start."""
        return [
            argument
            for name, password in self.users.items()
            for mechanism in MECHANISMS[1:]
            for argument in ("--add-scram", f"{mechanism}=[name={name},password={password}]")
        ]


LOG: Mapping[str, str] = {"logger.rights.name": "kafka.authorizer.logger", "logger.rights.level": "DEBUG"}
"""Has the broker log every use of a right, not only refusals."""
