"""What drivers are told of their plates: never why, and nothing of anybody else."""

import re
from datetime import UTC, datetime
from uuid import UUID

import pytest

from parking.events.envelope import Event
from parking.flows.notices.tellings import arguments_of, template_of
from parking.flows.notices.wording import render
from parking.notices.rules import RULES, NoticeCategory, Template
from parking.plates import events

AT = datetime(2026, 3, 2, tzinfo=UTC)
# Whoever reads one of these learns that there is somebody else.
OTHERS = re.compile("driver|someone|somebody|claim|contest|dispute|owner|licence", re.IGNORECASE)


def event(kind: str, **payload: str) -> Event:
    some = UUID(int=1)
    return Event(
        id=some, type=kind, owner_id=some, subject_id=some, occurred_at=AT, payload=payload
    )


@pytest.mark.parametrize(
    ("told", "template"),
    [
        (event(events.PLATE_BOUND), Template.PLATE_BOUND),
        (event(events.PLATE_UNBOUND, reason="staff"), Template.PLATE_TAKEN_OFF),
        (event(events.PLATE_CLAIM_REFUSED, refusal="name_differs"), Template.PLATE_CLAIM_REFUSED),
        (event(events.PLATE_PAYMENT_PAUSED), Template.PLATE_PAYMENT_PAUSED),
        (event(events.PLATE_PAYMENT_RESUMED), Template.PLATE_PAYMENT_RESUMED),
    ],
)
def test_each_event_is_told_in_neutral_words(told: Event, template: Template) -> None:
    assert template_of(told) == template
    known = {name: value for name, value in told.payload.items() if name == "refusal"}
    assert arguments_of(told) == known
    text = render(template, known, AT, "en")
    assert OTHERS.search(f"{text.title} {text.body}") is None
    assert RULES[template].category is NoticeCategory.SECURITY


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        ("unreadable", "The picture cannot be read."),
        ("other_plate", "It shows another plate."),
        ("name_differs", "The name on it is not yours."),
        ("licence_ended", "It is no longer valid."),
        ("other", "Please ask our staff."),
        ("", "Please ask our staff."),
    ],
)
def test_a_refusal_says_what_to_do_better(refusal: str, why: str) -> None:
    text = render(Template.PLATE_CLAIM_REFUSED, {"refusal": refusal}, AT, "en")
    assert text.body == f"Our staff could not confirm it. {why}"


def test_whoever_unbinds_is_not_told_of_it() -> None:
    assert template_of(event(events.PLATE_UNBOUND, reason="driver")) is None
