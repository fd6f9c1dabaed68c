"""Times of the wire are ones that every reader can take."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from gate_bridge.id_times import check_current, check_times
from gate_bridge.wire import actions
from gate_bridge.wire.errors import PayloadInvalidError

NOW = datetime(2026, 11, 23, 3, 28, 30, tzinfo=UTC)
FURTHEST_ID = UUID("ffffffff-ffff-7fff-bfff-ffffffffffff")


def heartbeat(at: str) -> actions.Heartbeat:
    health = {"queue_depth": 1, "oldest_queued_at": at}
    return actions.read_payload(
        actions.Heartbeat, {"sent_at": "2026-11-23T03:28:30Z", "health": health}
    )


@pytest.mark.parametrize(
    "at",
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "1969-12-31T23:59:59Z",
        "3000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_a_time_that_some_reader_cannot_take_is_refused(at: str) -> None:
    with pytest.raises(PayloadInvalidError) as caught:
        heartbeat(at)
    assert caught.value.details["field"] == "health.oldest_queued_at"


@pytest.mark.parametrize(
    "at", ["2026-11-23T03:28:30Z", "2026-11-24T03:27:30+23:59", "2026-11-22T03:29:30-23:59"]
)
def test_a_time_of_any_zone_is_kept_in_one(at: str) -> None:
    health = heartbeat(at).health
    assert health is not None
    assert (
        health.oldest_queued_at,
        health.oldest_queued_at and health.oldest_queued_at.tzinfo,
    ) == (
        NOW,
        UTC,
    )


def test_a_clock_that_begins_in_1970_may_ask_for_the_time() -> None:
    told = actions.read_payload(actions.Heartbeat, {"sent_at": "1970-01-01T00:00:09Z"})
    assert told.sent_at == datetime(1970, 1, 1, 0, 0, 9, tzinfo=UTC)


def test_an_id_beyond_the_calendar_is_refused_and_is_no_defect() -> None:
    car = actions.CurrentPresentation(presentation_id=FURTHEST_ID, occupied_at=NOW)
    with pytest.raises(PayloadInvalidError):
        check_current(car)
    event = actions.Presentation(
        event_id=FURTHEST_ID,
        seq=1,
        presentation_id=FURTHEST_ID,
        state=actions.PresentationState.OCCUPIED,
        occurred_at=NOW,
    )
    with pytest.raises(PayloadInvalidError) as caught:
        check_times(event, NOW)
    assert caught.value.details["field"] == "event_id"
