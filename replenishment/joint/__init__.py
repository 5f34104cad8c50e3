"""Joint orders: what a supplier is asked for together, within its minimum, a budget and what it has.

Pure, as the engine is: ``advance`` takes a batch of proposals or terms, or
silence, and yields turns. Which proposals wait and what becomes of them is a
function of the sequence of records and ticks, however that is cut.
"""
