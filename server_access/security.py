"""TLS and login as an operator tells them: by variables that name files. The files are read here and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

from server_access.kafka import KafkaAccess, Login, Mechanism, Protocol
from server_access.tls import first_line, tls_context

PREFIX = "RESTOCK_KAFKA_"


@dataclass(frozen=True, slots=True)
class KafkaSecurity:
    """Fields are the settings ``RESTOCK_KAFKA_…`` of the same names; empty or None = unset."""

    protocol: Protocol = "PLAINTEXT"
    mechanism: Mechanism = "SCRAM-SHA-512"
    user: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    def access(self, bootstrap: str) -> KafkaAccess:
        """Return the access to the brokers at ``host:port[,host:port…]``, all files read.

        Raises:
            ValueError: In a sentence for an operator, if the settings do not fit together or a file is not what it
                should be.
        """
        self._require_consistent()
        if self.protocol == "PLAINTEXT":
            return KafkaAccess(bootstrap)
        tls = tls_context(PREFIX, self.ca_file, self.certificate_file, self.key_file)
        if self.protocol == "SSL" or self.password_file is None:
            return KafkaAccess(bootstrap, tls)
        password = first_line(f"{PREFIX}PASSWORD_FILE", self.password_file)
        return KafkaAccess(bootstrap, tls, Login(self.mechanism, self.user, password))

    def _require_consistent(self) -> None:
        """Refuse what would be silently without effect, and what is missing."""
        login = {"USER": self.user, "PASSWORD_FILE": self.password_file}
        files = {"CA_FILE": self.ca_file, "CERTIFICATE_FILE": self.certificate_file, "KEY_FILE": self.key_file}
        if self.protocol == "SASL_SSL":
            for name in (name for name, value in login.items() if not value):
                raise ValueError(f"{PREFIX}{name}: must be set with {PREFIX}PROTOCOL=SASL_SSL")
            return
        useless = login if self.protocol == "SSL" else {**login, **files}
        for name in (name for name, value in useless.items() if value):
            wanted = "SASL_SSL" if name in login else "SSL or SASL_SSL"
            raise ValueError(
                f"{PREFIX}{name}: has no effect with {PREFIX}PROTOCOL={self.protocol}; set that to {wanted}"
            )


def security_told(environ: Mapping[str, str]) -> KafkaSecurity:
    """Return what the variables ``RESTOCK_KAFKA_…`` say.

    Raises:
        ValueError: If one of two choices is none.

    Example:
        >>> security_told({"RESTOCK_KAFKA_PROTOCOL": "SSL", "RESTOCK_KAFKA_CA_FILE": "ca.pem"}).ca_file.name
        'ca.pem'
    """
    told = {one.name: environ.get(PREFIX + one.name.upper(), "") for one in fields(KafkaSecurity)}
    for name, choices in (("protocol", get_args(Protocol)), ("mechanism", get_args(Mechanism))):
        if told[name] and told[name] not in choices:
            raise ValueError(f"{PREFIX}{name.upper()}={told[name]}: must be one of {', '.join(choices)}")
    values: dict[str, Any] = {
        name: Path(value) if name.endswith("_file") else value for name, value in told.items() if value
    }
    return KafkaSecurity(**values)
