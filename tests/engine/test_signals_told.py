"""What is planned reaches whoever steps at a closing: the champion, and an incoming version row by row."""

from collections.abc import Sequence

import numpy as np

from replenishment.arrays import Float32s
from replenishment.engine.rebuild import begin_rebuild, rebuild_chunk
from replenishment.forecaster import ClosedBucket, Forecast, KnownAhead, Serving
from tests.engine.builders import DAY, HOUR, T0, Line, MeanForecaster, fresh, order_columns, play

KEYS = [f"uk|{number}".encode() for number in range(7)]


class Numbered:
    """Tells of each key the number in its name, and of the bucket ahead the bucket that closed."""

    def known(self, bucket: int, keys: Sequence[bytes]) -> KnownAhead:
        values = [[[int(key[3:])], [bucket]] for key in keys]
        return KnownAhead(("promotion",), np.array(values, dtype=np.float32))


class Told(MeanForecaster):
    """Keeps what it was told at its latest closing."""

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        self.latest = closed
        return super().step(closed, memory)


def test_champion_and_incoming_version_are_told_of_their_own_keys() -> None:
    champion, incoming = Told("told-1"), Told("told-2")
    pairs = [(day, key) for day in range(5) for key in KEYS]
    lines = [Line(place, key, T0 + day * DAY + HOUR) for place, (day, key) in enumerate(pairs)]
    state = fresh(serving=Serving(champion))
    play(state, [order_columns(lines[:28], 0, 28)], serving=Serving(champion))
    assert champion.latest.known_ahead is None
    begin_rebuild(state, incoming)
    rebuild_chunk(state, incoming, 3)
    both = Serving(champion, incoming, signals=Numbered())
    play(state, [order_columns(lines[28:], 28, 35)], serving=both)
    for version, known_keys in ((champion, 7), (incoming, 3)):
        known = version.latest.known_ahead
        assert known is not None
        assert known.values[:, 0, 0].tolist() == list(range(known_keys))
        assert set(known.values[:, 1, 0].tolist()) == {version.latest.bucket}
