"""Splitting whole orders into lines: a stateless stage before the worker."""
