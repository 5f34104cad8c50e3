"""How every client of the product comes to Kafka: address, TLS and login, in one value that builds all arguments."""
