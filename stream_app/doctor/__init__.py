"""Looks over everything a worker depends on, changes nothing, and says what to do: ``restock doctor``."""
