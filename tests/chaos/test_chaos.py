"""A short chaos, so that the long one always works: the faults follow from the seed."""

from pathlib import Path

import pytest

from tests.chaos.run import chaos

SEED = 20_111_209
SECONDS = 60.0


# the plain clients of the play leave sockets behind when their broker is killed
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.timeout(400)
def test_faults_at_random_lose_and_double_nothing(tmp_path: Path) -> None:
    survived, done = chaos(tmp_path, SECONDS, SEED, lambda _: None)
    assert sum(survived.values()) >= 3
    assert done.orders > 3_000 and done.requests and done.refused
