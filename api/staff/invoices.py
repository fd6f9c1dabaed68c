"""What an operator's invoices say about it, and the invoices themselves."""

from typing import Annotated, Final
from uuid import UUID

import strawberry

from api import invoice_pages
from api.acting import Given, outcome_of
from api.config import PAGE_SIZE
from api.global_ids import decode_id, decode_keys, encode_id
from api.idempotency import by_staff, keyed
from api.request import Info
from api.types.invoice import INVOICE_KIND, Invoice, InvoiceConnection
from parking.flows.invoices import invoice_fapiao, invoice_view, invoicing
from parking.invoices import service
from parking.invoices.errors import InvoiceUnknownError
from parking.invoices.models import InvoiceKind
from parking.invoices.parties import PLACE_RATES_MAX, Seller
from parking.kit.errors import InvalidInputError

PLACE_KIND: Final = "Place"


@strawberry.type(description="The VAT rate of one place.")
class PlaceVat:
    """The VAT rate of one place."""

    place_id: strawberry.ID
    basis_points: int


@strawberry.input(description="The VAT rate of one place.")
class PlaceVatInput:
    """The VAT rate of one place."""

    place_id: strawberry.ID
    basis_points: int = strawberry.field(description="1900 for 19 %.")


@strawberry.type(description="What your invoices say about you.")
class InvoiceSeller:
    """What an operator's invoices say about it."""

    legal_name: str
    street: str
    postal_code: str
    city: str
    country: str
    prefix: str
    timezone: str
    vat_basis_points: int
    vat_id: str | None
    tax_number: str | None
    vat_exemption_reason: str | None
    iban: str | None
    email: str | None
    place_vat: list[PlaceVat]


@strawberry.input(description="What your invoices say about you, from the next one on.")
class SetInvoiceSellerInput:
    """What an operator's invoices say about it."""

    legal_name: str
    street: str
    postal_code: str
    city: str
    country: str = strawberry.field(
        description="ISO 3166. `CN`: fapiao through the service that is set up; others: Factur-X."
    )
    prefix: str = strawberry.field(description="Begins every number, such as `RP`.")
    timezone: str = strawberry.field(description="IANA name: dates and years are on this clock.")
    vat_basis_points: int = strawberry.field(description="1900 for 19 %.")
    vat_id: str | None = None
    tax_number: str | None = strawberry.field(
        default=None, description="In China the unified social credit code."
    )
    vat_exemption_reason: str | None = strawberry.field(
        default=None, description="Why no VAT is due; needed where a rate is nought."
    )
    iban: str | None = None
    email: str | None = None
    place_vat: list[PlaceVatInput] | None = strawberry.field(
        default=None, description="Places with another rate."
    )


@strawberry.type(description="What your next invoices say.")
class InvoiceSellerSet:
    """What the next invoices say."""

    seller: InvoiceSeller


@strawberry.input
class CancelInvoiceInput:
    """Which invoice to cancel, and why."""

    invoice_id: strawberry.ID
    reason: str = strawberry.field(description="The buyer reads it.")


@strawberry.type(description="The credit note over what was left; the bills are free again.")
class InvoiceCancelled:
    """The credit note over what was left."""

    credit_note: Invoice


@keyed(by_staff, at_once=True)
async def set_invoice_seller(
    info: Info, given: Annotated[SetInvoiceSellerInput, Given]
) -> InvoiceSellerSet:
    """Store what the operator's invoices say about it."""
    staff = info.context.staff()
    rates = given.place_vat or []
    if len(rates) > PLACE_RATES_MAX:
        raise InvalidInputError("placeVat", f"at most {PLACE_RATES_MAX} places")
    by_place: dict[str, int] = {}
    for rate in rates:
        operator_id, place_id = decode_keys(
            rate.place_id, kind=PLACE_KIND, count=2, field="placeVat.placeId"
        )
        if operator_id != staff.operator_id:
            raise InvalidInputError("placeVat.placeId", "a place of yours")
        by_place[str(place_id)] = rate.basis_points
    seller = Seller(
        legal_name=given.legal_name,
        street=given.street,
        postal_code=given.postal_code,
        city=given.city,
        country=given.country,
        prefix=given.prefix,
        timezone=given.timezone,
        vat_basis_points=given.vat_basis_points,
        vat_id=given.vat_id,
        tax_number=given.tax_number,
        vat_exemption_reason=given.vat_exemption_reason,
        iban=given.iban,
        email=given.email,
        place_vat=by_place,
    )
    async with info.context.parking.database.begin() as unit:
        stored = await service.set_seller(unit, staff.operator_id, seller, staff.name)
    return InvoiceSellerSet(seller=_seller(info, stored))


@keyed(by_staff)
async def cancel_invoice(
    info: Info, given: Annotated[CancelInvoiceInput, Given]
) -> InvoiceCancelled:
    """Credit what is left of an invoice."""
    staff, parking = info.context.staff(), info.context.parking
    operator_id = staff.operator_id
    invoice_id = decode_id(given.invoice_id, kind=INVOICE_KIND, field="invoiceId")
    _, note_id = await invoicing.cancel(parking, operator_id, invoice_id, reason=given.reason)
    view = await invoice_view.find_of_operator(parking, operator_id, note_id)
    if view is not None and view.kind == InvoiceKind.RED_FAPIAO and view.number is None:
        await invoice_fapiao.send(parking, operator_id, note_id, only_new=True)
        view = await invoice_view.find_of_operator(parking, operator_id, note_id)
    if view is None:
        raise InvoiceUnknownError
    return InvoiceCancelled(credit_note=Invoice.of(view))


@strawberry.type
class InvoiceQueries:
    """The reads about invoices."""

    @strawberry.field(description="What your invoices say about you; null before it is set.")
    async def invoice_seller(self, info: Info) -> InvoiceSeller | None:
        """Return what the operator's invoices say about it."""
        operator_id = info.context.staff().operator_id
        async with info.context.parking.database.begin() as unit:
            stored = await service.find_seller(unit, operator_id)
        return None if stored is None else _seller(info, stored)

    @strawberry.field(description="Your invoices and credit notes, newest first.")
    async def invoices(
        self, info: Info, first: int = PAGE_SIZE, after: str | None = None
    ) -> InvoiceConnection:
        """Return a page of the operator's documents."""
        operator_id = info.context.staff().operator_id
        return await invoice_pages.page_of_operator(
            info.context, operator_id, first=first, after=after
        )


@strawberry.type
class InvoiceMutations:
    """The writes about invoices."""

    set_invoice_seller = strawberry.mutation(
        set_invoice_seller,
        graphql_type=outcome_of(InvoiceSellerSet, "SetInvoiceSellerResult"),
        description="Say what your invoices say about you, from the next one on. Issued invoices "
        "keep what they said.",
    )
    cancel_invoice = strawberry.mutation(
        cancel_invoice,
        graphql_type=outcome_of(InvoiceCancelled, "CancelInvoiceResult"),
        description="Credit what is left of an invoice, so that the driver may ask for another. "
        "Repeating it returns the same credit note.",
    )


def _seller(info: Info, stored: Seller) -> InvoiceSeller:
    operator_id = info.context.staff().operator_id
    return InvoiceSeller(
        legal_name=stored.legal_name,
        street=stored.street,
        postal_code=stored.postal_code,
        city=stored.city,
        country=stored.country,
        prefix=stored.prefix,
        timezone=stored.timezone,
        vat_basis_points=stored.vat_basis_points,
        vat_id=stored.vat_id,
        tax_number=stored.tax_number,
        vat_exemption_reason=stored.vat_exemption_reason,
        iban=stored.iban,
        email=stored.email,
        place_vat=[
            PlaceVat(place_id=_place_id(operator_id, place_id), basis_points=basis_points)
            for place_id, basis_points in stored.place_vat.items()
        ],
    )


def _place_id(operator_id: UUID, place_id: str) -> strawberry.ID:
    return encode_id(PLACE_KIND, operator_id, UUID(place_id))
