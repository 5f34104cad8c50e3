"""A real Kafka and a real Valkey on this machine, from pip and Maven packages alone, gone when this process is."""

from stream_app.embedded.failures import EmbeddedUnavailable
from stream_app.embedded.kafka import KafkaBroker
from stream_app.embedded.servers import Servers, servers
from stream_app.embedded.valkey import ValkeyServer

__all__ = ["EmbeddedUnavailable", "KafkaBroker", "Servers", "ValkeyServer", "servers"]
