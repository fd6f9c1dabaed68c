from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.kit.ids import derive_id, floor_id, id_time, new_id

MOMENTS = st.datetimes(
    min_value=datetime(1970, 1, 2),
    max_value=datetime(2400, 1, 1),
    timezones=st.just(UTC),
)


@given(MOMENTS)
def test_new_id_is_a_uuid7_of_its_millisecond(at: datetime) -> None:
    identifier = new_id(at)
    assert (identifier.version, identifier.variant) == (7, "specified in RFC 4122")
    assert timedelta() <= at - id_time(identifier) < timedelta(milliseconds=1)


@given(MOMENTS, st.integers(1, 10**9))
def test_ids_sort_by_time_and_stay_within_their_floors(at: datetime, later_ms: int) -> None:
    later = at + timedelta(milliseconds=later_ms)
    assert floor_id(at) < new_id(at) < floor_id(later) < new_id(later)


@given(MOMENTS, st.text(max_size=20), st.text(max_size=20))
def test_derived_ids_repeat_keep_the_time_and_differ_by_purpose(
    at: datetime, purpose: str, other: str
) -> None:
    source = new_id(at)
    derived = derive_id(source, purpose)
    assert derived == derive_id(source, purpose)
    assert derived.version == 7
    assert id_time(derived) == id_time(source)
    assert (derived == derive_id(source, other)) == (purpose == other)
    assert derived != source


def test_other_versions_and_naive_times_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a UUIDv7"):
        id_time(UUID("2c5ea4c0-4067-11e9-8bad-9b1deb4d3b7d"))
    with pytest.raises(ValueError, match="expected an aware time"):
        new_id(datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="between 1970 and 10889"):
        new_id(datetime(1969, 12, 31, tzinfo=UTC))
