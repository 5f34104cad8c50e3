"""Contracts for others, generated from the code: JSON Schemas of the topics and an AsyncAPI document."""
