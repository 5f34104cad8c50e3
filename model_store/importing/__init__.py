"""Graphs from elsewhere become versions: brought into the stored form, tried out, and refused by name if they fail."""
