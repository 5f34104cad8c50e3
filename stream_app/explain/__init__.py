"""Decisions in plain sentences: why a request has its quantity, and why nothing was requested."""
