"""Everything that an invoice says: the XML and the PDF are both written from it."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from parking.invoices.models import InvoiceKind
from parking.invoices.parties import Buyer, Seller
from parking.invoices.rules import Taxed


@dataclass(frozen=True, slots=True)
class DetailLine:
    """One line of a bill, in its gross amount; the lines of a bill add up to its total."""

    reason: str
    amount_minor: int
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """One bill on an invoice.

    Attributes:
        bill_id: The bill's first version, which the invoice holds on to.
        name: What was sold where; empty where the place's name cannot be drawn.
        timezone: The place's: its times are shown on this wall clock.
    """

    bill_id: UUID
    name: str
    timezone: str
    starts_at: datetime
    ends_at: datetime
    taxed: Taxed
    details: tuple[DetailLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Preceding:
    """The invoice that a credit note takes from."""

    number: str
    issued_on: date


@dataclass(frozen=True, slots=True)
class Document:
    """An invoice or credit note; every amount is positive, as EN 16931 wants it.

    Attributes:
        number: Ours; empty for a fapiao.
        taxes: By VAT rate, rising: the sums of the lines.
        reason: Why a credit note was issued.
    """

    kind: InvoiceKind
    number: str
    issued_at: datetime
    seller: Seller
    buyer: Buyer
    currency: str
    lines: tuple[DocumentLine, ...]
    taxes: tuple[Taxed, ...]
    preceding: Preceding | None = None
    reason: str = ""

    @property
    def issued_on(self) -> date:
        """The date on the seller's wall clock."""
        return self.issued_at.astimezone(ZoneInfo(self.seller.timezone)).date()

    @property
    def period(self) -> tuple[date, date]:
        """The first and the last day of what was sold, on the seller's wall clock."""
        zone = ZoneInfo(self.seller.timezone)
        first = min(line.starts_at for line in self.lines)
        last = max(line.ends_at for line in self.lines)
        return first.astimezone(zone).date(), last.astimezone(zone).date()

    @property
    def net_minor(self) -> int:
        """What is due without VAT."""
        return sum(one.net_minor for one in self.taxes)

    @property
    def vat_minor(self) -> int:
        """The VAT of all rates."""
        return sum(one.vat_minor for one in self.taxes)

    @property
    def gross_minor(self) -> int:
        """What was paid, or is paid back."""
        return sum(one.gross_minor for one in self.taxes)


DOCUMENT: Final = TypeAdapter(Document)


def sum_taxes(lines: tuple[DocumentLine, ...]) -> tuple[Taxed, ...]:
    """Return the sums of the lines by VAT rate."""
    sums: dict[int, Taxed] = {}
    for line in lines:
        one = line.taxed
        old = sums.get(one.vat_basis_points, Taxed(one.vat_basis_points, 0, 0, 0))
        sums[one.vat_basis_points] = Taxed(
            one.vat_basis_points,
            old.gross_minor + one.gross_minor,
            old.net_minor + one.net_minor,
            old.vat_minor + one.vat_minor,
        )
    return tuple(sums[rate] for rate in sorted(sums))
