"""What drivers read, in every language."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fluent.syntax import FluentParser, ast
from fluent.syntax.visitor import Visitor

import parking.flows.notices
from parking.events.envelope import Event
from parking.events.types import EventType
from parking.flows.notices import wording
from parking.flows.notices.tellings import arguments_of, template_of
from parking.flows.notices.wording import LOCALES, PayloadError, Text
from parking.notices.rules import RULES, Template

AT = datetime(2026, 3, 1, 16, 5, tzinfo=UTC)
TEXTS = Path(parking.flows.notices.__file__).parent / "texts"
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
    "starts_at": AT.isoformat(),
    "expires_at": AT.isoformat(),
    "kept_until": AT.isoformat(),
    "ends_at": AT.isoformat(),
    "direction": "exit",
}


def _event(event_type: str = EventType.PAYMENT_CHARGED, **changes: object) -> Event:
    return Event(UUID(int=2), event_type, UUID(int=3), UUID(int=4), AT, PAYLOAD | changes)


def render(template: Template, event: Event, locale: str) -> Text:
    return wording.render(template, arguments_of(event), event.occurred_at, locale)


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
        ("en", "Bill corrected: CN¥12.50"),
        ("de", "Rechnung korrigiert: 12,50\xa0CN¥"),
        ("zh", "账单已更正 ¥12.50"),
    ],
)
def test_a_correction_names_both_amounts(locale: str, title: str) -> None:
    text = render(Template.BILL_CORRECTED, _event(EventType.BILL_CORRECTED), locale)
    assert text.title == title
    assert re.search("20[.,]00", text.body)


def test_a_pass_tells_its_last_day_in_the_places_zone() -> None:
    # It ends at local midnight: the day before is the last one.
    text = render(Template.PASS_CANCELLED, _event(EventType.PASS_CANCELLED), "en")
    assert text == Text("Your pass is cancelled", "Office is valid until 8 Mar 2026.")
    upcoming = render(Template.PASS_RENEWAL_UPCOMING, _event(pass_name=None), "de")
    assert upcoming.body.startswith("die Dauerkarte läuft bis 02.03.2026 und verlängert sich dann")
    assert "12,50\xa0CN¥" in upcoming.body
    with pytest.raises(PayloadError):
        render(Template.PASS_RENEWED, _event(paid_until=None), "zh")


@pytest.mark.parametrize(
    ("locale", "title"),
    [
        ("en", "CN¥12.50 paid"),
        ("de-AT", "12,50\xa0CN¥ bezahlt"),
        ("zh_Hans_CN", "已支付 ¥12.50"),
        ("ZH", "已支付 ¥12.50"),
        ("fr", "CN¥12.50 paid"),
        ("", "CN¥12.50 paid"),
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


@pytest.mark.parametrize(
    ("currency", "titles"),
    [
        ("CNY", ("CN¥1,234.50 due", "1.234,50\xa0CN¥ offen", "待支付 ¥1,234.50")),
        ("EUR", ("€1,234.50 due", "1.234,50\xa0€ offen", "待支付 €1,234.50")),
        ("JPY", ("JP¥123,450 due", "123.450\xa0¥ offen", "待支付 JP¥123,450")),
        ("KWD", ("KWD\xa0123.450 due", "123,450\xa0KWD offen", "待支付 KWD\xa0123.450")),
    ],
)
def test_amounts_are_written_as_each_language_writes_them(
    currency: str, titles: tuple[str, str, str]
) -> None:
    event = _event(EventType.BILL_DUE, currency=currency, amount_minor=123450)
    written = tuple(render(Template.BILL_DUE, event, locale).title for locale in ("en", "de", "zh"))
    assert written == titles


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


class _Names(Visitor):
    """Collects what a text is filled with."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_VariableReference(self, node: ast.VariableReference) -> None:  # noqa: N802 - its name
        self.names.add(node.id.name)


def _names_of(locale: str) -> dict[str, set[str]]:
    """Return what each text of a language is filled with, by `message.attribute`."""
    parsed = FluentParser().parse((TEXTS / f"{locale}.ftl").read_text("utf-8"))
    found: dict[str, set[str]] = {}
    for entry in parsed.body:
        if isinstance(entry, (ast.Comment, ast.GroupComment, ast.ResourceComment)):
            continue
        assert isinstance(entry, ast.Message), entry
        parts = {"": entry.value} | {part.id.name: part.value for part in entry.attributes}
        for name, pattern in parts.items():
            if pattern is not None:
                visitor = _Names()
                visitor.visit(pattern)
                found[f"{entry.id.name}.{name}".rstrip(".")] = visitor.names
    return found


@pytest.mark.parametrize("locale", LOCALES)
def test_every_language_has_every_text_with_the_same_arguments(locale: str) -> None:
    texts = _names_of(locale)
    messages = {
        f"{template.replace('_', '-')}.{part}"
        for template in Template
        for part in ("title", "body")
    }
    assert set(texts) == {"deduction", "unnamed-device", "unnamed-pass", "unnamed-place", *messages}
    assert texts == _names_of("en")


def test_there_is_no_text_file_that_nobody_reads() -> None:
    assert {path.name for path in TEXTS.iterdir()} == {f"{locale}.ftl" for locale in LOCALES}


def test_every_message_has_its_rule() -> None:
    assert set(RULES) == set(Template)


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
                "Your stay at Seaside is paid. Taken from WeChat Pay, 2 Mar 2026 00:05. "
                "Not you? Open the app: end the permission and object to the bill."
            ),
        ),
        (
            "de",
            (
                "Ihr Aufenthalt (Seaside) ist bezahlt. Abgebucht bei WeChat Pay, 02.03.2026 00:05. "
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
        day = {"en": "2 Mar 2026", "de": "02.03.2026", "zh": "2026年3月2日"}[locale]
        assert f"{day} 00:05" in body
    free = _event(EventType(kind))
    assert "Taken from" not in render(template, free, "en").body
