"""The access to Kafka in Faust's own terms."""

import faust

from server_access.kafka import KafkaAccess


def faust_credentials(kafka: KafkaAccess) -> faust.SSLCredentials | faust.SASLCredentials | None:
    """Return what an app takes as ``broker_credentials``; None if there is neither TLS nor a login."""
    if kafka.tls is None:
        return None
    if kafka.login is None:
        return faust.SSLCredentials(kafka.tls)
    return faust.SASLCredentials(
        username=kafka.login.user,
        password=kafka.login.password,
        ssl_context=kafka.tls,
        mechanism=kafka.login.mechanism,
    )
