"""Dashboards and rules: generated from code, every expression parses and asks for what a worker really shows."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import ProcessCollector, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from deploy.observability import rules
from deploy.observability.dashboards import ALL
from deploy.observability.write import contents
from model_store.training.trainer_page import TrainerMeter
from tests.ops.test_metrics import scripted

ROOT = Path(__file__).parents[2]
DASHBOARDS: dict[str, dict[str, Any]] = {
    one.name: json.loads(contents()[f"grafana/dashboards/{one.name}.json"]) for one in ALL
}
RULES: dict[str, Any] = yaml.safe_load(contents()["prometheus/rules.yml"])
ADDED_BY_PROMETHEUS = {"job", "instance"}


def panels(name: str) -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARDS[name]["panels"] if panel["type"] != "row"]


def queries() -> Iterator[tuple[str, str]]:
    """Yield every expression with its place."""
    for name, dashboard in DASHBOARDS.items():
        for panel in panels(name):
            yield from ((f"{name}: {panel['title']}", target["expr"]) for target in panel["targets"])
        yield from ((f"{name}: {one['name']}", one["target"]["expr"]) for one in dashboard["annotations"]["list"])
    for group in RULES["groups"]:
        yield from ((rule.get("alert") or rule["record"], rule["expr"]) for rule in group["rules"])


def shown() -> Mapping[str, list[Mapping[str, str]]]:
    """Return the labels of every series that a worker or a trainer shows, and what rules record."""
    meter = scripted()
    ProcessCollector(registry=meter.registry)
    found: dict[str, list[Mapping[str, str]]] = {"up": [{}]}
    text = generate_latest(meter.registry).decode() + generate_latest(TrainerMeter().registry).decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found | {rule["record"]: [{}] for rule in rules.recording_rules()}


def parsed(expression: str) -> promql_parser.Expr:
    return promql_parser.parse(expression.replace("$__rate_interval", "5m"))


def parts(expression: promql_parser.Expr) -> list[Any]:
    """Return an expression and all it is made of."""
    found: list[Any] = []
    waiting: list[Any] = [expression]
    while waiting:
        one = waiting.pop()
        found.append(one)
        for name in ("lhs", "rhs", "expr", "param", "vector_selector"):
            inner = getattr(one, name, None)
            if isinstance(inner, promql_parser.Expr):
                waiting.append(inner)
        waiting += getattr(one, "args", None) or []
    return found


def test_what_is_committed_is_what_the_code_gives() -> None:
    for name, content in contents().items():
        assert (ROOT / "deploy" / name).read_text() == content, "run `make dashboards`"
    there = {f"grafana/dashboards/{file.name}" for file in (ROOT / "deploy/grafana/dashboards").iterdir()}
    assert there == {name for name in contents() if name.startswith("grafana")}
    assert set(DASHBOARDS) == {"overview", "stream", "forecast", "replenishment", "training"}


@pytest.mark.parametrize(("place", "expression"), list(queries()))
def test_an_expression_asks_for_series_that_a_worker_shows(place: str, expression: str) -> None:
    there = shown()
    found = parts(parsed(expression))
    selectors = [one for one in found if isinstance(one, promql_parser.VectorSelector)]
    assert selectors, place
    for selector in selectors:
        assert selector.name in there, f"{place}: no worker shows {selector.name}"
        for matcher in selector.matchers.matchers:
            if matcher.name in ADDED_BY_PROMETHEUS:
                continue
            values = {labels.get(matcher.name) for labels in there[selector.name or ""]} - {None}
            assert values, f"{place}: {selector.name} has no label {matcher.name}"
            if matcher.op in (promql_parser.MatchOp.Equal, promql_parser.MatchOp.Re):
                assert all(wanted in values for wanted in matcher.value.split("|")), (place, matcher.value, values)


@pytest.mark.parametrize(("place", "expression"), list(queries()))
def test_an_expression_groups_by_labels_that_its_series_have(place: str, expression: str) -> None:
    there = shown()
    found = parts(parsed(expression))
    names = [one.name for one in found if isinstance(one, promql_parser.VectorSelector)]
    labels = ADDED_BY_PROMETHEUS | {label for name in names for one in there[name or ""] for label in one}
    for one in found:
        if isinstance(one, promql_parser.AggregateExpr) and one.modifier is not None:
            assert set(one.modifier.labels) <= labels, place


def test_the_checks_above_can_fail() -> None:
    for wrong in ("restock_nothing_total", 'restock_turns_total{outcome="eaten"}', 'restock_turns_total{sku="a"}'):
        with pytest.raises(AssertionError):
            test_an_expression_asks_for_series_that_a_worker_shows("here", wrong)
    with pytest.raises(AssertionError):
        test_an_expression_groups_by_labels_that_its_series_have("here", "sum by (sku) (restock_turns_total)")


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_says_what_it_shows_and_works_with_any_prometheus(name: str) -> None:
    dashboard = DASHBOARDS[name]
    assert dashboard["title"] and dashboard["description"] and dashboard["uid"] == f"restock-{name}"
    assert not dashboard["editable"] and "__inputs" not in dashboard
    variables = {one["name"]: one for one in dashboard["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "instance"]
    assert variables["datasource"]["type"] == "datasource"
    assert all(variables[one]["refresh"] == 2 for one in ("job", "instance"))
    assert {one["name"] for one in dashboard["annotations"]["list"]} == {"Model swaps", "Rebalances"}
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in panels(name):
        assert panel["title"] and panel["description"] and panel["fieldConfig"]["defaults"]["unit"] and panel["targets"]
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            expression = target["expr"]
            assert expression.count("restock_") + expression.count("process_") == expression.count(
                'job=~"$job",instance'
            )
            assert target["datasource"]["uid"] == "${datasource}"
            assert bool(re.search(r"\b(rate|increase|changes)\(", expression)) == ("$__rate_interval" in expression)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_of_a_dashboard_do_not_overlap(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARDS[name]["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and max(x for x, _ in cells) < 24
        taken |= cells


def test_every_alert_is_found_in_its_runbook_and_dashboard() -> None:
    told = [rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule]
    page = (ROOT / rules.RUNBOOK).read_text()
    headings = re.findall(r"^## (\w+)\n\n(.+)$", page, re.MULTILINE)
    assert [name for name, _ in headings] == [rule["alert"] for rule in told]
    assert all(len(paragraph) > 100 for _, paragraph in headings)
    for rule in told:
        assert re.fullmatch(r"Restock([A-Z][a-z]+)+", rule["alert"])
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        notes = rule["annotations"]
        assert "{{" not in notes["summary"] and "{{" in notes["description"]
        assert notes["runbook_url"].endswith("#" + rule["alert"].lower())
        assert notes["dashboard_url"].removeprefix("/d/restock-") in DASHBOARDS


def test_the_promise_is_an_edge_of_the_histogram_and_burns_over_two_windows() -> None:
    edges = {labels["le"] for labels in shown()["restock_freshness_seconds_bucket"]}
    assert f"{rules.FRESH_SECONDS:.1f}" in edges
    burns = [alert for alert in rules.ALERTS if "Burn" in alert.name or "Budget" in alert.name]
    assert len(burns) == 3
    for alert in burns:
        assert len(set(re.findall(r"ratio_rate(\w+)", alert.expression))) == 2
