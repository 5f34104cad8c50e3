"""The catalog's category goes to the forecaster with every bucket, stepped or rebuilt, for new SKUs to lean on."""

from replenishment.arrays import Float32s
from replenishment.engine.rebuild import begin_rebuild, rebuild_chunk
from replenishment.events import CatalogEntry
from replenishment.forecaster import ClosedBucket, Forecast, Serving
from tests.engine.builders import DAY, HOUR, T0, Line, MeanForecaster, catalog_batch, fresh, order_columns, play


class Asked(MeanForecaster):
    """Remembers which categories it was told, by bucket."""

    def __init__(self, version: str) -> None:
        super().__init__(version)
        self.told: dict[int, list[bytes]] = {}

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        assert closed.categories is not None
        self.told[closed.bucket] = closed.categories.tolist()
        return super().step(closed, memory)


def test_a_forecaster_is_told_the_categories_of_the_keys_it_steps() -> None:
    champion, incoming = Asked("mean-1"), Asked("mean-2")
    state = fresh(serving=Serving(champion))
    keys = [b"uk|a", b"uk|b"]
    entries = [catalog_batch([CatalogEntry(keys[0], category="toys")])]
    lines = [Line(n, keys[n % 2], T0 + n // 2 * DAY + HOUR, 1) for n in range(10)]
    play(state, [*entries, order_columns(lines, 0, len(lines))], serving=Serving(champion))
    assert set(map(tuple, champion.told.values())) == {(b"toys", b"")}
    begin_rebuild(state, incoming)
    assert rebuild_chunk(state, incoming, 10) is not None
    assert incoming.told == champion.told
