"""Dashboards, recording rules and alerts as code; `make dashboards` writes the files that are committed."""
