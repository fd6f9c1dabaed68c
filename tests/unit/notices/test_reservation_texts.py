"""What drivers read of spaces that they were promised."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from parking.events.envelope import Event
from parking.flows.notices.tellings import arguments_of, template_of
from parking.flows.notices.wording import render
from parking.offers import events

AT = datetime(2026, 11, 27, 9, tzinfo=UTC)


def body(kind: str, locale: str = "en", **more: str) -> str:
    payload = {
        "place_name": "Riverside",
        "timezone": "Asia/Shanghai",
        "starts_at": "2026-11-27T10:00:00+00:00",
        "expires_at": "2026-11-27T09:15:00+00:00",
        "kept_until": "2026-11-27T10:30:00+00:00",
        "ends_at": "2026-11-27T14:00:00+00:00",
        **more,
    }
    event = Event(UUID(int=2), kind, UUID(int=3), UUID(int=4), AT, payload)
    template = template_of(event)
    assert template is not None
    return render(template, arguments_of(event), AT, locale).body


def test_times_are_those_of_the_places_clock() -> None:
    offered = "From 27 Nov 2026 18:00. Accept it in the app by 27 Nov 2026 17:15."
    assert body(events.OFFER_RECEIVED) == offered
    assert "28 Nov" not in body(events.RESERVATION_OVERSTAYED)
    assert "27 Nov 2026 22:00" in body(events.RESERVATION_OVERSTAYED)


@pytest.mark.parametrize(
    ("locale", "found", "none"),
    [
        ("en", "Hillside has space now", "no other place"),
        ("de", "Hier ist jetzt Platz: Hillside", "kein anderer Ort"),
        ("zh", "Hillside现有空位", "其他停车场目前也没有空位"),
    ],
)
def test_whoever_finds_no_space_reads_where_there_is_some(
    locale: str, found: str, none: str
) -> None:
    assert found in body(events.RESERVATION_FAILED, locale, other_place="Hillside")
    assert none in body(events.RESERVATION_FAILED, locale)


@pytest.mark.parametrize("kind", [events.OFFER_CHANGED, events.RESERVATION_CONFIRMED])
def test_what_the_driver_did_is_no_news(kind: str) -> None:
    event = Event(UUID(int=2), kind, UUID(int=3), UUID(int=4), AT, {})
    assert template_of(event) is None
