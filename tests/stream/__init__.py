"""Tests of the shell: processor, swap, replay, state output."""
