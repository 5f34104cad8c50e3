"""LightGBM beside the others: it learns, does not peek, never crosses, and is not missed where it is not installed."""

import subprocess
import sys
from pathlib import Path
from time import monotonic

import numpy as np
import polars as pl
import pytest

from model_store.training.comparison import Rolled
from model_store.training.evaluate import evaluate
from model_store.training.history import DemandHistory
from model_store.training.peer_lightgbm import LightgbmPeer, PeerMissing
from model_store.training.scoring import Origins, actuals_of, scores_of
from tests.model_store.training.builders import DAY, SILENT, generated, history_from

ORIGINS = Origins((100, 110), (3, 7))


def rolled(history: DemandHistory) -> Rolled:
    try:
        return LightgbmPeer(rounds=12)(history, ORIGINS, SILENT, monotonic)
    except PeerMissing as missing:
        pytest.skip(str(missing))


def test_peer_forecasts_better_than_the_textbook_and_never_crosses() -> None:
    from model_store.kinds.moving_average import fallback

    history = generated(80, 130, 5)
    made = rolled(history)
    actuals = actuals_of(history, ORIGINS)
    found = scores_of(actuals, made.forecasts, ORIGINS.leads, actuals.top)
    textbook = evaluate(fallback(DAY), history, ORIGINS)
    assert all(found[lead].spb < textbook[lead].spb for lead in ORIGINS.leads)
    assert found[7].missing == 0
    known = made.forecasts.quantiles[made.forecasts.is_there]
    assert (np.diff(known, axis=1) >= 0).all() and (known >= 0).all()


def test_peer_forecasts_the_same_whatever_comes_after_the_origin() -> None:
    history = generated(30, 130, 6)
    units = history.demand_units.copy()
    units[:, 100:] += 40
    other = history_from(units, born=history.born.tolist())
    same = history_from(history.demand_units, born=history.born.tolist())
    one, two = (rolled(each).forecasts.quantiles for each in (same, other))
    np.testing.assert_array_equal(one[:, 0], two[:, 0])
    assert not np.array_equal(one[:, 1], two[:, 1])


def test_command_says_how_to_install_a_peer_that_is_missing(tmp_path: Path) -> None:
    lines = [
        {"sku": sku, "quantity": 3, "event_time": f"2011-{1 + day // 28:02}-{1 + day % 28:02}"}
        for day in range(110)
        for sku in "abc"
    ]
    pl.DataFrame(lines).write_csv(tmp_path / "orders.csv")
    program = (
        "import sys; sys.modules['lightgbm'] = None\n"
        "from model_store.cli.main import main\n"
        "main(['evaluate', '--orders', sys.argv[1], '--first-origin', '2011-04-15', '--leads', '3', "
        "'--models', 'lightgbm,moving_average'])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "orders.csv")],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert ended.returncode == 0, ended.stderr
    assert "pip install 'restock[peers]'" in ended.stderr
    assert "moving_average" in ended.stdout
