"""Rows of a file into an input topic: checked first, in order, each once however often the command is interrupted."""
