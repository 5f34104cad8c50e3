"""Several machines fit one net: each takes its share of every batch, and the gradients are summed.

They are the machines of ``TF_CONFIG``, as TensorFlow's own tools and
Kubernetes operators set it, and run one command on the same demand. All draw
the same batches, so the sum is the gradient of the whole batch, and all take
the same step; the first one says how long to go on, and publishes.

Source:
    Goyal et al., Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour, 2017, section 2.3 (the loss is
    normalised by the whole batch, not by each share of it).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from model_store.training.backend import tf
from model_store.training.cluster import TF_CONFIG, Cluster
from model_store.training.dataset import Batch
from model_store.training.errors import TrainingFailed
from replenishment.arrays import Float64s

_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Machines:
    """This machine among those that fit together; see `joined`.

    Attributes:
        count: How many they are, 2 or more.
        place: Which of them this is; the first, 0, publishes.
        strategy: TensorFlow's, which connects them.
    """

    count: int
    place: int
    strategy: Any

    @property
    def is_first(self) -> bool:
        """Whether this is the one that decides and publishes."""
        return self.place == 0

    def share(self, batch: Batch) -> tuple[Batch, float]:
        """Return this machine's keys of a batch, and their part of the weights of the whole batch (0 to 1)."""
        rows = slice(self.place, None, self.count)
        own = {name: getattr(batch, name)[rows] for name in ("own", "calendar", "targets", "weights")}
        part = float(own["weights"].sum()) / max(float(batch.weights.sum()), 1e-6)
        return replace(batch, **own), part

    @contextmanager
    def together(self) -> Iterator[None]:
        """Do what all machines do at once.

        Raises:
            TrainingFailed: If one of them went away.
        """
        try:
            yield
        except tf.errors.OpError as gone:
            raise TrainingFailed(
                f"another machine of {TF_CONFIG} went away ({gone.message.splitlines()[0][:200]}). Give the command "
                "again on all of them: the first goes on from what it kept"
            ) from gone

    def summed(self, values: Callable[..., Sequence[Any]], arguments: Sequence[Any]) -> Sequence[Any]:
        """Return the tensors of a function, summed over what it makes on each machine."""

        def everywhere(*given: Any) -> Any:
            made = values(*given)
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, made)

        summed: Sequence[Any] = self.strategy.run(everywhere, args=tuple(arguments))
        return summed

    def told(self, values: Float64s) -> Float64s:
        """Return the values that the first machine has, in the shape of one's own: all ask at the same place."""
        return self._added(values if self.is_first else np.zeros_like(values))

    def agreed(self, value: float) -> float:
        """Return the value that the first machine has."""
        return float(self.told(np.array([value]))[0])

    def _added(self, values: Float64s) -> Float64s:
        with self.together():
            (added,) = self.summed(lambda given: [tf.identity(given)], (tf.constant(values, dtype=tf.float64),))
            return np.asarray(added, dtype=np.float64)

    def require_same(self, run: str) -> None:
        """Require that all fit the same thing.

        Args:
            run: What it is, as a digest in hex.

        Raises:
            TrainingFailed: On all machines, if one differs.
        """
        own = np.array([float(int(run[:_DIGITS], 16))])
        differs = np.abs(self.told(own) - own) > 0
        if self._added(differs.astype(np.float64))[0] > 0:
            which = "this machine has" if differs[0] else "another machine has"
            raise TrainingFailed(
                f"{which} other demand, settings or programs than machine 0: give all of {TF_CONFIG} the same source "
                "with the same --until, the same options and the same directory of versions"
            )


def joined(cluster: Cluster, say: Callable[[str], None]) -> Machines:
    """Return this machine among the others, when all are there; to be called before TensorFlow computed anything."""
    say(f"machine {cluster.place} of {cluster.count} in {TF_CONFIG}: waiting until all are there")
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    say("all are there; " + ("machine 0 publishes" if cluster.place else "this one publishes"))
    return Machines(cluster.count, cluster.place, strategy)
