"""Fits that outlive their process: weights, moments and place of a run in one file, replaced as a whole.

The file is named for what the run is (demand, plan, net), so the same command
finds it, and no other does. It is arrays only; nothing is unpickled.
"""

import hashlib
import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from model_store.files import replace_durably
from model_store.training.history import DemandHistory
from replenishment.arrays import Float32s

BETWEEN_SECONDS = 5.0
"""What a kill costs at most, beside the step it falls into."""


class Variable(Protocol):
    """A variable of a net or an optimizer."""

    def assign(self, value: Float32s) -> object:
        """Give it a value."""
        ...


@dataclass(slots=True)
class Checkpoint:
    """The file of one fit.

    Attributes:
        path: Where it is, or will be.
        clock: Seconds since some instant.
    """

    path: Path
    clock: Callable[[], float]
    _kept_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._kept_at = self.clock()

    def restored(self, variables: Sequence[Variable]) -> tuple[int, float]:
        """Give variables what was kept, and return the steps done and the loss shown; 0 and NaN if nothing was.

        A file that is damaged or of other variables counts as none.
        """
        try:
            with np.load(self.path, allow_pickle=False) as kept:
                values = [kept[f"v{place}"] for place in range(len(variables))]
                done, loss = int(kept["done"]), float(kept["loss"])
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return 0, float("nan")
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return done, loss

    def keep(self, variables: Sequence[Variable], done: int, loss: float, *, is_last: bool) -> None:
        """Keep a run after so many steps, if it is its last one or the file is some seconds old."""
        now = self.clock()
        if not is_last and now - self._kept_at < BETWEEN_SECONDS:
            return
        self._kept_at = now
        raw = io.BytesIO()
        values = {f"v{place}": np.asarray(variable) for place, variable in enumerate(variables)}
        np.savez(raw, allow_pickle=False, done=np.array(done), loss=np.array(loss), **values)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        replace_durably(self.path, raw.getvalue())


@dataclass(slots=True)
class Checkpoints:
    """A directory of checkpoints, and which of them a run used; it need not exist."""

    directory: Path
    _used: set[Path] = field(default_factory=set)

    def of(self, run: str, clock: Callable[[], float]) -> Checkpoint:
        """Return the checkpoint of a run, by its digest."""
        path = self.directory / f"fit-{run[:32]}.npz"
        self._used.add(path)
        return Checkpoint(path, clock)

    def forget(self) -> None:
        """Delete what this run used: its version is published."""
        for path in self._used:
            path.unlink(missing_ok=True)


def digest_of(history: DemandHistory, *parts: object) -> str:
    """Return the sha256 (hex) of demand and of the text and arrays that a run is made of.

    Example:
        >>> from model_store.training.synthetic import generate
        >>> demand = generate(3, 0, 50, 0)
        >>> digest_of(demand, "a", 1) == digest_of(demand, "a", 1) != digest_of(demand, "b", 1)
        True
    """
    digest = hashlib.sha256(repr((history.width, history.first_bucket, history.demand_units.shape)).encode())
    digest.update(b"\0".join(history.keys))
    for array in (history.demand_units, history.order_lines, history.available_ratio, history.born):
        digest.update(np.ascontiguousarray(array).data)
    for part in parts:
        digest.update(part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return digest.hexdigest()
