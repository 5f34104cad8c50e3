"""What the inputs of a net may take: memory first, then a file that nobody else sees and that is gone with the run."""

import shutil
import tempfile
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from model_store.training.errors import UnusableHistory
from replenishment.arrays import Float32s

DEFAULT_MEMORY_BYTES = 2**30


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes for inputs and sums; of more keys than they hold a sample is drawn.

    Attributes:
        memory_bytes: In memory, 1 or more.
        disk_bytes: In a file where memory does not hold them; 0: in none.
        directory: Where the file is.
    """

    memory_bytes: int = DEFAULT_MEMORY_BYTES
    disk_bytes: int = 0
    directory: Path | None = None

    @property
    def most_bytes(self) -> int:
        """What they may take at most, wherever they are."""
        return max(self.memory_bytes, self.disk_bytes)

    def on_disk(self, shape: tuple[int, ...]) -> Float32s:
        """Return zeros in a file without a name, which is gone when nothing refers to them.

        Raises:
            UnusableHistory: If the disk has not the room.
        """
        if not prod(shape):
            return np.zeros(shape, dtype=np.float32)
        if self.directory is not None:
            self.directory.mkdir(parents=True, exist_ok=True)
        place, needed_bytes = self.directory or Path(tempfile.gettempdir()), 4 * prod(shape)
        free_bytes = shutil.disk_usage(place).free
        if needed_bytes > free_bytes:
            raise UnusableHistory(
                f"inputs take {needed_bytes / 1e9:.1f} GB in a file, and {place} has {free_bytes / 1e9:.1f} GB left. "
                "Name another --work, or a smaller --disk-gb"
            )
        with tempfile.TemporaryFile(dir=place) as file:
            file.truncate(needed_bytes)
            return np.memmap(file, dtype=np.float32, mode="r+", shape=shape)


IN_MEMORY = Room()
