"""A request is computed again from its evidence alone, whatever its policy, limits and stock."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from replenishment.buckets import BucketWidth
from replenishment.closed_loop.world import Period, World
from stream_app.cli.main import cli
from stream_app.explain.recompute import recomputed
from stream_app.explain.sentences import request_sentences, target
from stream_app.kafka.sender import write_all
from stream_app.wire.outgoing import restock_record
from tests.demo.test_explanation import EVIDENCE, REQUEST
from tests.engine.builders import DAY, HOUR, T0, MeanForecaster
from tests.simulate.test_loop import played, worlds


@settings(max_examples=25)
@given(world=worlds(), lost_sales=st.booleans())
def test_every_request_of_any_world_is_recomputed_from_its_evidence(world: World, lost_sales: bool) -> None:
    loop = played(world, Period(T0, BucketWidth(86_400), 10), lost_sales=lost_sales, forecaster=MeanForecaster())
    for one in loop.orders:
        request = json.loads(restock_record(one.request, None, "urn:restock").value or b"")
        made = recomputed(request["evidence"])
        assert made.differences(request) == []
        assert made.steps[-1].units == made.quantity == one.request.units
        assert all(request_sentences(request))


def test_each_limit_is_shown_with_what_it_left() -> None:
    evidence = EVIDENCE | {"minimum_units": 800, "pack_units": 12, "maximum_units": 700}
    made = recomputed(evidence)
    assert [(step.limit, step.units) for step in made.steps] == [
        ("minimum_units", 800),
        ("pack_units", 804),
        ("cap_units", 804),
        ("maximum_units", 696),
    ]
    assert made.differences(REQUEST | {"quantity": 787, "evidence": evidence}) == [
        "quantity is 787 in the request and 696 from its evidence"
    ]


@pytest.mark.parametrize(
    ("policy", "kind", "said"),
    [
        ("(R,S)", "cycle", "At a review that is below the order-up-to level of 2,000"),
        ("(R,S)", "newsvendor", "with the probability of 95% that the costs make best"),
        ("(s,S)", "fill", "keeps the share of demand met from stock at 95%"),
        ("(s,nQ)", "cycle", "Whole lots of 100 that lift it above the reorder point"),
        ("min/max", "cycle", "the textbook's minimum of 1,214"),
    ],
)
def test_policy_and_kind_of_a_request_are_told_apart(policy: str, kind: str, said: str) -> None:
    evidence = EVIDENCE | {"policy": policy, "service_kind": kind, "order_quantity_units": 100}
    assert said in " ".join(request_sentences(REQUEST | {"evidence": evidence}))


def test_a_lead_time_that_suppliers_made_is_said_where_the_key_has_no_delivery() -> None:
    known = {"lead_time_mean_buckets": 8.5, "lead_time_deviation_buckets": 1.25, "deliveries_observed": 0}
    evidence = EVIDENCE | known | {"lead_time_days": 7, "bucket_seconds": 86_400}
    said = " ".join(request_sentences(REQUEST | {"evidence": evidence}))
    assert "7 days by the catalog, 8.5 ± 1.2 days as suppliers deliver" in said


def test_a_share_is_said_as_precisely_as_it_is_meant() -> None:
    assert target("cycle", 0.8333) == "stays within with a probability of 83.33%"


def replayed(folder: Path) -> list[dict[str, Any]]:
    """Replay a small shop and return the requests of its file ``restocks.ndjson``."""
    rows = [
        {"sku": "A", "quantity": 2 + day % 3, "event_time": T0 + day * DAY + HOUR, "order_id": str(day)}
        for day in range(40)
    ]
    (folder / "orders.ndjson").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (folder / "catalog.csv").write_text("sku,service_kind,pack_units,supplier\nA,fill,6,ACME\n")
    result = CliRunner().invoke(
        cli,
        [
            *("replay", "--orders", str(folder / "orders.ndjson"), "--catalog", str(folder / "catalog.csv")),
            *("--decide-from", "2011-02-20T00:00:00Z", "--model", "moving_average"),
            *("--restocks-out", str(folder / "restocks.ndjson")),
        ],
    )
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in (folder / "restocks.ndjson").read_text().splitlines()]


def test_the_command_explains_a_request_of_a_replay(tmp_path: Path) -> None:
    request = replayed(tmp_path)[-1]
    words = ["explain", request["restock_id"], "--restocks", str(tmp_path / "restocks.ndjson")]
    plain = CliRunner().invoke(cli, words)
    assert plain.exit_code == 0
    assert f"Computed again from these facts: {request['quantity']} units, the same." in plain.stdout
    assert "keeps the share of demand met from stock at 95%" in plain.stdout
    assert "position after" in plain.stdout
    told = json.loads(CliRunner().invoke(cli, [*words, "--json"]).stdout)
    assert told["matches"]
    assert told["request"] == request
    assert told["recomputed"]["quantity"] == request["quantity"]


def test_the_command_says_that_and_why_a_request_was_taken_back(tmp_path: Path) -> None:
    (*_, request) = replayed(tmp_path)
    evidence = request["evidence"] | {"inventory_position": 99, "reorder_point": 33}
    withdrawal = request | {"revision": 2, "quantity": 0, "withdrawn": "needless", "evidence": evidence}
    path = tmp_path / "withdrawn.ndjson"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in (request, withdrawal, request)))
    words = ["explain", request["restock_id"], "--restocks", str(path)]
    plain = CliRunner().invoke(cli, words)
    assert plain.exit_code == 0
    assert f"Computed again from these facts: {request['quantity']} units, the same." in plain.stdout
    assert "without it the inventory position of 99 is above the reorder point of 33" in plain.stdout
    told = json.loads(CliRunner().invoke(cli, [*words, "--json"]).stdout)
    assert (told["request"], told["withdrawal"]) == (request, withdrawal)


def test_evidence_that_was_changed_does_not_make_the_quantity_and_fails(tmp_path: Path) -> None:
    request = replayed(tmp_path)[-1]
    request["evidence"]["on_hand"] -= 12
    path = tmp_path / "changed.ndjson"
    path.write_text(json.dumps(request) + "\n")
    found = CliRunner().invoke(cli, ["explain", request["restock_id"], "--restocks", str(path)])
    assert found.exit_code == 1
    assert "inventory position is" in str(found.exception)


def test_an_unknown_request_and_a_question_about_nothing_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "restocks.ndjson"
    path.write_text("")
    missing = CliRunner().invoke(cli, ["explain", "r-1", "--restocks", str(path)])
    assert f"there is no request r-1 in {path}" in str(missing.exception)
    assert CliRunner().invoke(cli, ["explain"]).exit_code == 2
    assert CliRunner().invoke(cli, ["explain", "r-1", "--location", "uk", "--sku", "A"]).exit_code == 2
    assert CliRunner().invoke(cli, ["explain", "--sku", "A"]).exit_code == 2


def test_the_command_finds_a_request_on_the_topic(
    tmp_path: Path, kafka_bootstrap: str, unique_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTOCK_KAFKA", kafka_bootstrap)
    monkeypatch.setenv("RESTOCK_TOPIC_PREFIX", f"{unique_name}.")
    assert CliRunner().invoke(cli, ["topics", "create", "--partitions", "2"]).exit_code == 0
    requests = replayed(tmp_path)
    values = [(f"main|{one['sku']}".encode(), json.dumps(one).encode()) for one in requests]
    write_all(kafka_bootstrap, f"{unique_name}.restock", values)
    told = json.loads(CliRunner().invoke(cli, ["explain", requests[0]["restock_id"], "--json"]).stdout)
    assert told["request"] == requests[0]
    missing = CliRunner().invoke(cli, ["explain", "r-1"])
    assert f"there is no request r-1 in topic {unique_name}.restock" in str(missing.exception)
