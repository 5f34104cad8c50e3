"""Two hundred clusters lose and double nothing; the same seed is the same life; guards taken away are missed."""

from itertools import count

import pytest

from tests.cluster_sim.mutants import MUTANTS
from tests.cluster_sim.run import lived

SEEDS = 200


@pytest.mark.timeout(400)
def test_two_hundred_clusters_lose_and_double_nothing() -> None:
    lives = [lived(seed) for seed in range(SEEDS)]
    failed = {life.seed: f"{life.failure}; again: make cluster-sim SEED={life.seed}" for life in lives if life.failure}
    assert not failed
    happened = {fault for life in lives for fault in life.faults}
    assert {"crash", "sleep", "lost word", "failover", "rebalance", "switch", "retention"} <= happened


def test_a_seed_lives_the_same_life_again() -> None:
    assert lived(5).digest == lived(5).digest
    assert lived(5).digest != lived(6).digest


@pytest.mark.timeout(300)
@pytest.mark.parametrize("guard", sorted(MUTANTS))
def test_a_guard_taken_away_is_found_within_two_hundred_seeds(guard: str) -> None:
    with MUTANTS[guard]():
        found = next(seed for seed in count() if seed == SEEDS or lived(seed).failure is not None)
    assert found < SEEDS
