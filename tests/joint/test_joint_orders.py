"""Minimum, budget, waiting and revisions of joint orders, case by case."""

import msgspec
import pytest

from replenishment.joint.decisions import RevisionPassedOn
from replenishment.joint.proposals import DAY_MS, MONEY, SupplyLimited
from tests.joint.builders import START, SUPPLIER, Buyer, excepted, orders, placed, proposal, terms

MINUTE = 60_000


def test_a_supplier_without_terms_gets_every_proposal_as_it_comes() -> None:
    buyer = Buyer()
    decisions = buyer.take(proposal(1), proposal(2))
    assert placed(decisions) == {"id-0001": 10, "id-0002": 10}
    assert [one.because for one in orders(decisions)] == ["no_minimum", "no_minimum"]


def test_proposals_gather_and_go_out_as_one_order_when_the_minimum_is_met() -> None:
    buyer = Buyer(terms(value=25, gather=15))
    assert not buyer.take(proposal(1), proposal(2))
    assert not buyer.pass_hours(0.5)
    decisions = buyer.take(proposal(3, at=START + 40 * MINUTE))
    (order,) = orders(decisions)
    assert placed(decisions) == {"id-0001": 10, "id-0002": 10, "id-0003": 10}
    assert (order.because, order.lines, order.units, order.value) == ("minimum_met", 3, 30, 30 * MONEY)


def test_a_minimum_met_early_still_waits_until_all_have_gathered() -> None:
    buyer = Buyer(terms(units=5, gather=15))
    assert not buyer.take(proposal(1))
    decisions = buyer.take(proposal(2, at=START + 14 * MINUTE), proposal(3, at=START + 16 * MINUTE))
    assert placed(decisions) == {"id-0001": 10, "id-0002": 10}
    assert orders(decisions)[0].placed_at == START + 15 * MINUTE


def test_the_oldest_waits_no_longer_than_the_terms_allow() -> None:
    buyer = Buyer(terms(value=1_000, wait=24))
    buyer.take(proposal(1))
    assert not buyer.pass_hours(23.9)
    decisions = buyer.pass_hours(0.2)
    assert placed(decisions) == {"id-0001": 10}
    assert orders(decisions)[0].because == "waited_long_enough"
    assert orders(decisions)[0].placed_at == START + DAY_MS


def test_silence_is_time_that_passes() -> None:
    buyer = Buyer(terms(value=1_000, wait=1))
    buyer.take(proposal(1))
    assert not buyer.tick(3_599)
    assert placed(buyer.tick(1)) == {"id-0001": 10}


def test_terms_may_say_that_what_stays_below_the_minimum_is_refused() -> None:
    buyer = Buyer(terms(value=1_000, wait=24, below="refuse"))
    buyer.take(proposal(1))
    decisions = buyer.pass_hours(25)
    assert not placed(decisions) and excepted(decisions) == [("id-0001", "refused", "below_minimum")]


def test_the_most_urgent_come_first_and_the_rest_waits_for_the_next_budget() -> None:
    buyer = Buyer(terms(budget=25, days=7))
    buyer.take(proposal(1, urgency=0.5), proposal(2, urgency=-1), proposal(3, urgency=-0.5))
    decisions = buyer.pass_hours(1)
    assert placed(decisions) == {"id-0002": 10, "id-0003": 10}
    assert excepted(decisions) == [("id-0001", "held", "over_budget")]
    assert orders(decisions)[0].budget_left == 5 * MONEY
    assert not buyer.pass_hours(24 * 6)
    decisions = buyer.pass_hours(24)
    assert placed(decisions) == {"id-0001": 10}
    assert orders(decisions)[0].placed_at == START + 7 * DAY_MS


def test_what_is_held_is_told_once_in_each_period() -> None:
    buyer = Buyer(terms(budget=10, days=7, gather=0))
    told = [*buyer.take(proposal(1), proposal(2), proposal(3), proposal(4))]
    assert [one for one, *_ in excepted(told)] == ["id-0002", "id-0003", "id-0004"]
    assert [one for one, *_ in excepted(buyer.pass_hours(7 * 24))] == ["id-0003", "id-0004"]


def test_a_line_dearer_than_the_whole_budget_is_refused_not_held_for_ever() -> None:
    buyer = Buyer(terms(budget=25))
    buyer.take(proposal(1, units=26), proposal(2))
    decisions = buyer.pass_hours(1)
    assert placed(decisions) == {"id-0002": 10}
    assert excepted(decisions) == [("id-0001", "refused", "exceeds_budget")]


def test_what_a_budget_leaves_below_the_minimum_is_not_ordered_before_it_must() -> None:
    buyer = Buyer(terms(value=20, budget=30, days=7, wait=48, gather=0))
    assert placed(buyer.take(proposal(1), proposal(2))) == {"id-0001": 10, "id-0002": 10}
    assert not buyer.take(proposal(3), proposal(4))
    assert placed(buyer.pass_hours(48)) == {"id-0003": 10}


def test_goods_without_a_cost_are_counted_in_the_order() -> None:
    buyer = Buyer(terms(budget=25))
    buyer.take(proposal(1, units=99, cost=None), proposal(2))
    (order,) = orders(buyer.pass_hours(1))
    assert (order.lines, order.value, order.unpriced_lines) == (2, 10 * MONEY, 1)


def test_new_terms_hold_for_what_waits() -> None:
    buyer = Buyer(terms(value=1_000))
    buyer.take(proposal(1))
    buyer.pass_hours(1)
    assert placed(buyer.agree(terms(value=10))) == {"id-0001": 10}


def test_a_proposal_published_twice_is_bought_once() -> None:
    buyer = Buyer(terms(units=10, gather=0))
    assert placed(buyer.take(proposal(1), proposal(1))) == {"id-0001": 10}
    assert not buyer.take(proposal(1))
    assert buyer.turns[-1].repeated == 1


def test_a_proposal_withdrawn_while_it_waits_is_never_bought() -> None:
    buyer = Buyer(terms(units=15))
    buyer.take(proposal(1), proposal(2), proposal(1, units=0, revision=2))
    assert not buyer.pass_hours(1)
    assert placed(buyer.pass_hours(24)) == {"id-0002": 10}


def test_a_withdrawal_of_what_was_bought_is_passed_on() -> None:
    buyer = Buyer()
    (_, first) = buyer.take(proposal(1))
    (passed,) = buyer.take(proposal(1, units=0, revision=2))
    assert isinstance(passed, RevisionPassedOn)
    assert (passed.units, passed.proposal.revision) == (0, 2)
    assert passed.joint_order_id == first.joint_order_id  # type: ignore[union-attr]


def test_a_revision_never_asks_for_more_than_was_bought() -> None:
    buyer = Buyer()
    buyer.take(SupplyLimited(SUPPLIER, b"A", 4, START + DAY_MS, START), proposal(1, key=b"main|A"))
    (passed,) = buyer.take(proposal(1, units=10, key=b"main|A", revision=2))
    assert isinstance(passed, RevisionPassedOn) and passed.units == 4


def test_a_proposal_that_is_not_released_waits_for_its_planner() -> None:
    buyer = Buyer()
    assert not buyer.take(msgspec.structs.replace(proposal(1), is_released=False))
    assert placed(buyer.take(proposal(1, revision=2))) == {"id-0001": 10}


def test_short_supply_is_shared_by_need_and_the_rest_is_told() -> None:
    buyer = Buyer(terms())
    buyer.take(SupplyLimited(SUPPLIER, b"A", 12, START + DAY_MS, START))
    buyer.take(proposal(1, 20, key=b"east|A"), proposal(2, 10, key=b"west|A"), proposal(3, key=b"west|B"))
    decisions = buyer.pass_hours(1)
    assert placed(decisions) == {"id-0001": 8, "id-0002": 4, "id-0003": 10}
    assert excepted(decisions) == [("id-0001", "reduced", "short_supply"), ("id-0002", "reduced", "short_supply")]
    buyer.take(proposal(4, key=b"west|A", at=START + 2 * 60 * MINUTE))
    assert excepted(buyer.pass_hours(1)) == [("id-0004", "refused", "short_supply")]


def test_a_limit_of_supply_ends_at_its_time() -> None:
    buyer = Buyer()
    buyer.take(SupplyLimited(SUPPLIER, b"A", 0, START + DAY_MS, START))
    assert placed(buyer.take(proposal(1, key=b"west|A", at=START + DAY_MS))) == {"id-0001": 10}


@pytest.mark.parametrize(
    "contradiction", [{"gather": 61, "wait": 1}, {"value": 20, "budget": 10}], ids=["gather", "budget"]
)
def test_terms_that_cannot_be_met_together_cannot_be_built(contradiction: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"gather_minutes|budget"):
        terms(**contradiction)  # type: ignore[arg-type]
