"""Who sells and who buys: what an invoice must say about them, checked before it is stored."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import TypeAdapter

from parking.invoices.countries import CHINA, checked_country
from parking.invoices.rules import VAT_BASIS_POINTS_MAX
from parking.invoices.tax_numbers import checked_credit_code, checked_iban, checked_vat_id
from parking.invoices.written_text import checked_text
from parking.kit.errors import InvalidInputError

NAME_LENGTH_MAX: Final = 160
ADDRESS_LENGTH_MAX: Final = 120
POSTAL_CODE_LENGTH_MAX: Final = 16
TAX_NUMBER_LENGTH_MAX: Final = 32
EMAIL_LENGTH_MAX: Final = 254
PLACE_RATES_MAX: Final = 500
_PREFIX: Final = re.compile(r"[A-Z0-9]{1,12}")
_EMAIL: Final = re.compile(r"[!-?A-~]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


@dataclass(frozen=True, slots=True)
class Seller:
    """What an operator's invoices say about it.

    Attributes:
        prefix: Begins every number, such as `RP` in `RP-2026-000001`.
        timezone: IANA name; the date and the year of an invoice are on this wall clock.
        vat_basis_points: 1900 for 19 %; of every place that `place_vat` does not name.
        place_vat: By the place's id.
        vat_exemption_reason: Why no VAT is due, where the rate is nought; stands on the invoice.
        tax_number: In China the unified social credit code; elsewhere the local tax number.
    """

    legal_name: str
    street: str
    postal_code: str
    city: str
    country: str
    prefix: str
    timezone: str
    vat_basis_points: int
    vat_id: str | None = None
    tax_number: str | None = None
    vat_exemption_reason: str | None = None
    iban: str | None = None
    email: str | None = None
    place_vat: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def uses_fapiao(self) -> bool:
        """Whether the tax office's service issues this seller's invoices."""
        return self.country == CHINA

    def rate_at(self, place_id: UUID | None) -> int:
        """Return the VAT rate of a place, or of what is no place's, such as a pass."""
        return self.place_vat.get(str(place_id), self.vat_basis_points)


@dataclass(frozen=True, slots=True)
class Buyer:
    """Whom an invoice is made out to.

    Attributes:
        vat_id: For a company: the VAT identifier, or in China the unified social credit code.
        email: For the fapiao service, which sends the document there; Sesame sends no e-mail.
    """

    name: str
    country: str
    street: str | None = None
    postal_code: str | None = None
    city: str | None = None
    vat_id: str | None = None
    email: str | None = None


SELLER: Final = TypeAdapter(Seller)
BUYER: Final = TypeAdapter(Buyer)


def checked_seller(given: Seller) -> Seller:
    """Return the seller in its stored form.

    Raises:
        InvalidInputError: a part cannot stand on an invoice; names the field.
    """
    country = checked_country("country", given.country)
    is_china = country == CHINA

    def text(name: str, value: str, length_max: int) -> str:
        return checked_text(name, value, length_max=length_max, any_script=is_china)

    if _PREFIX.fullmatch(given.prefix) is None:
        raise InvalidInputError("prefix", "1 to 12 capital letters and digits")
    seller = replace(
        given,
        legal_name=text("legalName", given.legal_name, NAME_LENGTH_MAX),
        street=text("street", given.street, ADDRESS_LENGTH_MAX),
        postal_code=text("postalCode", given.postal_code, POSTAL_CODE_LENGTH_MAX),
        city=text("city", given.city, ADDRESS_LENGTH_MAX),
        country=country,
        timezone=_checked_zone(given.timezone),
        vat_exemption_reason=_optional("vatExemptionReason", given.vat_exemption_reason),
        iban=None if not given.iban else checked_iban("iban", given.iban),
        email=_checked_email(given.email),
        place_vat=_checked_place_rates(given.place_vat),
    )
    _check_rate("vatBasisPoints", seller.vat_basis_points)
    return _with_tax_numbers(seller)


def checked_buyer(given: Buyer, seller: Seller | None = None) -> Buyer:
    """Return the buyer in its stored form.

    Args:
        given: From outside.
        seller: Whose invoice it is for; None for a saved profile, which may lack an address.

    Raises:
        InvalidInputError: a part cannot stand on an invoice; names the field.
    """
    country = checked_country("buyer.country", given.country)
    any_script = seller is None or seller.uses_fapiao
    needs_address = seller is not None and not seller.uses_fapiao

    def text(name: str, value: str | None, length_max: int, *, is_needed: bool) -> str | None:
        if not value and not is_needed:
            return None
        return checked_text(
            f"buyer.{name}", value or "", length_max=length_max, any_script=any_script
        )

    return Buyer(
        name=text("name", given.name, NAME_LENGTH_MAX, is_needed=True) or "",
        country=country,
        street=text("street", given.street, ADDRESS_LENGTH_MAX, is_needed=needs_address),
        postal_code=text("postalCode", given.postal_code, POSTAL_CODE_LENGTH_MAX, is_needed=False),
        city=text("city", given.city, ADDRESS_LENGTH_MAX, is_needed=needs_address),
        vat_id=_buyer_tax_id(given.vat_id, country, seller),
        email=_checked_email(given.email, "buyer.email"),
    )


def _buyer_tax_id(value: str | None, country: str, seller: Seller | None) -> str | None:
    if not value or not value.strip():
        return None
    uses_code = country == CHINA if seller is None else seller.uses_fapiao
    if uses_code:
        return checked_credit_code("buyer.vatId", value)
    return checked_vat_id("buyer.vatId", value)


def _with_tax_numbers(seller: Seller) -> Seller:
    if seller.uses_fapiao:
        code = checked_credit_code("taxNumber", seller.tax_number or "")
        return replace(seller, tax_number=code, vat_id=None)
    vat_id = None if not seller.vat_id else checked_vat_id("vatId", seller.vat_id)
    number = (
        None
        if not seller.tax_number
        else checked_text("taxNumber", seller.tax_number, length_max=TAX_NUMBER_LENGTH_MAX)
    )
    if vat_id is None and number is None:
        raise InvalidInputError("vatId", "a VAT identifier, or a taxNumber instead")
    rates = (seller.vat_basis_points, *seller.place_vat.values())
    if 0 in rates and seller.vat_exemption_reason is None:
        raise InvalidInputError("vatExemptionReason", "why no VAT is due, where a rate is nought")
    return replace(seller, vat_id=vat_id, tax_number=number)


def _checked_zone(timezone: str) -> str:
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInputError("timezone", "an IANA name such as Europe/Berlin") from error
    return timezone


def _checked_place_rates(rates: Mapping[str, int]) -> dict[str, int]:
    if len(rates) > PLACE_RATES_MAX:
        raise InvalidInputError("placeVat", f"at most {PLACE_RATES_MAX} places")
    checked: dict[str, int] = {}
    for place_id, rate in rates.items():
        _check_rate("placeVat", rate)
        checked[_checked_place(place_id)] = rate
    return dict(sorted(checked.items()))


def _checked_place(place_id: str) -> str:
    """Return a place's id in the spelling that `rate_at` looks for."""
    try:
        return str(UUID(place_id))
    except ValueError as error:
        raise InvalidInputError("placeVat", "places by their UUIDs") from error


def _check_rate(name: str, basis_points: int) -> None:
    if not 0 <= basis_points <= VAT_BASIS_POINTS_MAX:
        raise InvalidInputError(name, f"0 to {VAT_BASIS_POINTS_MAX} hundredths of a percent")


def _checked_email(value: str | None, name: str = "email") -> str | None:
    if not value:
        return None
    if len(value) > EMAIL_LENGTH_MAX or _EMAIL.fullmatch(value) is None:
        raise InvalidInputError(name, "an e-mail address")
    return value


def _optional(name: str, value: str | None) -> str | None:
    return None if not value else checked_text(name, value, length_max=NAME_LENGTH_MAX)
