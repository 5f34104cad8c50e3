"""The engine of one partition: records and time in, effects out; every decision is a function of the sequence."""
