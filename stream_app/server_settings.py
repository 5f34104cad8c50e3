"""Settings of the servers that everything stands on: where Kafka and Redis are, and how we come in."""

import os
from pathlib import Path
from typing import Self
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from server_access.kafka import KafkaAccess, Mechanism, Protocol
from server_access.security import KafkaSecurity
from server_access.tls import first_line, tls_context
from stream_app.errors import ConfigError

PREFIX = "RESTOCK_"


def variable(name: str) -> str:
    """Return the environment variable of a setting.

    Example:
        >>> variable("bucket_seconds")
        'RESTOCK_BUCKET_SECONDS'
    """
    return PREFIX + name.upper()


class ServerSettings(BaseSettings):
    """Addresses and access of Kafka and Redis; `settings.Settings` is these and all others."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid")

    kafka: str = Field("127.0.0.1:9092", description="Bootstrap servers of Kafka: `host:port[,host:port…]`.")
    kafka_protocol: Protocol = Field(
        "PLAINTEXT",
        description="`PLAINTEXT`, `SSL` (TLS, perhaps with a certificate of ours) or `SASL_SSL` (TLS and a login).",
    )
    kafka_mechanism: Mechanism = Field(
        "SCRAM-SHA-512", description="Of the login: `SCRAM-SHA-512`, `SCRAM-SHA-256` or `PLAIN`."
    )
    kafka_user: str = Field("", description="Whom to log in as.")
    kafka_password_file: Path | None = Field(None, description="File whose first line is the password of that user.")
    kafka_ca_file: Path | None = Field(
        None, description="PEM file of the authorities that Kafka's certificates come from; unset = the system's."
    )
    kafka_certificate_file: Path | None = Field(
        None, description="PEM file of our certificate, for brokers that ask for one."
    )
    kafka_key_file: Path | None = Field(None, description="PEM file of its private key, without a passphrase.")
    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        description="Redis or Valkey 7 or later: `redis://`, `rediss://` or `unix:///path?db=0`; no password inside.",
    )
    redis_password_file: Path | None = Field(
        None, description="File whose first line is the password of Redis; unset = none."
    )
    redis_ca_file: Path | None = Field(
        None, description="As `RESTOCK_KAFKA_CA_FILE`, for `rediss://`; unset = the system's."
    )
    redis_certificate_file: Path | None = Field(None, description="PEM file of our certificate, if Redis asks for one.")
    redis_key_file: Path | None = Field(None, description="PEM file of its private key, without a passphrase.")

    @field_validator("kafka")
    @classmethod
    def _is_bootstrap_servers(cls, value: str) -> str:
        for server in value.split(","):
            host, _, port = server.rpartition(":")
            if not host or not port.isdigit() or not 0 < int(port) < 65_536:
                raise ValueError(f"{server!r} is no host:port")
        return value

    @field_validator("redis_url")
    @classmethod
    def _is_redis_url(cls, value: str) -> str:
        url = urlsplit(value)
        if url.scheme not in ("redis", "rediss", "unix") or not (url.hostname or (url.scheme == "unix" and url.path)):
            raise ValueError("must be redis://host:port/db, rediss://host:port/db or unix:///path?db=0")
        if url.password:
            raise ValueError("must not hold a password: put it into a file named by RESTOCK_REDIS_PASSWORD_FILE")
        return value

    @field_validator(
        "kafka_password_file",
        "kafka_ca_file",
        "kafka_certificate_file",
        "kafka_key_file",
        "redis_password_file",
        "redis_ca_file",
        "redis_certificate_file",
        "redis_key_file",
        "mapping_file",
        check_fields=False,  # the last is of those who build on this
    )
    @classmethod
    def _is_readable(cls, value: Path | None) -> Path | None:
        if value is not None and not (value.is_file() and os.access(value, os.R_OK)):
            raise ValueError(f"{value} is no readable file")
        return value

    @model_validator(mode="after")
    def _lets_in(self) -> Self:
        self._security().access(self.kafka)
        self._require_redis_files()
        return self

    def _security(self) -> KafkaSecurity:
        return KafkaSecurity(
            protocol=self.kafka_protocol,
            mechanism=self.kafka_mechanism,
            user=self.kafka_user,
            password_file=self.kafka_password_file,
            ca_file=self.kafka_ca_file,
            certificate_file=self.kafka_certificate_file,
            key_file=self.kafka_key_file,
        )

    def _require_redis_files(self) -> None:
        files = {"ca_file": self.redis_ca_file, "certificate_file": self.redis_certificate_file}
        if not self.redis_url.startswith("rediss://"):
            for name in (name for name, file in files.items() if file is not None):
                raise ValueError(f"{variable(f'redis_{name}')}: has no effect without RESTOCK_REDIS_URL=rediss://…")
            return
        tls_context(variable("redis_"), self.redis_ca_file, self.redis_certificate_file, self.redis_key_file)

    def kafka_access(self) -> KafkaAccess:
        """Return where Kafka is and how we come in, from which the arguments of every client are built.

        Raises:
            ConfigError: If a file has gone or changed since the settings were read.
        """
        try:
            return self._security().access(self.kafka)
        except ValueError as wrong:
            raise ConfigError([str(wrong)]) from None

    def redis_address(self) -> str:
        """Return ``redis_url`` with TLS and the password of the file put in; never print it.

        Raises:
            ConfigError: If the file has gone since the settings were read.
        """
        url = urlsplit(self.redis_url)
        files = {
            "ssl_ca_certs": self.redis_ca_file,
            "ssl_certfile": self.redis_certificate_file,
            "ssl_keyfile": self.redis_key_file,
        }
        given = urlencode({name: str(file) for name, file in files.items() if file is not None})
        url = url._replace(query="&".join(part for part in (url.query, given) if part))
        if self.redis_password_file is not None:
            try:
                password = quote(first_line("RESTOCK_REDIS_PASSWORD_FILE", self.redis_password_file), safe="")
            except ValueError as wrong:
                raise ConfigError([str(wrong)]) from None
            url = url._replace(netloc=f"{url.username or ''}:{password}@{url.netloc.rpartition('@')[2]}")
        return urlunsplit(url)
