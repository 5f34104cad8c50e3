"""TLS and login as an operator tells them: by variables that name files. The files are read here and nowhere else."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

from kafka_access.access import KafkaAccess, Login, Mechanism, Protocol

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


def tls_context(prefix: str, ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Return TLS 1.2 or later that checks names; trusts ``ca`` alone or, without one, what this machine trusts.

    Args:
        prefix: What the settings that name the files begin with, for messages.
        ca: PEM file of one or more authorities.
        certificate: PEM file of our own certificate, for servers that ask who we are.
        key: Its private key, PEM without a passphrase.

    Raises:
        ValueError: In a sentence for an operator, if a file is missing or is not that.
    """
    if (certificate is None) != (key is None):
        raise ValueError(f"{prefix}CERTIFICATE_FILE, {prefix}KEY_FILE: set both or none")
    try:
        context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    except OSError as wrong:
        raise ValueError(f"{prefix}CA_FILE: {ca} holds no PEM certificates ({_reason(wrong)})") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None and key is not None:
        try:
            # an empty passphrase: one that is asked for would wait at the terminal for ever
            context.load_cert_chain(str(certificate), str(key), password="")
        except (OSError, ValueError) as wrong:
            raise ValueError(
                f"{prefix}CERTIFICATE_FILE, {prefix}KEY_FILE: {certificate} and {key} are no PEM certificate and its "
                f"private key without a passphrase ({_reason(wrong)})"
            ) from None
    return context


def first_line(variable: str, file: Path) -> str:
    """Return the secret in a file.

    Raises:
        ValueError: If there is none; the message names the setting and the file.
    """
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as wrong:
        raise ValueError(f"{variable}: {file} cannot be read ({_reason(wrong)})") from None
    if not lines or not lines[0]:
        raise ValueError(f"{variable}: {file} has no first line")
    return lines[0]


def _reason(wrong: Exception) -> str:
    if isinstance(wrong, ssl.SSLError):
        return (wrong.reason or "no PEM").lower().replace("_", " ")
    return getattr(wrong, "strerror", None) or type(wrong).__name__
