"""Whole clusters in one process on virtual time: the product's code above its ports, faults drawn from a seed.

Real are the engine, the wire, processors, runners, crews, sessions, the
batching consumer, the relay and the follower of the champion. Played are what
lies outside of a worker: Kafka's group and log, Redis with a replica that lags
behind, time, and death.
"""
