"""The command ``restock``: data on stdout, messages on stderr; exit 0, 1 failed, 2 wrong usage or settings."""
