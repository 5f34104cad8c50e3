"""``make cluster-sim SEEDS=1000`` lives that many clusters; ``SEED=17`` lives one again and tells its story."""

import sys
import time

from tests.cluster_sim.run import Life, lived

TELL_SECONDS = 5.0


def main() -> int:
    """Return 0 if nothing was violated, 1 if something was."""
    what, number = sys.argv[1], int(sys.argv[2])
    return _again(number) if what == "seed" else _many(number)


def _again(seed: int) -> int:
    life = lived(seed)
    sys.stdout.write("\n".join([*life.story, ""]))
    _say(f"seed {seed}: {life.failure or 'nothing was violated'}; story {life.digest[:16]}")
    return int(life.failure is not None)


def _many(seeds: int) -> int:
    begun = told = time.monotonic()
    failed: list[Life] = []
    faults = 0
    for seed in range(seeds):
        life = lived(seed)
        faults += sum(life.faults.values())
        if life.failure is not None:
            failed.append(life)
            _say(f"seed {seed}: {life.failure}\n    again: make cluster-sim SEED={seed}")
        if time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            _say(f"{seed + 1} of {seeds} seeds, {faults:,} faults, {len(failed)} seeds failed")
    _say(f"{seeds} seeds, {faults:,} faults in {time.monotonic() - begun:.0f} s, {len(failed)} seeds failed")
    return int(bool(failed))


def _say(line: str) -> None:
    sys.stderr.write(f"cluster-sim: {line}\n")


if __name__ == "__main__":
    sys.exit(main())
