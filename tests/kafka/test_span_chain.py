"""Laws of the chain of spans: what may be committed, whatever the order of acknowledgements."""

from hypothesis import given
from hypothesis import strategies as st

from stream_app.kafka.span_chain import SpanChain

Schedule = tuple[int, list[tuple[int, int]], list[int]]


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """A first position, records ``(first, last)`` of each batch with holes between, and an order of acknowledgement."""
    position = draw(st.integers(0, 1_000))
    batches, at = [], position
    for _ in range(draw(st.integers(1, 12))):
        first = at + draw(st.integers(0, 3))
        last = first + draw(st.integers(0, 5))
        batches.append((first, last))
        at = last + 1
    return position, batches, draw(st.permutations(range(len(batches))))


@given(schedules())
def test_the_position_is_the_end_of_the_unbroken_run_of_acknowledged_spans(schedule: Schedule) -> None:
    position, batches, order = schedule
    chain = SpanChain(position)
    spans = [chain.deliver(first, last) for first, last in batches]
    pending: list[int] = []
    done: set[int] = set()
    for index in order:
        pending.append(batches[index][1])
        done.add(index)
        settled = chain.settle(pending)
        pending = [last for last in pending if last not in settled]
        unbroken = next((i for i in range(len(batches)) if i not in done), len(batches))
        assert chain.position == (spans[unbroken - 1][1] if unbroken else position)
    assert not pending


@given(schedules())
def test_spans_join_and_cover_every_hole(schedule: Schedule) -> None:
    position, batches, _ = schedule
    chain = SpanChain(position)
    end = position
    for first, last in batches:
        start, after = chain.deliver(first, last)
        assert (start, after) == (end, last + 1)
        end = after


@given(schedules(), st.integers(0, 11))
def test_a_batch_that_is_never_acknowledged_holds_the_position_back(schedule: Schedule, index: int) -> None:
    position, batches, order = schedule
    held = index % len(batches)
    chain = SpanChain(position)
    spans = [chain.deliver(first, last) for first, last in batches]
    chain.settle([batches[i][1] for i in order if i != held])
    assert chain.position == spans[held][0]


def test_acknowledgements_of_another_chain_are_dropped() -> None:
    chain = SpanChain(100)
    chain.deliver(100, 109)
    assert chain.settle([49, 109]) == [49, 109]
    assert chain.position == 110


def test_records_read_again_from_before_do_not_move_the_position() -> None:
    chain = SpanChain(100)
    chain.deliver(100, 109)
    assert chain.deliver(50, 59) == (50, 60)
    assert chain.settle([59]) == []
    assert chain.position == 100
