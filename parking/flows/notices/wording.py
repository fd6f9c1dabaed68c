"""What a message says in each language: texts in Fluent, amounts and times as people write them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, Final, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.dates import format_date, format_time
from babel.numbers import format_currency
from fluent.runtime import FluentBundle, FluentResource

from parking.kit.errors import ParkingError
from parking.kit.money import Money, minor_digits
from parking.notices.rules import DEDUCTIONS, Template
from parking.payments.mandate_terms import texts_of

LOCALES: Final = ("en", "zh", "de")
DEFAULT_LOCALE: Final = "en"
NAME_LENGTH_MAX: Final = 80
# How amounts and times are written: English is read by whoever nobody translated for, so that
# its days are unmistakable and its hours count to 24.
_FORMATS: Final[Mapping[str, str]] = {"en": "en_GB", "zh": "zh_Hans_CN", "de": "de_DE"}

_CODE_AND_DIGIT: Final = re.compile(r"(?<=[A-Z])(?=\d)")
_AMOUNTS: Final[Mapping[str, str]] = {"amount": "amount_minor", "before": "before_minor"}
# By which end a pass's last day is told.
_LAST_DAYS: Final[Mapping[Template, str]] = {
    Template.PASS_PURCHASED: "paid_until",
    Template.PASS_RENEWAL_UPCOMING: "paid_until",
    Template.PASS_RENEWED: "paid_until",
    Template.PASS_RENEWAL_FAILED: "valid_until",
    Template.PASS_CANCELLED: "ended_at",
}
# Which moment of an offer or a reservation is told, as a day with its hour.
_MOMENTS: Final[Mapping[Template, Mapping[str, str]]] = {
    Template.SPACE_OFFERED: {"start": "starts_at", "until": "expires_at"},
    Template.RESERVATION_UPCOMING: {"start": "starts_at", "until": "kept_until"},
    Template.RESERVATION_MISSED: {"until": "kept_until"},
    Template.RESERVATION_OVERSTAYED: {"until": "ends_at"},
}


class PayloadError(ParkingError):
    """An event's payload lacks what its message says: a defect of whoever emitted it."""

    code = "EVENT_PAYLOAD"


@dataclass(frozen=True, slots=True)
class Text:
    """What the phone shows.

    Attributes:
        language: That it is written in.
        values: What was filled in, for gateways that have approved texts of their own.
    """

    title: str
    body: str
    language: str = field(default=DEFAULT_LOCALE, compare=False)
    values: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)


def render(
    template: Template, arguments: Mapping[str, Any], occurred_at: datetime, locale: str
) -> Text:
    """Return a message in the language of `locale`, or in English; times in the place's zone.

    Raises:
        PayloadError: the arguments lack what the message says, or cannot be read.
    """
    language = language_of(locale)
    texts = _Texts(language, template)
    values = _values(texts, template, arguments)
    if template == Template.SIGNED_IN:
        # No place has a zone for it; the app shows the sign-in's time in the phone's own.
        at = occurred_at.astimezone(UTC)
        values["at"] = f"{texts.day(at)} {texts.hour(at)}"
    name = template.replace("_", "-")
    title = texts.write(f"{name}.title", values)
    body = texts.write(f"{name}.body", values)
    if template in DEDUCTIONS and arguments.get("provider"):
        values |= _deduction(texts, arguments, occurred_at)
        body = f"{body} {texts.write('deduction', values)}"
    return Text(title, body, language, {name: str(value) for name, value in values.items()})


def language_of(locale: str) -> str:
    """Return `zh` for `zh-Hans-CN`; languages that nobody translated to are told in English."""
    language = locale.replace("_", "-").partition("-")[0].lower()
    return language if language in LOCALES else DEFAULT_LOCALE


class _Texts:
    """The texts of one language, for one message."""

    def __init__(self, language: str, template: Template) -> None:
        self.language = language
        self.format = _FORMATS[language]
        self._template = template
        self._bundle = _bundle(language)

    def write(self, name: str, values: Mapping[str, Any]) -> str:
        """Return one text; every name in it must have a value."""
        key, _, attribute = name.partition(".")
        message = self._bundle.get_message(key)
        pattern = message.attributes[attribute] if attribute else message.value
        if pattern is None:
            raise PayloadError(f"{self._template}: no text {name}")
        written, errors = self._bundle.format_pattern(pattern, dict(values))
        if errors:
            raise PayloadError(f"{self._template}: {errors[0]}") from errors[0]
        return cast("str", written)

    def amount(self, amount_minor: int, currency: str) -> str:
        """Return an amount as the language writes it."""
        money = Money(amount_minor, currency)
        digits = minor_digits(money.currency)
        major = Decimal(money.amount_minor).scaleb(-digits)
        written = format_currency(major, money.currency, locale=self.format)
        # A code before its digits is set off, which CLDR asks for and the library leaves out.
        return _CODE_AND_DIGIT.sub("\u00a0", written)

    def day(self, at: datetime) -> str:
        """Return a day as the language writes it."""
        return format_date(at, format="medium", locale=self.format)

    def hour(self, at: datetime) -> str:
        """Return a time of day as the language writes it."""
        return format_time(at, format="short", locale=self.format)


def _values(texts: _Texts, template: Template, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may be filled in: of the amounts and times, those that the arguments have."""
    values: dict[str, Any] = {
        "place": _name(arguments.get("place_name")) or texts.write("unnamed-place", {}),
        "name": _name(arguments.get("pass_name")) or texts.write("unnamed-pass", {}),
        "number": str(arguments.get("number", "")),
        "refusal": str(arguments.get("refusal", "")),
        "title": str(arguments.get("title", "")),
        "body": str(arguments.get("body", "")),
        "other": _name(arguments.get("other_place")),
        "found": "yes" if arguments.get("other_place") else "no",
        "device": _name(arguments.get("device_name")) or texts.write("unnamed-device", {}),
    }
    try:
        for name, source in _AMOUNTS.items():
            if source in arguments:
                values[name] = texts.amount(arguments[source], arguments["currency"])
        if template in _LAST_DAYS:
            # What ends at midnight ends with the day before.
            end = _local(arguments, _LAST_DAYS[template]) - timedelta(seconds=1)
            values["day"] = texts.day(end)
        for name, source in _MOMENTS.get(template, {}).items():
            at = _local(arguments, source)
            values[name] = f"{texts.day(at)} {texts.hour(at)}"
        if template == Template.SESSION_ENTERED:
            values["time"] = texts.hour(_local(arguments, "entered_at"))
    except (KeyError, TypeError, ValueError, ZoneInfoNotFoundError) as error:
        raise PayloadError(f"{template}: no readable amount or time") from error
    return values


def _deduction(
    texts: _Texts, arguments: Mapping[str, Any], occurred_at: datetime
) -> dict[str, str]:
    provider = str(arguments["provider"])
    known = texts_of(texts.language)["providers"]
    try:
        at = _local({"charged_at": occurred_at.isoformat(), **arguments}, "charged_at")
    except (TypeError, ValueError, ZoneInfoNotFoundError) as error:
        raise PayloadError("deduction: no readable charged_at") from error
    return {
        "provider": str(known.get(provider, provider)),
        "at": f"{texts.day(at)} {texts.hour(at)}",
    }


def _local(arguments: Mapping[str, Any], name: str) -> datetime:
    at = datetime.fromisoformat(arguments[name])
    if at.tzinfo is None:
        raise ValueError("expected an aware time")
    return at.astimezone(ZoneInfo(arguments.get("timezone") or "UTC"))


def _name(value: object) -> str:
    return str(value)[:NAME_LENGTH_MAX] if value else ""


@cache
def _bundle(language: str) -> Any:  # noqa: ANN401 - fluent.runtime comes without types
    source = files("parking.flows.notices").joinpath("texts", f"{language}.ftl")
    # Marks around each value would be sent and counted, and every language here runs one way.
    bundle = cast("Any", FluentBundle)([_FORMATS[language].replace("_", "-")], use_isolating=False)
    bundle.add_resource(cast("Any", FluentResource)(source.read_text(encoding="utf-8")))
    return bundle
