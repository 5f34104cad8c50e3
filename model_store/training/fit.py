"""Fits the net: weighted pinball loss, AdamW, a learning rate that always comes to its end.

A run ends after its epochs or its seconds, whichever is first; the cosine
follows the larger of both shares, so that a slow machine gets a shorter run
and never one that is cut off at a high rate.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from math import cos, pi

import numpy as np

from model_store.spec import FeatureSpec
from model_store.training.backend import keras, tf
from model_store.training.checkpoint import Checkpoint
from model_store.training.dataset import Batch, Sequences
from model_store.training.errors import TrainingFailed
from model_store.training.machines import Machines
from model_store.training.nets import Net
from model_store.training.network import DEFAULT_NET, Built, NetArrays, StepWeights, arrays_of, build, set_arrays
from model_store.training.precision import multiplying_in
from model_store.training.progress import Stage
from replenishment.arrays import Float32s

LEARNING_RATE = 3e-3
FINAL_SHARE = 0.02
WEIGHT_DECAY = 1e-4
LONGEST_GRADIENT = 1.0
SMOOTHING = 0.95
"""Weight of the past in the loss that is shown."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long a run lasts and how its learning rate falls.

    Attributes:
        steps: Most steps, 1 or more.
        seconds: Most seconds, above 0; infinity makes a run repeatable to the bit.
        peak: Share of the full learning rate that it begins with, above 0.

    Example:
        >>> schedule = Schedule(steps=100, seconds=50.0)
        >>> schedule.progress(50, 10.0), schedule.progress(50, 40.0), schedule.progress(100, 10.0)
        (0.5, 0.8, 1.0)
        >>> round(schedule.learning_rate(0.0), 5), round(schedule.learning_rate(1.0), 5)
        (0.003, 6e-05)
    """

    steps: int
    seconds: float = float("inf")
    peak: float = 1.0

    def __post_init__(self) -> None:
        if self.steps < 1 or not self.seconds > 0 or not self.peak > 0:
            raise ValueError(f"a run of {self.steps} steps in {self.seconds} s is none")

    def progress(self, step: int, seconds: float) -> float:
        """Return the share of the run that is over after so many steps and seconds; 1 = it ends."""
        return min(1.0, max(step / self.steps, seconds / self.seconds))

    def learning_rate(self, progress: float) -> float:
        """Return the learning rate at a share of the run: a half cosine from the full rate to its final share.

        Source:
            Loshchilov & Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, ICLR 2017.
        """
        return LEARNING_RATE * self.peak * (FINAL_SHARE + (1 - FINAL_SHARE) * (1 + cos(pi * progress)) / 2)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted net: its shape and weights, steps taken, smoothed last loss, and itself for a check of parity."""

    net: Net
    arrays: NetArrays
    steps: int
    loss: float
    forward: Callable[[Float32s, Float32s], Float32s]

    @property
    def weights(self) -> StepWeights:
        """Weights of a net with one LSTM layer, by their own names."""
        return StepWeights.of(self.arrays)


def fit(
    sequences: Sequences,
    spec: FeatureSpec,
    schedule: Schedule,
    seed: int,
    *,
    clock: Callable[[], float],
    stage: Stage,
    net: Net = DEFAULT_NET,
    start: NetArrays | None = None,
    checkpoint: Checkpoint | None = None,
    precision: str = "float32",
    machines: Machines | None = None,
) -> Fitted:
    """Fit a net to sequences.

    Args:
        sequences: What it is shown.
        spec: Features that its inputs are.
        schedule: Length of the run.
        seed: Of the weights at the start and of the order of batches.
        clock: Seconds since some instant.
        stage: Is told of progress, with the loss.
        net: Its shape.
        start: Weights to go on from; None: drawn with the seed.
        checkpoint: Where the run is kept from time to time; what is there is gone on with.
        precision: In which it multiplies; see `precision`. What is returned is float32 all the same.
        machines: Who takes part; None: this machine alone.

    Raises:
        TrainingFailed: If the loss is no number, or another machine went away.
    """
    keras.utils.set_random_seed(seed)
    with multiplying_in(precision):
        built = build(spec, sequences.grid, net)
    if start is not None:
        set_arrays(built.whole, start)
    optimizer = _optimizer(built)
    step = _stepper(built, optimizer, sequences, machines)
    variables = [*built.whole.variables, *optimizer.variables]
    done, shown_loss = checkpoint.restored(variables) if checkpoint else (0, float("nan"))
    if machines is not None:
        done, shown_loss = _from_first(machines, variables, done, shown_loss)
    begun, progress = clock(), schedule.progress(done, 0.0)
    batches = sequences.batches(seed, done)
    while progress < 1:
        loss = step(next(batches), schedule.learning_rate(progress))
        if not np.isfinite(loss):
            raise TrainingFailed(f"the loss is {loss} after {done} steps: it diverged. Train again with another --seed")
        done += 1
        shown_loss = loss if done == 1 else SMOOTHING * shown_loss + (1 - SMOOTHING) * loss
        progress = schedule.progress(done, clock() - begun)
        if machines is not None:
            progress = machines.agreed(progress)
        stage(progress, 1.0, f"loss {shown_loss:.4f}  step {done}")
        if checkpoint is not None:
            checkpoint.keep(variables, done, shown_loss, is_last=progress >= 1)
    whole = built.whole
    if precision != "float32":  # what is served is compared with float32
        whole = build(spec, sequences.grid, net).whole
        whole.set_weights(built.whole.get_weights())
    return Fitted(net, arrays_of(whole), done, shown_loss, _forward(whole))


def pinball_loss(quantiles: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor, sequences: Sequences) -> tf.Tensor:
    """Return the mean weighted pinball loss of a batch, over demand per bucket in units of scale.

    Level l weighs (l (1 - l))^(-1/4), scaled to a mean of 1: tails matter for
    stock, and their own loss is small.

    Args:
        quantiles: Of demand summed over each horizon, in units of scale, (B, S, H, Q).
        targets: Demand summed over each horizon / (scale * horizon), (B, S, H).
        weights: Of each target, (B, S, H).
        sequences: Whose grid it is.
    """
    levels = np.array(sequences.grid.levels)
    level_weights = (levels * (1 - levels)) ** -0.25
    level_weights /= level_weights.sum()
    horizons = tf.constant(sequences.grid.horizons_buckets, dtype=tf.float32)
    above = quantiles / horizons[:, None] - targets[..., None]
    # max(l (y - q), (l - 1) (y - q)) = max(q - y, 0) - l (q - y): sums over levels become products.
    over = tf.linalg.matvec(tf.nn.relu(above), tf.constant(level_weights, dtype=tf.float32))
    losses = over - tf.linalg.matvec(above, tf.constant(level_weights * levels, dtype=tf.float32))
    return tf.reduce_sum(losses * weights) / tf.maximum(tf.reduce_sum(weights), 1e-6)


def _optimizer(built: Built) -> keras.Optimizer:
    optimizer = keras.optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY, global_clipnorm=LONGEST_GRADIENT)
    optimizer.build(built.whole.trainable_variables)
    return optimizer


def _from_first(
    machines: Machines, variables: Sequence[tf.Variable], done: int, shown_loss: float
) -> tuple[int, float]:
    """Give variables the values of the first machine, which may go on from a checkpoint; return its steps and loss."""
    for variable in variables:
        value = np.asarray(variable)
        variable.assign(machines.told(value.astype(np.float64)).astype(value.dtype))
    begun, loss = machines.told(np.array([done, shown_loss if done else 0.0])).tolist()
    return int(begun), loss if begun else float("nan")


def _stepper(
    built: Built, optimizer: keras.Optimizer, sequences: Sequences, machines: Machines | None
) -> Callable[[Batch, float], float]:
    """Return what takes one step at a learning rate and returns the loss, that of the whole batch."""
    variables = built.whole.trainable_variables

    def gradients(part: tf.Tensor, places: tf.Tensor, *arrays: tf.Tensor) -> list[tf.Tensor]:
        own, calendar, targets, weights = arrays
        with tf.GradientTape() as tape:
            remembered, shown = (tf.gather(one, places, axis=1) for one in (built.reader(own, training=True), own))
            quantiles = built.teller([remembered, shown, calendar], training=True)
            loss = part * pinball_loss(quantiles, targets, weights, sequences)
        return [loss, *tape.gradient(loss, variables)]

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def step(*arguments: tf.Tensor) -> tf.Tensor:
        made = gradients(*arguments) if machines is None else machines.summed(gradients, arguments)
        optimizer.apply(made[1:], variables)
        return made[0]

    def taken(batch: Batch, learning_rate: float) -> float:
        optimizer.learning_rate.assign(learning_rate)
        share, part = (batch, 1.0) if machines is None else machines.share(batch)
        arrays = (share.own, share.calendar, share.targets, share.weights)
        shown = (tf.constant(array, dtype=tf.float32) for array in (part, *arrays))
        arguments = (next(shown), tf.constant(batch.places), *shown)
        with nullcontext() if machines is None else machines.together():
            return float(step(*arguments))

    return taken


def _forward(model: keras.Model) -> Callable[[Float32s, Float32s], Float32s]:
    def forward(own: Float32s, calendar: Float32s) -> Float32s:
        """Return quantiles (B, L, H, Q) of standardised inputs (B, L, O) and (B, L, C)."""
        return np.asarray(model([own, calendar], training=False), dtype=np.float32)

    return forward
