"""Seconds of processor time: of a process with all that it started, and of a Redis."""

import psutil
import redis

from stream_app.embedded.bound_process import BoundProcess


def tree_cpu_seconds(process: BoundProcess) -> float:
    """Return the CPU seconds of a process and its descendants up to now, ended ones included; 0 if it has ended."""
    try:
        first = psutil.Process(process.pid)
        tree = [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    return sum(_cpu_seconds(one) for one in tree)


def tree_resident_bytes(process: BoundProcess) -> int:
    """Return the resident memory of a process and its descendants, in bytes."""
    first = psutil.Process(process.pid)
    return sum(one.memory_info().rss for one in (first, *first.children(recursive=True)))


def redis_cpu_seconds(client: "redis.Redis") -> float:
    """Return the CPU seconds of a Redis and the children that rewrote its files."""
    told = client.info("cpu")
    assert isinstance(told, dict)
    return sum(float(told[f"used_cpu_{one}"]) for one in ("user", "sys", "user_children", "sys_children"))


def _cpu_seconds(process: psutil.Process) -> float:
    try:
        spent = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return spent.user + spent.system + float(spent.children_user) + float(spent.children_system)
