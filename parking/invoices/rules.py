"""Net, VAT and numbers of invoices, in integers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from parking.kit.errors import InvalidInputError
from parking.kit.money import divide_half_up, minor_digits

BASIS_POINTS: Final = 10_000
VAT_BASIS_POINTS_MAX: Final = 5_000
NUMBER_DIGITS: Final = 6
# EN 16931 writes amounts with two decimals at most (BR-DEC-*).
AMOUNT_DIGITS_MAX: Final = 2


@dataclass(frozen=True, slots=True)
class Taxed:
    """A gross amount, taken apart; `net_minor + vat_minor == gross_minor`, always."""

    vat_basis_points: int
    gross_minor: int
    net_minor: int
    vat_minor: int


def vat_of(gross_minor: int, vat_basis_points: int) -> int:
    """Return the VAT inside a gross amount, rounded half up to the minor unit.

    Where some net amount plus its rounded VAT gives this gross amount, it is that one, so that
    EN 16931's BR-CO-17 holds exactly. About one gross amount in 1 + 1/rate has no such net
    amount (3 cents at 19 %, say); its VAT then differs from net times rate by less than one minor
    unit.
    """
    return divide_half_up(gross_minor * vat_basis_points, BASIS_POINTS + vat_basis_points)


def tax(gross_minor: int, vat_basis_points: int) -> Taxed:
    """Take a gross amount apart."""
    vat_minor = vat_of(gross_minor, vat_basis_points)
    return Taxed(vat_basis_points, gross_minor, gross_minor - vat_minor, vat_minor)


def tax_each(gross_minors: Sequence[int], vat_basis_points: int) -> list[Taxed]:
    """Take amounts of one rate apart so that their parts add up to those of their sum.

    VAT is rounded once, on the sum: each amount gets what the sum's VAT grows by.
    """
    parts: list[Taxed] = []
    gross_so_far = vat_so_far = 0
    for gross_minor in gross_minors:
        gross_so_far += gross_minor
        vat_minor = vat_of(gross_so_far, vat_basis_points) - vat_so_far
        vat_so_far += vat_minor
        parts.append(Taxed(vat_basis_points, gross_minor, gross_minor - vat_minor, vat_minor))
    return parts


def tax_credit(
    invoiced_minor: int, credited_minor: int, gross_minor: int, vat_basis_points: int
) -> Taxed:
    """Take a credit apart so that all credits of an invoice never exceed it, in any part.

    Args:
        invoiced_minor: What the invoice says at this rate.
        credited_minor: What earlier credit notes took from it.
        gross_minor: What this one takes.
        vat_basis_points: The rate.

    Raises:
        ValueError: there is less left than `gross_minor`.
    """
    left_minor = invoiced_minor - credited_minor
    if not 0 < gross_minor <= left_minor:
        raise ValueError("gross_minor: expected at most what is left of the invoice")
    vat_minor = vat_of(left_minor, vat_basis_points) - vat_of(
        left_minor - gross_minor, vat_basis_points
    )
    return Taxed(vat_basis_points, gross_minor, gross_minor - vat_minor, vat_minor)


def format_number(series: str, year: int, sequence: int) -> str:
    """Return a document's number, such as `RP-2026-000001`."""
    return f"{series}-{year}-{sequence:0{NUMBER_DIGITS}d}"


def local_year(at: datetime, timezone: str) -> int:
    """Return the calendar year of a moment on the seller's wall clock."""
    return at.astimezone(ZoneInfo(timezone)).year


def check_currency(currency: str) -> None:
    """Refuse money that EN 16931 cannot write.

    Raises:
        InvalidInputError: the currency has more than two decimals.
    """
    if minor_digits(currency) > AMOUNT_DIGITS_MAX:
        raise InvalidInputError("currency", "one with at most two decimals: EN 16931 has no more")
