"""Faults at random on real processes and servers, then an audit of everything: ``make chaos MINUTES=…``."""
