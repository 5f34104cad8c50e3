"""Transfers before buying: what another location offers is not bought, and the giver is told."""

import json

from replenishment.joint.decisions import RequestTransferred, RevisionPassedOn
from replenishment.joint.proposals import DAY_MS, MONEY, SurplusOffered
from stream_app.wire.joint_orders import BuyerWire
from tests.joint.builders import START, SUPPLIER, Buyer, orders, placed, proposal, terms
from tests.joint.test_buyer_wire import proposed


def offer(location: str, units: int, *, sku: str = "A", at: int = START) -> SurplusOffered:
    return SurplusOffered(SUPPLIER, f"{location}|{sku}".encode(), units, START + DAY_MS, at)


def transferred(decisions: object) -> dict[str, bytes]:
    return {one.proposal.restock_id: one.source for one in decisions if isinstance(one, RequestTransferred)}  # type: ignore[attr-defined]


def test_a_location_with_surplus_gives_and_nothing_is_bought() -> None:
    buyer = Buyer()
    buyer.take(offer("east", 25))
    decisions = buyer.take(proposal(1, key=b"west|A"), proposal(2, key=b"north|A"), proposal(3, key=b"south|A"))
    assert transferred(decisions) == {"id-0001": b"east|A", "id-0002": b"east|A"}
    assert placed(decisions) == {"id-0003": 10}


def test_the_most_urgent_is_given_first_and_the_rest_is_ordered() -> None:
    buyer = Buyer(terms(gather=15))
    buyer.take(offer("east", 10))
    buyer.take(proposal(1, key=b"west|A", urgency=0.5), proposal(2, key=b"north|A", urgency=-0.5))
    decisions = buyer.pass_hours(1)
    assert transferred(decisions) == {"id-0002": b"east|A"}
    assert placed(decisions) == {"id-0001": 10}
    assert orders(decisions)[0].value == 10 * MONEY


def test_a_proposal_is_transferred_whole_or_not_at_all() -> None:
    buyer = Buyer()
    buyer.take(offer("east", 9), offer("north", 9))
    assert placed(buyer.take(proposal(1, key=b"west|A"))) == {"id-0001": 10}


def test_who_has_most_gives_and_nobody_gives_to_itself_or_another_sku() -> None:
    buyer = Buyer()
    buyer.take(offer("west", 99), offer("east", 20), offer("north", 30), offer("south", 99, sku="B"))
    assert transferred(buyer.take(proposal(1, key=b"west|A"))) == {"id-0001": b"north|A"}


def test_an_offer_reaches_what_waits_already_and_ends_at_its_time() -> None:
    buyer = Buyer(terms(value=1_000, wait=100))
    buyer.take(proposal(1, key=b"west|A"))
    assert transferred(buyer.take(offer("east", 10))) == {"id-0001": b"east|A"}
    buyer.take(offer("east", 50), proposal(2, key=b"west|A", at=START + DAY_MS))
    assert not transferred(buyer.pass_hours(1))


def test_a_request_to_another_location_says_so_and_the_giver_is_told() -> None:
    (one,) = proposed().messages
    buyer = Buyer()
    buyer.take(SurplusOffered(one.supplier, b"east|A", one.units, START + 9 * DAY_MS, START - 9 * DAY_MS))  # type: ignore[union-attr]
    buyer.take(one)
    request, event, adjusted = [json.loads(it.value or b"") for it in BuyerWire(1, None).encode(buyer.turns[-1], None)]
    assert (request["source_location"], request["quantity"]) == ("east", one.units)  # type: ignore[union-attr]
    assert (event["type"], event["source_location"], event["location"]) == ("transfer_placed", "east", "uk")
    told = (adjusted["type"], adjusted["location"], adjusted["delta"])
    assert told == ("stock_adjusted", "east", -one.units)  # type: ignore[union-attr]


def test_a_withdrawn_transfer_gives_the_units_back() -> None:
    buyer = Buyer()
    buyer.take(offer("east", 10), proposal(1, key=b"west|A"))
    (passed,) = buyer.take(proposal(1, units=0, key=b"west|A", revision=2))
    assert isinstance(passed, RevisionPassedOn)
    assert (passed.units, passed.before, passed.source) == (0, 10, b"east|A")
    request, back = [json.loads(one.value or b"") for one in BuyerWire(1, None).encode(buyer.turns[-1], None)]
    assert (request["source_location"], request["quantity"]) == ("east", 0)
    assert (back["location"], back["delta"]) == ("east", 10)
