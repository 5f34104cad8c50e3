"""Everything that speaks Kafka: the Faust transport, the topics, the relay of the outbox."""
