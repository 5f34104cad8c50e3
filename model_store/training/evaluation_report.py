"""An evaluation as JSON values and as a table for people; figures are worked out in `scoring` and `paired`."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from model_store.training.comparison import Comparing
from model_store.training.paired import Comparison
from model_store.training.scoring import LeadScore, scores_of
from model_store.training.segments import segments_of
from model_store.training.stock_value import StockValue
from model_store.training.times import shown
from replenishment.arrays import Bools

SCHEMA = 1
_DIGITS = 6
_WIDTHS = (4, 6, 6, 6, 6, 6, 6, 7, 7, 7, 7)


def as_json(found: Comparing, comparisons: tuple[Comparison, ...], seconds: float) -> dict[str, Any]:
    """Return an evaluation as JSON values.

    Args:
        found: The evaluation.
        comparisons: Pairs of its models.
        seconds: That the whole command took.

    Returns:
        ``models``: {model: {lead: {spb, wpb, wape, bias, coverage: {level: share}, n, missing}}}; ``segments``: the
        same for each segment; ``keys``: how many each has; ``comparisons``; ``cleaning``; ``origins`` and ``leads``;
        ``stock`` by model; ``seconds``, ``sku_steps_per_second``, ``bytes_per_sku``; ``not_evaluated`` with reasons;
        ``learnt_from_scored_buckets``: models that look better than they are.
    """
    backtest, actuals = found.backtest, found.actuals
    segments = segments_of(backtest.actual, actuals, backtest.origins.columns[0])
    efforts = found.efforts.items()
    return {
        "schema": SCHEMA,
        "models": _scores(found, actuals.top),
        "segments": {name: _scores(found, _wide(rows, actuals.top)) for name, rows in segments.items()},
        "keys": {"all": len(backtest.actual.keys), **{name: int(rows.sum()) for name, rows in segments.items()}},
        "comparisons": [_comparison(one) for one in comparisons],
        "cleaning": {one.rule: {"lines": one.lines, "units": one.units, "keys": one.keys} for one in backtest.findings},
        "bucket_seconds": backtest.actual.width.seconds,
        "origins": [shown(backtest.origin_at(column)) for column in backtest.origins.columns],
        "leads": list(backtest.origins.leads),
        "seconds": {
            "total": round(seconds, 3),
            "fit": {name: round(one.fit_seconds, 3) for name, one in efforts},
            "step": {name: round(one.step_seconds, 3) for name, one in efforts},
        },
        "sku_steps_per_second": {name: round(one.steps / max(one.step_seconds, 1e-9)) for name, one in efforts},
        "bytes_per_sku": {name: one.memory_bytes for name, one in efforts},
        "stock": {name: _stock(one) for name, one in found.stock.items()},
        "not_evaluated": dict(found.not_evaluated),
        "learnt_from_scored_buckets": list(found.have_seen_scored),
    }


def _wide(rows: Bools, like: Bools) -> Bools:
    return np.repeat(rows[:, None], like.shape[1], axis=1)


def _scores(found: Comparing, rows: Bools) -> dict[str, dict[str, Any]]:
    leads = found.backtest.origins.leads
    return {
        name: {str(lead): _score(one) for lead, one in scores_of(found.actuals, made, leads, rows).items()}
        for name, made in found.forecasts.items()
    }


def _score(score: LeadScore) -> dict[str, Any]:
    """Figures, null where nothing was scored."""

    def figure(value: float) -> float | None:
        return round(value, _DIGITS) if score.n else None

    return {
        "spb": figure(score.spb),
        "wpb": figure(score.wpb),
        "wape": figure(score.wape),
        "bias": figure(score.bias),
        "coverage": {f"{level:g}": figure(share) for level, share in score.coverage.items()},
        "n": score.n,
        "missing": score.missing,
    }


def _stock(value: StockValue) -> dict[str, Any]:
    """Buckets of stock at each fill rate, null where none reaches it, and the curve of both."""
    at_fill = {f"{rate:g}": stock and round(stock, 3) for rate, stock in value.at_fill.items()}
    curve = [[round(one.fill_rate, 5), round(one.stock_buckets, 3)] for one in value.curve]
    return {"at_fill_rate": at_fill, "curve": curve}


def _comparison(one: Comparison) -> dict[str, Any]:
    return {
        "model": one.model,
        "against": one.against,
        "lead": one.lead,
        "change": round(one.change, _DIGITS),
        "low": round(one.low, _DIGITS),
        "high": round(one.high, _DIGITS),
        "keys": one.keys,
    }


def table(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a table of a report made by `as_json`."""
    origins, keys = report["origins"], report["keys"]
    group = f"{keys['established']} established keys" if keys["established"] else "keys with a lead sum"
    yield (
        f"{group} of {keys['all']}, {len(origins)} origins from {origins[0]} to {origins[-1]}, "
        f"buckets of {report['bucket_seconds']} s"
    )
    width = max(len("model"), *(len(name) for name in report["models"]))
    names = ("lead", "sPB", "wPB", "WAPE", "bias", "cov .8", "cov .9", "cov .95", "cov .99", "n", "missing")
    yield "  ".join([f"{'model':<{width}}", *(f"{name:>{size}}" for name, size in zip(names, _WIDTHS, strict=True))])
    for name, leads in report["models"].items():
        for lead, one in leads.items():
            yield f"{name:<{width}}  {lead:>4}  {_figures(one)}  {one['n']:>7}  {one['missing']:>7}"
    for name in report["learnt_from_scored_buckets"]:
        yield f"{name} learnt from buckets that it is scored on: it looks better than it is"
    for name, one in report["stock"].items():
        reached = ", ".join(
            f"{_number(stock, 1).strip()} at {100 * float(rate):g} %" for rate, stock in one["at_fill_rate"].items()
        )
        yield f"{name}: buckets of stock by fill rate {reached}"
    if report["comparisons"]:
        yield "sPB of the first against the second, with a 95 % interval over keys:"
    for one in report["comparisons"]:
        change, low, high = (f"{100 * one[name]:+.1f}" for name in ("change", "low", "high"))
        yield f"  {one['model']} against {one['against']}, lead {one['lead']}: {change} % [{low}, {high}]"


def _figures(one: Mapping[str, Any]) -> str:
    coverage = one["coverage"]
    figures = [one["spb"], one["wpb"], one["wape"], one["bias"], *(coverage[level] for level in ("0.8", "0.9"))]
    text = "  ".join(_number(value, 6) for value in figures)
    return f"{text}  {_number(coverage['0.95'], 7)}  {_number(coverage['0.99'], 7)}"


def _number(value: float | None, width: int) -> str:
    return f"{'–':>{width}}" if value is None else f"{value:>{width}.3f}"
