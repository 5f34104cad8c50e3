"""Durable state of partitions: one script per turn in Redis, or dicts in memory; both keep one contract.

A store knows table names, row widths and packed bytes, nothing of the trade.
"""
