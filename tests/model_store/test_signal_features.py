"""Inputs made of plans: a strength as it is, a price against its own mean, nothing where nothing is planned."""

import json

import numpy as np
import pytest

from model_store.signal_features import holiday_share, signal_floats, signal_inputs, signal_names
from model_store.signal_spec import SignalSpec
from model_store.spec import FeatureSpec, ModelSpec, default_features, default_grid, from_json, to_json
from replenishment.arrays import Float32s
from replenishment.buckets import BucketWidth
from replenishment.forecaster import ClosedBucket, KnownAhead

DAY = BucketWidth(86_400)
SPEC = FeatureSpec(signals=SignalSpec(("promotion", "price"), ("visits",), (1, 3)))


def closed(known: KnownAhead | None, bucket: int = 15_000) -> ClosedBucket:
    one = np.ones(1, dtype=np.float32)
    return ClosedBucket(bucket, one, one, one, np.zeros(1, dtype=np.int32), known)


def planned(promotion: list[float], price: list[float], visits: float = np.nan) -> KnownAhead:
    values = np.full((1, 4, 3), np.nan, dtype=np.float32)
    values[0, :, 0], values[0, :, 1], values[0, 0, 2] = promotion, np.log(price), visits
    return KnownAhead(("promotion", "price", "visits"), values)


def by_name(inputs: Float32s) -> dict[str, float]:
    return dict(zip(signal_names(SPEC), inputs[0].round(4).tolist(), strict=True))


def fresh() -> Float32s:
    return np.zeros((1, signal_floats(SPEC)), dtype=np.float32)


def test_without_plans_every_input_is_as_usual() -> None:
    assert not signal_inputs(SPEC, fresh(), closed(None)).any()


def test_a_promotion_is_shown_at_the_horizon_that_it_falls_into() -> None:
    shown = by_name(signal_inputs(SPEC, fresh(), closed(planned([0, 0, 1, 0], [10, 10, 10, 10]))))
    assert (shown["promotion"], shown["promotion_ahead_1"], shown["promotion_ahead_3"]) == (0, 0, 0.5)


def test_a_price_is_shown_against_its_own_mean_whatever_its_level() -> None:
    shown = []
    for level in (1, 250):
        memory = fresh()
        for _ in range(5):
            signal_inputs(SPEC, memory, closed(planned([0] * 4, [level * 2.0] * 4)))
        shown.append(by_name(signal_inputs(SPEC, memory, closed(planned([0] * 4, [level * 2.0] + [level * 1.0] * 3)))))
    assert shown[0] == pytest.approx(shown[1], abs=1e-3)
    assert shown[0]["price_ahead_1"] == pytest.approx(np.log(0.5), abs=1e-3)


def test_what_is_measured_afterwards_is_shown_of_the_closed_bucket_only() -> None:
    memory = fresh()
    signal_inputs(SPEC, memory, closed(planned([0] * 4, [1] * 4, visits=100)))
    shown = by_name(signal_inputs(SPEC, memory, closed(planned([0] * 4, [1] * 4, visits=160))))
    assert shown["visits"] > 20
    assert not any(name.startswith("visits_ahead") for name in shown)


def test_a_key_does_not_depend_on_the_keys_beside_it() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(0, 1, (5, 4, 3)).astype(np.float32)
    memory = rng.random((5, signal_floats(SPEC))).astype(np.float32)
    many = np.ones(5, dtype=np.float32)
    names = ("promotion", "price", "visits")
    ages = np.zeros(5, dtype=np.int32)
    together = signal_inputs(SPEC, memory.copy(), ClosedBucket(3, many, many, many, ages, KnownAhead(names, values)))
    alone = signal_inputs(SPEC, memory[2:3].copy(), closed(KnownAhead(names, values[2:3]), 3))
    assert np.array_equal(together[2], alone[0])


def test_holidays_are_found_from_the_dates_that_a_version_ships() -> None:
    wanted = SignalSpec(("holiday",), (), (1, 2), 86_400, ("2011-12-25", "2011-12-26"))
    eve = DAY.bucket_at(1_324_684_800_000)  # 2011-12-24
    assert holiday_share(wanted, range(eve, eve + 4)).tolist() == [0, 1, 1, 0]
    spec = FeatureSpec(signals=wanted)
    shown = signal_inputs(spec, np.zeros((1, signal_floats(spec)), dtype=np.float32), closed(None, eve))
    assert dict(zip(signal_names(spec), shown[0].tolist(), strict=True))["holiday_ahead_1"] == 1


def test_a_spec_without_signals_is_written_as_before_and_one_with_them_comes_back() -> None:
    features = default_features(DAY)
    plain = ModelSpec("lstm", DAY, default_grid(), features=features)
    assert "signals" not in json.loads(to_json(plain))["features"]
    signals = SignalSpec(("promotion",), (), default_grid().horizons_buckets)
    planned = ModelSpec("lstm", DAY, default_grid(), features=FeatureSpec(signals=signals))
    assert from_json(to_json(planned)) == planned
    assert from_json(to_json(plain)) == plain


@pytest.mark.parametrize(
    "wrong",
    [
        ((), (), (1,)),
        (("promotion", "promotion"), (), (1,)),
        (("pro motion",), (), (1,)),
        (("promotion",), (), (2, 1)),
        (("holiday",), (), (1,)),
        (("promotion",), (), (1,), 86_400, ("2011-12-25",)),
        (("holiday",), (), (1,), 86_400, ("2011-12-26", "2011-12-25")),
    ],
)
def test_signals_out_of_range_cannot_be_built(wrong: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match=r"channel|horizons|holiday"):
        SignalSpec(*wrong)  # type: ignore[arg-type]


def test_a_version_reads_signals_at_its_own_horizons() -> None:
    with pytest.raises(ValueError, match="other horizons"):
        ModelSpec("lstm", DAY, default_grid(), features=SPEC)
