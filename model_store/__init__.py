"""Rooms of a model version: what it is, how it is made, where versions are kept."""
