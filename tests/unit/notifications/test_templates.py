"""What drivers read, in every language."""

import string
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import notifications
from notifications.templates import (
    LOCALES,
    PayloadError,
    Template,
    Text,
    render,
    template_of,
)
from parking.events.envelope import Event
from parking.events.types import EventType

AT = datetime(2026, 3, 1, 16, 5, tzinfo=UTC)
TEXTS = Path(notifications.__file__).parent / "texts"
PAYLOAD: dict[str, Any] = {
    "driver_id": str(UUID(int=1)),
    "place_name": "Seaside",
    "timezone": "Asia/Shanghai",
    "currency": "CNY",
    "amount_minor": 1250,
    "before_minor": 2000,
    "entered_at": AT.isoformat(),
    "pass_name": "Office",
    "paid_until": AT.isoformat(),
    "valid_until": AT.isoformat(),
    "ended_at": "2026-03-08T16:00:00+00:00",
    "direction": "exit",
}
PERMITTED = {
    Template.SESSION_ENTERED: {"place", "time"},
    Template.BILL_DUE: {"place", "amount"},
    Template.PAYMENT_CHARGED: {"place", "amount"},
    Template.PAYMENT_REFUSED: {"place", "amount"},
    Template.PAYMENT_REFUNDED: {"place", "amount"},
    Template.PAYMENT_CHARGED_BACK: {"place", "amount"},
    Template.CHARGEBACK_REVERSED: {"place", "amount"},
    Template.PASS_CHARGED_BACK: {"amount"},
    Template.PASS_REFUNDED: {"amount"},
    Template.BILL_CORRECTED: {"place", "amount", "before"},
    Template.DISPUTE_REFUNDED: {"place"},
    Template.DISPUTE_ACCEPTED: {"place"},
    Template.DISPUTE_REJECTED: {"place"},
    Template.PASS_CHARGED: {"name", "amount"},
    Template.PASS_PURCHASED: {"name", "amount", "day"},
    Template.PASS_PURCHASE_FAILED: {"name"},
    Template.PASS_RENEWAL_UPCOMING: {"name", "amount", "day"},
    Template.PASS_RENEWED: {"name", "amount", "day"},
    Template.PASS_RENEWAL_FAILED: {"name", "amount", "day"},
    Template.PASS_LAPSED: {"name"},
    Template.PASS_CANCELLED: {"name", "day"},
    Template.GATE_OPENED_ENTRY: {"place"},
    Template.GATE_OPENED_EXIT: {"place"},
}


def _event(event_type: str = EventType.PAYMENT_CHARGED, **changes: object) -> Event:
    return Event(UUID(int=2), event_type, UUID(int=3), UUID(int=4), AT, PAYLOAD | changes)


@pytest.mark.parametrize(
    ("event", "template"),
    [
        (_event(EventType.SESSION_ENTERED), Template.SESSION_ENTERED),
        (_event(EventType.BILL_DUE), Template.BILL_DUE),
        (_event(EventType.PAYMENT_CHARGED), Template.PAYMENT_CHARGED),
        (_event(EventType.PAYMENT_REFUSED), Template.PAYMENT_REFUSED),
        (_event(EventType.PAYMENT_REFUNDED), Template.PAYMENT_REFUNDED),
        (_event(EventType.PAYMENT_CHARGED_BACK), Template.PAYMENT_CHARGED_BACK),
        (_event(EventType.CHARGEBACK_REVERSED), Template.CHARGEBACK_REVERSED),
        (_event(EventType.PASS_REFUNDED), Template.PASS_REFUNDED),
        (_event(EventType.BILL_CORRECTED), Template.BILL_CORRECTED),
        (_event(EventType.DISPUTE_DECIDED, state="auto_refunded"), Template.DISPUTE_REFUNDED),
        (_event(EventType.DISPUTE_DECIDED, state="accepted"), Template.DISPUTE_ACCEPTED),
        (_event(EventType.DISPUTE_DECIDED, state="rejected"), Template.DISPUTE_REJECTED),
        (_event(EventType.DISPUTE_DECIDED), None),
        (_event(EventType.PASS_PURCHASED), Template.PASS_PURCHASED),
        (_event(EventType.PASS_PURCHASE_FAILED), Template.PASS_PURCHASE_FAILED),
        (_event(EventType.PASS_RENEWAL_UPCOMING), Template.PASS_RENEWAL_UPCOMING),
        (_event(EventType.PASS_RENEWED), Template.PASS_RENEWED),
        (_event(EventType.PASS_RENEWAL_FAILED), Template.PASS_RENEWAL_FAILED),
        (_event(EventType.PASS_LAPSED), Template.PASS_LAPSED),
        (_event(EventType.PASS_CANCELLED), Template.PASS_CANCELLED),
        (_event(EventType.PASS_CHANGED), None),
        (_event(EventType.GATE_OPENED), Template.GATE_OPENED_EXIT),
        (_event(EventType.GATE_OPENED, direction="entry"), Template.GATE_OPENED_ENTRY),
        (_event(EventType.SESSION_ENDED), None),
        (_event(EventType.SESSION_BILL_CHANGED), None),
        (_event(EventType.SESSION_CANCELLED), None),
        (_event("Unknown"), None),
    ],
)
def test_which_message_tells_of_an_event(event: Event, template: Template | None) -> None:
    assert template_of(event) == template


@pytest.mark.parametrize(
    ("locale", "title"),
    [
        ("en", "Bill corrected: 12.50 CNY"),
        ("de", "Rechnung korrigiert: 12.50 CNY"),
        ("zh", "账单已更正 12.50 CNY"),
    ],
)
def test_a_correction_names_both_amounts(locale: str, title: str) -> None:
    text = render(Template.BILL_CORRECTED, _event(EventType.BILL_CORRECTED), locale)
    assert text.title == title
    assert "20.00 CNY" in text.body


def test_a_pass_tells_its_last_day_in_the_places_zone() -> None:
    # It ends at local midnight: the day before is the last one.
    text = render(Template.PASS_CANCELLED, _event(EventType.PASS_CANCELLED), "en")
    assert text == Text("Your pass is cancelled", "Office is valid until 2026-03-08.")
    upcoming = render(Template.PASS_RENEWAL_UPCOMING, _event(pass_name=None), "de")
    assert upcoming.body.startswith("die Dauerkarte läuft bis 2026-03-02 und verlängert sich dann")
    assert "12.50 CNY" in upcoming.body
    with pytest.raises(PayloadError):
        render(Template.PASS_RENEWED, _event(paid_until=None), "zh")


@pytest.mark.parametrize(
    ("locale", "title"),
    [
        ("en", "12.50 CNY paid"),
        ("de-AT", "12.50 CNY bezahlt"),
        ("zh_Hans_CN", "已支付 12.50 CNY"),
        ("ZH", "已支付 12.50 CNY"),
        ("fr", "12.50 CNY paid"),
        ("", "12.50 CNY paid"),
    ],
)
def test_the_language_is_the_drivers(locale: str, title: str) -> None:
    assert render(Template.PAYMENT_CHARGED, _event(), locale).title == title


def test_times_are_told_in_the_places_zone() -> None:
    text = render(Template.SESSION_ENTERED, _event(EventType.SESSION_ENTERED), "en")
    assert text == Text(
        "Parked at Seaside", "Your car entered at 00:05. The bill runs live in the app."
    )
    in_berlin = _event(EventType.SESSION_ENTERED, timezone="Europe/Berlin")
    assert "17:05" in render(Template.SESSION_ENTERED, in_berlin, "en").body
    nowhere = _event(EventType.SESSION_ENTERED, timezone=None)
    assert "16:05" in render(Template.SESSION_ENTERED, nowhere, "en").body


@pytest.mark.parametrize("currency", ["JPY", "KWD"])
def test_amounts_have_the_digits_of_their_currency(currency: str) -> None:
    event = _event(EventType.BILL_DUE, currency=currency)
    expected = {"JPY": "1250 JPY due", "KWD": "1.250 KWD due"}[currency]
    assert render(Template.BILL_DUE, event, "en").title == expected


def test_a_place_without_a_name_is_a_car_park() -> None:
    event = _event(EventType.GATE_OPENED, place_name=None)
    assert render(Template.GATE_OPENED_ENTRY, event, "en").body.startswith(
        "Welcome to the car park."
    )


def test_a_name_with_braces_is_only_a_name() -> None:
    event = _event(EventType.GATE_OPENED, place_name="{amount} {0}")
    assert "{amount} {0}" in render(Template.GATE_OPENED_EXIT, event, "en").body


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_minor": None},
        {"amount_minor": "1250"},
        {"amount_minor": 12.5},
        {"currency": "yuan"},
        {"currency": None},
    ],
)
def test_an_amount_that_cannot_be_read_is_not_told(changes: dict[str, object]) -> None:
    with pytest.raises(PayloadError):
        render(Template.BILL_DUE, _event(EventType.BILL_DUE, **changes), "en")


@pytest.mark.parametrize(
    "changes",
    [
        {"entered_at": "yesterday"},
        {"entered_at": None},
        {"entered_at": "2026-03-01T16:05:00"},
        {"timezone": "Moon/Sea"},
        {"timezone": "../etc"},
    ],
)
def test_a_time_that_cannot_be_read_is_not_told(changes: dict[str, object]) -> None:
    with pytest.raises(PayloadError):
        render(Template.SESSION_ENTERED, _event(EventType.SESSION_ENTERED, **changes), "en")


@pytest.mark.parametrize("locale", LOCALES)
def test_every_language_has_every_text_and_only_known_names(locale: str) -> None:
    texts: dict[str, Any] = tomllib.loads((TEXTS / f"{locale}.toml").read_text("utf-8"))
    assert set(texts) == {"deduction", "pass", "place", *Template}
    for template, permitted in PERMITTED.items():
        assert set(texts[template]) == {"title", "body"}
        joined = texts[template]["title"] + texts[template]["body"]
        used = {name for _, name, _, _ in string.Formatter().parse(joined) if name is not None}
        assert used <= permitted


def test_there_is_no_text_file_that_nobody_reads() -> None:
    assert {path.stem for path in TEXTS.glob("*.toml")} == set(LOCALES)


@pytest.mark.parametrize("template", Template)
@pytest.mark.parametrize("locale", LOCALES)
def test_no_message_tells_a_plate(template: Template, locale: str) -> None:
    text = render(template, _event(plate="TEST1234"), locale)
    assert "TEST1234" not in text.title + text.body


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        (
            "en",
            (
                "Your stay at Seaside is paid. Taken from WeChat Pay, 2026-03-02 00:05. "
                "Not you? Open the app: end the permission and object to the bill."
            ),
        ),
        (
            "de",
            (
                "Ihr Aufenthalt (Seaside) ist bezahlt. Abgebucht bei WeChat Pay, 2026-03-02 00:05. "
                "Nicht von Ihnen? Öffnen Sie die App: Erlaubnis beenden und der Rechnung "
                "widersprechen."
            ),
        ),
    ],
)
def test_money_that_was_taken_is_told_with_what_to_do_about_it(locale: str, expected: str) -> None:
    event = _event(EventType.PAYMENT_CHARGED, provider="wechat", charged_at=AT.isoformat())
    assert render(Template.PAYMENT_CHARGED, event, locale).body == expected


@pytest.mark.parametrize("kind", ["PassPurchased", "PassRenewed", "PassCharged", "PaymentCharged"])
def test_every_message_about_money_taken_says_from_where(kind: str) -> None:
    event = _event(EventType(kind), provider="stripe", charged_at=AT.isoformat())
    template = template_of(event)
    assert template is not None
    for locale in LOCALES:
        body = render(template, event, locale).body
        assert "Stripe" in body
        assert "2026-03-02 00:05" in body
    free = _event(EventType(kind))
    assert "Taken from" not in render(template, free, "en").body
