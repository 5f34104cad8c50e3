"""Which machines fit together, as ``TF_CONFIG`` says it to all of TensorFlow; who connects them is in `machines`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_store.training.errors import TrainingFailed

TF_CONFIG = "TF_CONFIG"


@dataclass(frozen=True, slots=True)
class Cluster:
    """How many machines fit together, 2 or more, and which of them this is, from 0."""

    count: int
    place: int


def cluster_of(environment: Mapping[str, str]) -> Cluster | None:
    """Return the cluster of ``TF_CONFIG``: a chief comes first, then the workers; None if there is no other machine.

    Raises:
        TrainingFailed: If it cannot be read.

    Example:
        >>> told = '{"cluster": {"chief": ["a:1"], "worker": ["b:1", "c:1"]}, "task": {"type": "worker", "index": 1}}'
        >>> cluster_of({"TF_CONFIG": told})
        Cluster(count=3, place=2)
    """
    raw = environment.get(TF_CONFIG)
    if not raw:
        return None
    try:
        told = json.loads(raw)
        chiefs, workers = (len(told["cluster"].get(kind, [])) for kind in ("chief", "worker"))
        place = _place(told["task"], chiefs, workers)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as wrong:
        raise TrainingFailed(
            f"{TF_CONFIG} names no machine ({wrong}): it must be JSON such as "
            '{"cluster": {"worker": ["host:port", "host:port"]}, "task": {"type": "worker", "index": 0}}'
        ) from wrong
    return Cluster(chiefs + workers, place) if chiefs + workers > 1 else None


def _place(task: Mapping[str, Any], chiefs: int, workers: int) -> int:
    place = int({"chief": 0, "worker": chiefs}[task["type"]] + int(task["index"]))
    if not 0 <= place < chiefs + workers:
        raise ValueError(f"there is no {task['type']} {task['index']}")
    return place
