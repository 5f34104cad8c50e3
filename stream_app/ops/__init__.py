"""What an operator sees of a running process: logs, health, metrics."""
