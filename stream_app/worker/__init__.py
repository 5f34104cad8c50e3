"""The stream worker: one process, one event loop, any number of partitions.

``run`` is the composition root; a ``PartitionRunner`` owns one partition at a
time; the ``Crew`` hands partitions and batches to runners.
"""
