"""Whole orders become lines."""
