"""Bytes of any Kafka client to columns, and what a turn says to bytes; JSON, with CloudEvents where it is used.

Bad input is refused by value, never by an exception. What a record means for
stock is the engine's business, where its bytes come from the transport's.
"""
