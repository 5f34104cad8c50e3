"""Specs: what cannot be built, and the one JSON form."""

import json
from collections.abc import Callable

import pytest

from model_store.spec import FeatureSpec, ModelSpec, default_features, default_grid, from_json, to_json
from replenishment.buckets import BucketWidth
from replenishment.quantiles import QuantileGrid
from tests.model_store.builders import DAY, lstm_spec


@pytest.mark.parametrize("seconds", [60, 900, 3_600, 86_400, 7 * 86_400, 25_000])
def test_spec_reads_back_what_was_written(seconds: int) -> None:
    spec = lstm_spec(BucketWidth(seconds, 3_600))
    assert from_json(to_json(spec)) == spec
    assert to_json(from_json(to_json(spec))) == to_json(spec)


@pytest.mark.parametrize("change", [{"colour": 1}, {"kind": 5}, {"context_buckets": 0}, {"grid": None}])
def test_json_with_a_field_too_many_or_out_of_range_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(json.dumps({**json.loads(to_json(lstm_spec())), **change}).encode())


def test_json_with_a_field_too_few_or_unknown_deep_inside_is_refused() -> None:
    fields = json.loads(to_json(lstm_spec()))
    with pytest.raises(ValueError, match="unknown or missing"):
        from_json(json.dumps({name: fields[name] for name in ("kind", "width", "grid")}).encode())
    fields["features"]["secret"] = 1
    with pytest.raises(ValueError, match="unknown or missing"):
        from_json(json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (lambda: FeatureSpec((2.0, 7.0)), "half-lives"),
        (lambda: FeatureSpec((7.0, 2.0, 28.0)), "rising"),
        (lambda: FeatureSpec(tuple(float(n) for n in range(1, 10))), "3 to 8"),
        (lambda: FeatureSpec(scale_half_life_buckets=0), "lengths"),
        (lambda: FeatureSpec(long_mean_buckets=10**9), "lengths"),
        (lambda: FeatureSpec(longest_gap_buckets=0), "lengths"),
        (lambda: FeatureSpec(scale_floor_units=0.0), "floor"),
        (lambda: FeatureSpec(buckets_per_day=-1), "buckets per day"),
        (lambda: FeatureSpec(closed_weekdays=(7,)), "weekdays"),
        (lambda: FeatureSpec(closed_weekdays=(3, 1)), "weekdays"),
        (lambda: ModelSpec("../lstm", DAY, default_grid()), "kind"),
        (lambda: ModelSpec("lstm", DAY, default_grid(), 0), "context"),
        (
            lambda: ModelSpec("lstm", BucketWidth(3_600), default_grid(), 9, FeatureSpec(buckets_per_day=1)),
            "do not fit",
        ),
        (lambda: ModelSpec("lstm", DAY, QuantileGrid((1, 10**6), (0.1, 0.9))), "horizon"),
        (lambda: ModelSpec("lstm", DAY, QuantileGrid(tuple(range(1, 4000)), (0.1, 0.5, 0.9))), "grid"),
    ],
)
def test_spec_out_of_range_cannot_be_built(build: Callable[[], object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        build()


def test_calendar_is_off_for_widths_that_do_not_divide_a_day() -> None:
    weekly = default_features(BucketWidth(7 * 86_400), (5,))
    assert (weekly.calendar_inputs, weekly.closed_weekdays) == (0, ())
    assert default_features(BucketWidth(900)).buckets_per_day == 96
