"""Asking for invoices."""

from typing import Annotated

import strawberry

from api.acting import Given, outcome_of, refusable
from api.global_ids import BILL_KIND, decode_keys
from api.idempotency import by_driver, keyed
from api.request import Info
from api.types.invoice import Invoice, InvoiceBuyer
from parking.flows.invoices import invoice_fapiao, invoice_view, invoicing
from parking.flows.invoices.invoicing import BILLS_PER_INVOICE_MAX
from parking.invoices import service
from parking.invoices.errors import InvoiceUnknownError
from parking.invoices.models import InvoiceKind
from parking.invoices.parties import Buyer
from parking.kit.errors import InvalidInputError


@strawberry.type(description="The invoice; a fapiao may still be on its way: look at `state`.")
class InvoiceRequested:
    """The invoice."""

    invoice: Invoice


@strawberry.type(description="Whom your next invoices are made out to.")
class InvoiceBuyerSaved:
    """Whom the next invoices are made out to."""

    buyer: InvoiceBuyer


@strawberry.input(
    description="Whom an invoice is made out to. For a fapiao the name is the title (抬头), and "
    "an address is not needed."
)
class InvoiceBuyerInput:
    """Whom an invoice is made out to."""

    name: str
    country: str = strawberry.field(description="ISO 3166, two letters, such as `DE`.")
    street: str | None = None
    postal_code: str | None = None
    city: str | None = None
    vat_id: str | None = strawberry.field(
        default=None,
        description="A company's VAT identifier; for a fapiao its unified social credit code.",
    )
    email: str | None = strawberry.field(
        default=None,
        description="Stands on the invoice, and goes to the fapiao service; Sesame mails nothing.",
    )

    def to_buyer(self) -> Buyer:
        """Return it in the domain's words, unchecked."""
        return Buyer(
            name=self.name,
            country=self.country,
            street=self.street,
            postal_code=self.postal_code,
            city=self.city,
            vat_id=self.vat_id,
            email=self.email,
        )


@strawberry.input
class RequestInvoiceInput:
    """What to put on an invoice."""

    bill_ids: list[strawberry.ID] = strawberry.field(
        description="Your own paid bills, all of one operator; at most 100."
    )
    buyer: InvoiceBuyerInput | None = strawberry.field(
        default=None, description="Null for the saved one."
    )


@strawberry.input
class SaveInvoiceBuyerInput:
    """Whom to make the next invoices out to."""

    buyer: InvoiceBuyerInput


@keyed(by_driver)
async def request_invoice(
    info: Info, given: Annotated[RequestInvoiceInput, Given]
) -> InvoiceRequested:
    """Issue an invoice, or apply for a fapiao."""
    driver_id = await info.context.driver_id()
    if len(given.bill_ids) > BILLS_PER_INVOICE_MAX:
        raise InvalidInputError("billIds", f"1 to {BILLS_PER_INVOICE_MAX} bills")
    keys = [decode_keys(one, kind=BILL_KIND, count=2, field="billIds") for one in given.bill_ids]
    operator_id, invoice_id = await invoicing.request(
        info.context.parking,
        driver_id,
        [(operator, bill) for operator, bill in keys],
        None if given.buyer is None else given.buyer.to_buyer(),
    )
    view = await invoice_view.find_of_driver(info.context.parking, driver_id, invoice_id)
    if view is not None and view.kind == InvoiceKind.FAPIAO and view.number is None:
        # Mostly issued at once; what is not, the sweep asks about.
        await invoice_fapiao.send(info.context.parking, operator_id, invoice_id, only_new=True)
        view = await invoice_view.find_of_driver(info.context.parking, driver_id, invoice_id)
    if view is None:
        raise InvoiceUnknownError
    return InvoiceRequested(invoice=Invoice.of(view))


@refusable
async def save_invoice_buyer(
    info: Info, given: Annotated[SaveInvoiceBuyerInput, Given]
) -> InvoiceBuyerSaved:
    """Save whom the next invoices are made out to."""
    driver_id = await info.context.driver_id()
    async with info.context.parking.database.begin() as unit:
        saved = await service.save_buyer(unit, driver_id, given.buyer.to_buyer())
    return InvoiceBuyerSaved(buyer=InvoiceBuyer.of(saved))


@strawberry.type
class InvoiceMutations:
    """The mutations of this module."""

    request_invoice = strawberry.mutation(
        request_invoice,
        graphql_type=outcome_of(InvoiceRequested, "RequestInvoiceResult"),
        description="Ask for one invoice over one or many paid bills. Repeating it returns the "
        "same invoice. A bill stands on one valid invoice: for another buyer the operator's staff "
        "cancels it first (`INVOICE_EXISTS`).",
    )
    save_invoice_buyer = strawberry.mutation(
        save_invoice_buyer,
        graphql_type=outcome_of(InvoiceBuyerSaved, "SaveInvoiceBuyerResult"),
        description="Save whom your next invoices are made out to.",
    )
