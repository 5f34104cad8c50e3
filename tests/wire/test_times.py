"""Event times: what is readable, and that whole columns are read like single times."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.wire.times import instant_at, instants_at, shown
from tests.wire.builders import AT


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-01-01T00:00:00Z", AT),
        ("2026-01-01t00:00:00z", AT),
        ("2026-01-01 00:00:00Z", AT),
        ("2026-01-01T02:00:00+02:00", AT),
        ("2025-12-31T23:29:00-00:31", AT),
        ("2026-01-01T00:00:00.5Z", AT + 500),
        ("2026-01-01T00:00:00.0129Z", AT + 12),
        ("2025-12-31T23:59:59.9999999999999999999Z", AT - 1),
        ("2000-02-29T00:00:00Z", 951_782_400_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ("1969-12-31T23:59:59.9999Z", -1),
    ],
)
def test_rfc_3339_times_are_cut_to_milliseconds(text: str, at: int) -> None:
    assert instant_at(text) == at


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00,5Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2026-01-01T00:00:00+0200",
        "2026-01-01T00:00:00+02",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+02:60",
        "2026-01-01T00:00:00Zulu",
        " 2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z\n",
        "\uff12026-01-01T00:00:00Z",
        "20260101T000000Z",
        "1767225600000",
    ],
)
def test_other_texts_are_no_times(text: str) -> None:
    assert instant_at(text) is None
    assert not instants_at([text])[1].any()


ZONES = st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59)).map(
    lambda one: timezone(timedelta(minutes=one // timedelta(minutes=1)))
)
TIMES = st.datetimes(datetime(1970, 1, 3), datetime(9999, 12, 29), timezones=ZONES | st.just(UTC))  # noqa: DTZ001


@given(TIMES)
def test_times_that_python_writes_are_read_alone_and_in_columns(time: datetime) -> None:
    at = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    texts = [time.isoformat(), time.isoformat(timespec="milliseconds"), time.isoformat().replace("+00:00", "Z")]
    assert [instant_at(text) for text in texts] == [at] * 3
    column, is_read = instants_at(texts)
    assert is_read.all()
    assert column.tolist() == [at] * 3


MUTATED = st.builds(
    lambda text, place, character: text[: place % len(text)] + character + text[place % len(text) + 1 :],
    TIMES.map(datetime.isoformat) | TIMES.map(lambda one: one.astimezone(UTC).isoformat().replace("+00:00", "Z")),
    st.integers(0, 40),
    st.sampled_from("0123456789-+:.TtZz ,é٣\x00"),
)


@given(st.lists(MUTATED | TIMES.map(datetime.isoformat), max_size=8))
def test_a_column_never_reads_what_a_single_time_is_not(texts: list[str]) -> None:
    column, is_read = instants_at(texts)
    for text, at, was_read in zip(texts, column.tolist(), is_read.tolist(), strict=True):
        if was_read:
            assert instant_at(text) == at


@given(st.integers(0, 253_402_300_799_999))
def test_times_we_write_are_read_back(at: int) -> None:
    assert instant_at(shown(at)) == at


def test_a_time_after_the_year_9999_can_still_be_written() -> None:
    assert shown(253_402_300_800_000) == "10000-01-01T00:00:00.000Z"
