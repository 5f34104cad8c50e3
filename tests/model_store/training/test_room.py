"""Room for inputs: what does not fit into memory is the same from a file, and a disk without room is told of."""

from pathlib import Path

import numpy as np
import pytest

from model_store.spec import FeatureSpec
from model_store.training.dataset import sequences
from model_store.training.errors import UnusableHistory
from model_store.training.room import Room
from tests.model_store.training.builders import steady
from tests.model_store.training.test_dataset import GRID

SPEC = FeatureSpec(buckets_per_day=1)
GENEROUS_BYTES = 2**30


def test_inputs_from_a_file_are_those_from_memory(tmp_path: Path) -> None:
    held = sequences(steady(), SPEC, GRID, 0)
    kept = sequences(steady(), SPEC, GRID, 0, room=Room(200_000, GENEROUS_BYTES, tmp_path))
    assert isinstance(kept.own, np.memmap)
    for name in ("own", "calendar", "signals", "scale", "units_before", "missing_before"):
        assert np.array_equal(getattr(held, name), getattr(kept, name)), name
    assert held.standardisation.mean.tolist() == kept.standardisation.mean.tolist()
    for ours, theirs, _ in zip(held.batches(3), kept.batches(3), range(3), strict=False):
        assert ours.own.tobytes() == theirs.own.tobytes()
    assert not list(tmp_path.iterdir())


def test_of_more_keys_than_memory_holds_a_sample_is_drawn_unless_a_disk_holds_them(tmp_path: Path) -> None:
    sampled = sequences(steady(), SPEC, GRID, 0, room=Room(200_000))
    assert 0 < len(sampled.history.keys) < len(steady().keys)
    kept = sequences(steady(), SPEC, GRID, 0, room=Room(200_000, GENEROUS_BYTES, tmp_path))
    assert len(kept.history.keys) == len(steady().keys)


def test_disk_without_the_room_is_told_of_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UnusableHistory, match=r"inputs take 4000000\.0 GB in a file, and .* GB left"):
        Room(1, 2**60, tmp_path / "new").on_disk((10**6, 10**6, 1_000))
    assert not list(tmp_path.glob("*/*"))
