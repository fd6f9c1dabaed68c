"""Whom a code may be sent to by SMS: every message costs, and some numbers pay who asked for it."""

from dataclasses import dataclass
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumberType

from parking.drivers.rules import parse_phone
from parking.kit.errors import InvalidInputError

CODES_PER_HOUR_MAX: Final = 2000
CODES_PER_DAY_MAX: Final = 20_000
# What is left out: premium rate, shared cost, personal (redirected at the caller's cost),
# company-wide, toll-free, pager, voicemail, and what the library does not know.
_PERSONS: Final = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.MOBILE,
        PhoneNumberType.VOIP,
    }
)
# Satellites, +979 and what else has a country code without a country.
_NO_COUNTRY: Final = "001"


@dataclass(frozen=True, slots=True)
class SmsPolicy:
    """What the operator of the service pays for.

    Attributes:
        countries: ISO 3166 codes of two letters; empty for all.
        codes_per_hour_max: For the whole service.
        codes_per_day_max: For the whole service: what a day of messages may cost.
    """

    countries: frozenset[str] = frozenset()
    codes_per_hour_max: int = CODES_PER_HOUR_MAX
    codes_per_day_max: int = CODES_PER_DAY_MAX


def textable_phone(text: str, policy: SmsPolicy) -> str:
    """Return the number in E.164, if a code may be sent to it.

    Raises:
        InvalidInputError: it is no number, not a person's, or of a country that is not served.
    """
    number = parse_phone(text)
    country = phonenumbers.region_code_for_number(number)
    if phonenumbers.number_type(number) not in _PERSONS or country in {None, _NO_COUNTRY}:
        expected = "a person's own number that receives text messages, such as that of a mobile"
        raise InvalidInputError("phone_number", expected)
    if policy.countries and country not in policy.countries:
        served = ", ".join(sorted(policy.countries))
        raise InvalidInputError("phone_number", f"a number of one of these countries: {served}")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def read_countries(text: str, *, field: str) -> frozenset[str]:
    """Return the countries of a list such as `DE, AT`; an empty one means all.

    Raises:
        InvalidInputError: an entry is no ISO 3166 code of two letters.
    """
    countries = frozenset(part.strip().upper() for part in text.split(",") if part.strip())
    if not countries <= phonenumbers.SUPPORTED_REGIONS:
        raise InvalidInputError(field, "ISO 3166 codes with commas between them, such as DE,AT")
    return countries
