"""Bills as lines of an invoice: what was sold where and when, and its VAT."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from parking.invoices.document import DetailLine, DocumentLine
from parking.invoices.labels import Labels, labels_of
from parking.invoices.parties import Seller
from parking.invoices.rules import Taxed, tax_each
from parking.invoices.written_text import can_draw
from parking.kit.database import UnitOfWork
from parking.payments import repository as payments
from parking.payments.errors import BillUnknownError
from parking.payments.models import Bill
from parking.payments.versions import VERSIONS_MAX
from parking.places import repository as places
from parking.places.models import Place


async def find_root(unit: UnitOfWork, operator_id: UUID, bill_id: UUID) -> Bill | None:
    """Return the first version of a bill, which an invoice holds on to; None for no bill."""
    for _ in range(VERSIONS_MAX):
        bill = await payments.find_bill(unit, operator_id, bill_id)
        if bill is None or bill.corrects_id is None:
            return bill
        bill_id = bill.corrects_id
    raise BillUnknownError("bill: expected fewer versions")


async def lines_of(
    unit: UnitOfWork, operator_id: UUID, bills: Mapping[UUID, Bill], seller: Seller
) -> list[DocumentLine]:
    """Return an invoice's lines.

    Args:
        unit: The transaction.
        operator_id: Of all of them.
        bills: The versions that count, by the id of the first.
        seller: Whose rates and language it is.
    """
    keys = {(operator_id, bill.place_id) for bill in bills.values() if bill.place_id is not None}
    grounds = await places.find_places(unit, keys)
    taxed = _tax(bills, seller)
    return [
        _line(root_id, bill, grounds.get((operator_id, bill.place_id or root_id)), taxed, seller)
        for root_id, bill in bills.items()
    ]


def _tax(bills: Mapping[UUID, Bill], seller: Seller) -> dict[UUID, Taxed]:
    by_rate: dict[int, list[UUID]] = {}
    for root_id, bill in bills.items():
        by_rate.setdefault(seller.rate_at(bill.place_id), []).append(root_id)
    taxed: dict[UUID, Taxed] = {}
    for rate, root_ids in by_rate.items():
        parts = tax_each([bills[root_id].total_minor for root_id in root_ids], rate)
        taxed.update(zip(root_ids, parts, strict=True))
    return taxed


def _line(
    root_id: UUID, bill: Bill, place: Place | None, taxed: Mapping[UUID, Taxed], seller: Seller
) -> DocumentLine:
    labels = labels_of(seller.country)
    details = [_detail(line, any_script=seller.uses_fapiao) for line in bill.lines]
    starts = [one.starts_at for one in details if one.starts_at is not None]
    ends = [one.ends_at for one in details if one.ends_at is not None]
    starts_at = min(starts, default=bill.issued_at)
    until = bill.priced_until if bill.pass_id is None else bill.issued_at
    return DocumentLine(
        bill_id=root_id,
        name=_name(labels, bill, place, any_script=seller.uses_fapiao),
        timezone=seller.timezone if place is None else place.timezone,
        starts_at=starts_at,
        ends_at=max([starts_at, *ends] if ends else [starts_at, until]),
        taxed=taxed[root_id],
        details=tuple(details),
    )


def _name(labels: Labels, bill: Bill, place: Place | None, *, any_script: bool) -> str:
    if bill.pass_id is not None:
        product = str(bill.basis.get("description") or "")
        is_named = bool(product) and (any_script or can_draw(product))
        return f"{labels.parking_pass}, {product}" if is_named else labels.parking_pass
    if place is None:
        return labels.parking
    # A name that the font cannot draw is replaced by what still tells the place from others.
    is_shown = any_script or can_draw(place.name)
    return f"{labels.parking}, {place.name if is_shown else place.id.hex[-12:]}"


def _detail(line: Mapping[str, Any], *, any_script: bool) -> DetailLine:
    note = str(line.get("note") or "")
    return DetailLine(
        reason=str(line["reason"]),
        amount_minor=int(line["amount_minor"]),
        starts_at=_time(line.get("starts_at")),
        ends_at=_time(line.get("ends_at")),
        note=note if any_script or can_draw(note) else "",
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
