"""Sellers, buyers and documents for the tests of invoices."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from parking.invoices.document import DetailLine, Document, DocumentLine, sum_taxes
from parking.invoices.models import InvoiceKind
from parking.invoices.parties import Buyer, Seller, checked_buyer, checked_seller
from parking.invoices.rules import tax_each

SELLER: Final = Seller(
    legal_name="Parkhaus Müller & Söhne GmbH",
    street="Hauptstraße 5",
    postal_code="10115",
    city="Berlin",
    country="DE",
    prefix="PM",
    timezone="Europe/Berlin",
    vat_basis_points=1900,
    vat_id="DE123456789",
    tax_number="37/123/45678",
    iban="DE89370400440532013000",
    email="rechnung@parkhaus.example",
)
CHINESE_SELLER: Final = Seller(
    legal_name="河畔停车管理有限公司",
    street="滨江路8号",
    postal_code="200120",
    city="上海",
    country="CN",
    prefix="RP",
    timezone="Asia/Shanghai",
    vat_basis_points=900,
    tax_number="91110000600037341L",
)
BUYER: Final = Buyer(
    name='Żółć <Kft> & "Co" s.r.o.',
    country="PL",
    street="ul. Długa 1",
    postal_code="80-001",
    city="Gdańsk",
    vat_id="PL1234567890",
)


def seller(**changes: Any) -> Seller:  # noqa: ANN401 - any field
    """Return a checked seller."""
    return checked_seller(replace(SELLER, **changes))


def buyer(**changes: Any) -> Buyer:  # noqa: ANN401 - any field
    """Return a checked buyer."""
    return checked_buyer(replace(BUYER, **changes), seller())


def document(*gross: tuple[int, int], **changes: Any) -> Document:  # noqa: ANN401 - any field
    """Return an invoice over (gross, rate) of November 2026, on consecutive days in Berlin."""
    amounts = gross or ((350, 1900), (1250, 1900), (3, 1900))
    by_rate = {
        rate: iter(tax_each([minor for minor, other in amounts if other == rate], rate))
        for _, rate in amounts
    }
    lines = tuple(_line(day, next(by_rate[rate])) for day, (_, rate) in enumerate(amounts, start=1))
    fields: dict[str, Any] = {
        "kind": InvoiceKind.INVOICE,
        "number": "PM-2026-000001",
        # Half past midnight of the 24th in Berlin.
        "issued_at": datetime(2026, 11, 23, 23, 30, tzinfo=UTC),
        "seller": seller(),
        "buyer": buyer(),
        "currency": "EUR",
        "lines": lines,
        "taxes": sum_taxes(lines),
    }
    return Document(**{**fields, **changes})


def _line(day: int, taxed: Any) -> DocumentLine:  # noqa: ANN401 - what rules.tax_each returns
    starts_at = datetime(2026, 11, 1 + day % 28, 8, 0, tzinfo=UTC)
    free_until = starts_at.replace(minute=15)
    ends_at = starts_at.replace(hour=10)
    return DocumentLine(
        bill_id=UUID(int=day),
        name="Parken, Marktplatz",
        timezone="Europe/Berlin",
        starts_at=starts_at,
        ends_at=ends_at,
        taxed=taxed,
        details=(
            DetailLine("grace", 0, starts_at, free_until),
            DetailLine("increment", taxed.gross_minor, free_until, ends_at, "max 12 h"),
        ),
    )
