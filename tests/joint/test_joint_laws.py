"""Laws of joint orders: nothing lost, nothing doubled, never beyond budget or supply, however cut."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as some

from replenishment.engine.effects import RowWrites
from replenishment.joint.advance import BuyerEffects, loaded
from replenishment.joint.allocation import allocated
from replenishment.joint.book import Book
from replenishment.joint.decisions import Decision, JointOrderPlaced, ProposalExcepted, RequestPlaced
from replenishment.joint.proposals import (
    DAY_MS,
    HOUR_MS,
    MONEY,
    Message,
    Proposal,
    SupplierTerms,
    SupplyLimited,
    TimePassed,
)
from tests.joint.builders import START, Buyer, proposal, terms

SUPPLIERS = ["acme", "zenith"]


@some.composite
def agreements(draw: some.DrawFn) -> list[SupplierTerms]:
    minimum = some.none() | some.integers(1, 60)
    return [
        terms(
            value=draw(minimum),
            units=draw(minimum),
            budget=draw(some.none() | some.integers(60, 200)),
            days=draw(some.sampled_from([1, 7])),
            gather=draw(some.sampled_from([0, 15, 60])),
            wait=draw(some.sampled_from([1, 24])),
            below=draw(some.sampled_from(["place", "refuse"])),
            supplier=supplier,
        )
        for supplier in draw(some.lists(some.sampled_from(SUPPLIERS), unique=True))
    ]


@some.composite
def histories(draw: some.DrawFn) -> list[Message]:
    at, number, messages = START, 0, list[Message]()
    for kind in draw(some.lists(some.sampled_from("pppppprlt"), max_size=40)):
        at += draw(some.sampled_from([0, 0, 60_000, HOUR_MS, 8 * HOUR_MS]))
        supplier, sku = draw(some.sampled_from(SUPPLIERS)), draw(some.sampled_from(["A", "B"]))
        if kind == "t":
            messages.append(TimePassed(at))
        elif kind == "l":
            messages.append(SupplyLimited(supplier, sku.encode(), draw(some.integers(0, 50)), at + DAY_MS, at))
        elif kind == "r" and number:
            earlier = [one for one in messages if isinstance(one, Proposal)]
            messages.append(draw(some.sampled_from(earlier)))
        else:
            number += 1
            key = f"{draw(some.sampled_from(['east', 'west', 'north']))}|{sku}".encode()
            units, pack = draw(some.integers(1, 6)), draw(some.sampled_from([1, 6]))
            cost, urgency = draw(some.sampled_from([None, 1.0, 2.5])), draw(some.sampled_from([-1.0, 0.0, 1.0]))
            messages.append(
                proposal(number, units * pack, at=at, urgency=urgency, cost=cost, pack=pack, key=key, supplier=supplier)
            )
    return messages


def rows(turns: Sequence[BuyerEffects]) -> dict[tuple[str, bytes], bytes]:
    """Return every row as the store would have it after the turns."""
    kept: dict[tuple[str, bytes], bytes] = {}
    for turn in turns:
        for writes in turn.writes:
            width = writes.row_bytes
            for place, key in enumerate(writes.keys):
                kept[writes.table, key] = writes.packed[place * width : (place + 1) * width]
            for key in writes.gone:
                kept.pop((writes.table, key), None)
    return kept


def decisions(turns: Sequence[BuyerEffects]) -> list[Decision]:
    return [one for turn in turns for one in turn.decisions]


def played(agreed: Sequence[SupplierTerms], history: Sequence[Message], cuts: Sequence[int] = ()) -> Buyer:
    buyer = Buyer(*agreed)
    edges = [0, *sorted({cut % (len(history) + 1) for cut in cuts}), len(history)]
    for start, end in pairwise(edges):
        buyer.take(*history[start:end])
    return buyer


@given(agreements(), histories(), some.lists(some.integers(0, 40)))
def test_any_cut_of_a_history_gives_the_same_decisions_and_rows(
    agreed: list[SupplierTerms], history: list[Message], cuts: list[int]
) -> None:
    whole, cut = played(agreed, history), played(agreed, history, cuts)
    assert decisions(whole.turns) == decisions(cut.turns)
    assert rows(whole.turns) == rows(cut.turns)


@given(agreements(), histories(), some.integers(0, 40))
def test_a_restart_anywhere_changes_nothing(agreed: list[SupplierTerms], history: list[Message], place: int) -> None:
    place %= len(history) + 1
    whole, first = played(agreed, history), played(agreed, history[:place])
    again = Buyer()
    again.book = Book(0, first.book.progress)
    for (table, key), row in sorted(rows(first.turns).items()):
        again.book.restore(_row(table, key, row))
    loaded(again.book)
    again.take(*history[place:])
    assert decisions(whole.turns) == decisions(first.turns) + decisions(again.turns)
    assert rows(whole.turns) == rows([*first.turns, *again.turns])


@given(agreements(), histories())
def test_every_proposal_waits_is_placed_or_refused_and_only_one_of_these(
    agreed: list[SupplierTerms], history: list[Message]
) -> None:
    buyer = played(agreed, history)
    said = decisions(buyer.turns)
    placed = Counter(one.proposal.restock_id for one in said if isinstance(one, RequestPlaced))
    refused = Counter(
        one.proposal.restock_id for one in said if isinstance(one, ProposalExcepted) and one.outcome == "refused"
    )
    waiting = Counter(name for some_wait in buyer.book.waiting.values() for name in some_wait)
    proposed = {one.restock_id for one in history if isinstance(one, Proposal)}
    assert placed + refused + waiting == Counter(proposed)


@given(agreements(), histories())
def test_no_period_spends_more_than_its_budget(agreed: list[SupplierTerms], history: list[Message]) -> None:
    spent: dict[tuple[str, int], int] = defaultdict(int)
    budgets = {one.supplier: one for one in agreed if one.budget is not None}
    for one in decisions(played(agreed, history).turns):
        if isinstance(one, JointOrderPlaced) and one.supplier in budgets:
            period = (one.placed_at - 4 * DAY_MS) // (budgets[one.supplier].budget_days * DAY_MS)
            spent[one.supplier, period] += one.value
    assert all(value <= (budgets[supplier].budget or 0) for (supplier, _), value in spent.items())


@given(agreements(), histories())
def test_what_is_left_waiting_is_due_later(agreed: list[SupplierTerms], history: list[Message]) -> None:
    book = played(agreed, history).book
    assert set(book.waiting) == set(book.alarms)
    assert all(book.now < at for at in book.alarms.values())


@given(agreements(), histories())
def test_a_joint_order_is_the_sum_of_its_lines(agreed: list[SupplierTerms], history: list[Message]) -> None:
    said = decisions(played(agreed, history).turns)
    lines: dict[str, list[RequestPlaced]] = defaultdict(list)
    for one in said:
        if isinstance(one, RequestPlaced):
            assert 0 < one.units <= one.proposal.units
            lines[one.joint_order_id].append(one)
    for one in said:
        if isinstance(one, JointOrderPlaced):
            mine = lines.pop(one.joint_order_id)
            assert one.units == sum(line.units for line in mine)
            assert one.value == sum(line.units * (line.proposal.unit_cost or 0) for line in mine)
    assert not lines


@given(histories())
def test_no_more_of_a_short_supply_is_placed_than_there_is(history: list[Message]) -> None:
    left: dict[tuple[str, bytes], tuple[int, int]] = {}
    buyer = Buyer()
    for message in history:
        if isinstance(message, SupplyLimited):
            left[message.supplier, message.sku] = (message.units, message.until)
        for one in buyer.take(message):
            if isinstance(one, RequestPlaced):
                place = one.proposal.supplier, one.proposal.sku
                units, until = left.get(place, (0, 0))
                if one.placed_at < until:
                    assert one.units <= units
                    left[place] = (units - one.units, until)


needs_and_packs = some.lists(some.tuples(some.integers(0, 40), some.sampled_from([1, 2, 6, 12])), max_size=6).map(
    lambda pairs: ([packs * pack for packs, pack in pairs], [pack for _, pack in pairs])
)


@given(needs_and_packs, some.integers(0, 600))
def test_a_short_supply_is_given_out_as_far_as_packs_allow_and_never_beyond_a_need(
    pairs: tuple[list[int], list[int]], supply: int
) -> None:
    needs, packs = pairs
    shares = allocated(needs, packs, supply)
    assert all(share <= need and share % pack == 0 for share, need, pack in zip(shares, needs, packs, strict=True))
    assert min(supply, sum(needs)) - max(packs, default=0) < sum(shares) <= supply or not needs
    if set(packs) == {1}:
        assert sum(shares) == min(supply, sum(needs))


@given(needs_and_packs, some.integers(0, 600))
def test_more_supply_never_gives_a_location_less(pairs: tuple[list[int], list[int]], supply: int) -> None:
    less, more = allocated(*pairs, supply), allocated(*pairs, supply + 1)
    assert all(one <= other for one, other in zip(less, more, strict=True))


@given(some.integers(1, 50), some.integers(2, 6), some.integers(0, 600))
def test_equal_needs_get_shares_that_differ_by_at_most_one_pack(need: int, locations: int, supply: int) -> None:
    shares = allocated([need] * locations, [1] * locations, supply)
    assert max(shares) - min(shares) <= 1


def test_the_largest_remainder_would_give_a_location_less_of_more() -> None:
    # the Alabama paradox: by largest remainders the third share falls from 2 to 1 when 10 become 11
    needs = [60, 60, 20]
    assert [allocated(needs, [1, 1, 1], supply)[2] for supply in (10, 11)] == [1, 1]


def test_ten_thousand_proposals_are_ordered_within_seconds() -> None:
    buyer = Buyer(terms(value=50_000, budget=90_000, gather=15))
    buyer.take(*(proposal(number, urgency=-number, key=f"l|{number}".encode()) for number in range(10_000)))
    (order,) = [one for one in buyer.pass_hours(1) if isinstance(one, JointOrderPlaced)]
    assert (order.lines, order.value) == (9_000, 90_000 * MONEY)


def _row(table: str, key: bytes, row: bytes) -> RowWrites:
    return RowWrites(table, len(row), [key], row)
