"""The shell of Restock: bytes, servers and processes around the trade."""
