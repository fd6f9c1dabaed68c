"""What drivers read of invoices."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from parking.events.envelope import Event
from parking.events.types import SESSION_EVENTS, EventType
from parking.flows.notices import wording
from parking.flows.notices.tellings import arguments_of, template_of
from parking.flows.notices.wording import Text
from parking.notices.rules import Template


def event(kind: str) -> Event:
    payload = {
        "kind": kind,
        "number": "PM-2026-000001",
        "amount_minor": 1603,
        "currency": "EUR",
        "place_name": "Parkhaus {number} GmbH",
    }
    at = datetime(2026, 11, 24, tzinfo=UTC)
    return Event(UUID(int=1), EventType.INVOICE_ISSUED, UUID(int=2), UUID(int=3), at, payload)


def render(template: Template, event: Event, locale: str) -> Text:
    return wording.render(template, arguments_of(event), event.occurred_at, locale)


@pytest.mark.parametrize(
    ("kind", "template"),
    [
        ("invoice", Template.INVOICE_ISSUED),
        ("fapiao", Template.INVOICE_ISSUED),
        ("credit_note", Template.CREDIT_NOTE_ISSUED),
        ("red_fapiao", Template.CREDIT_NOTE_ISSUED),
    ],
)
def test_each_kind_has_its_message(kind: str, template: Template) -> None:
    assert template_of(event(kind)) == template


@pytest.mark.parametrize(
    ("locale", "title", "body"),
    [
        (
            "en",
            "Your invoice is ready",
            "PM-2026-000001 of Parkhaus {number} GmbH over €16.03: find it in the app.",
        ),
        (
            "de",
            "Ihre Rechnung ist da",
            "PM-2026-000001 von Parkhaus {number} GmbH über 16,03\xa0€: Sie finden sie in der App.",
        ),
        (
            "zh",
            "发票已开具",
            (
                "Parkhaus {number} GmbH为您开具的发票 "
                "PM-2026-000001（€16.03）可在应用内查看和下载。"  # noqa: RUF001 - Chinese brackets
            ),
        ),
    ],
)
def test_an_invoice_is_told_in_each_language(locale: str, title: str, body: str) -> None:
    text = render(Template.INVOICE_ISSUED, event("invoice"), locale)
    assert (text.title, text.body) == (title, body)


@pytest.mark.parametrize(
    ("locale", "title"),
    [
        ("en", "Your credit note is ready"),
        ("de", "Ihre Rechnungskorrektur ist da"),
        ("zh", "发票已冲红"),
    ],
)
def test_a_credit_note_is_told_as_one(locale: str, title: str) -> None:
    text = render(Template.CREDIT_NOTE_ISSUED, event("credit_note"), locale)
    assert text.title == title
    assert "PM-2026-000001" in text.body
    assert "16.03" in text.body.replace(",", ".")


def test_who_watches_a_stay_is_not_woken_by_an_invoice() -> None:
    assert EventType.INVOICE_ISSUED not in SESSION_EVENTS
