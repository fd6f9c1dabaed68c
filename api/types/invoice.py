"""Invoices as drivers and staff see them."""

from datetime import datetime

import strawberry

from api.global_ids import BILL_KIND, Node, encode_id
from api.types.money import Money
from api.types.page import PageInfo
from api.types.passes import RIGHT_ID
from parking.flows.invoices import invoice_view
from parking.invoices import models, parties

INVOICE_KIND = "Invoice"

strawberry.enum(
    models.InvoiceKind,
    name="InvoiceKind",
    description="INVOICE and CREDIT_NOTE: EN 16931, numbered by the operator. FAPIAO and "
    "RED_FAPIAO: issued and numbered by China's tax office.",
)
strawberry.enum(
    invoice_view.InvoiceState,
    name="InvoiceState",
    description="APPLIED: a fapiao that the tax office has not issued yet. FAILED: it will not; "
    "the bills are free again. PARTLY_CREDITED and CREDITED: credit notes took from it. More "
    "values may come.",
)


@strawberry.type(description="Whom invoices are made out to.")
class InvoiceBuyer:
    """Whom invoices are made out to."""

    name: str
    street: str | None
    postal_code: str | None
    city: str | None
    country: str
    vat_id: str | None
    email: str | None

    @classmethod
    def of(cls, buyer: parties.Buyer) -> "InvoiceBuyer":
        """Return the buyer for its driver."""
        return cls(
            name=buyer.name,
            street=buyer.street,
            postal_code=buyer.postal_code,
            city=buyer.city,
            country=buyer.country,
            vat_id=buyer.vat_id,
            email=buyer.email,
        )


@strawberry.type(description="An invoice, a credit note, or an application for a fapiao.")
class Invoice(Node):
    """A document over bills."""

    kind: models.InvoiceKind
    state: invoice_view.InvoiceState
    number: str | None = strawberry.field(description="Null for a fapiao before it is issued.")
    corrects: strawberry.ID | None = strawberry.field(
        description="The invoice that a credit note takes from."
    )
    seller_name: str
    buyer_name: str
    issued_at: datetime
    net: Money
    vat: Money
    gross: Money
    left: Money = strawberry.field(
        description="What credit notes have not taken from it; nothing for a credit note."
    )
    bills: list[strawberry.ID] = strawberry.field(
        description="The bills on it, each by its first version."
    )
    failure_code: str | None
    pdf_url: str | None = strawberry.field(
        description="Works without signing in, for seven days from now; ask again for a new one."
    )
    xml_url: str | None = strawberry.field(
        description="EN 16931 as UN/CEFACT CII, also inside the PDF; null for a fapiao."
    )

    @classmethod
    def of(cls, view: invoice_view.InvoiceView) -> "Invoice":
        """Return the document for a client."""
        corrects = view.corrects_id
        return cls(
            id=encode_id(INVOICE_KIND, view.id),
            kind=view.kind,
            state=view.state,
            number=view.number,
            corrects=None if corrects is None else encode_id(INVOICE_KIND, corrects),
            seller_name=view.seller_name,
            buyer_name=view.buyer_name,
            issued_at=view.issued_at,
            net=Money.of(view.net),
            vat=Money.of(view.vat),
            gross=Money.of(view.gross),
            left=Money.of(view.left),
            bills=[encode_id(BILL_KIND, view.operator_id, bill_id) for bill_id in view.bill_ids],
            failure_code=view.failure_code,
            pdf_url=view.pdf_url,
            xml_url=view.xml_url,
        )


@strawberry.type(description="A document in a list, with its place in it.")
class InvoiceEdge:
    """A document in a list."""

    cursor: str = strawberry.field(description="Give it as `after` to go on behind this one.")
    node: Invoice


@strawberry.type(description="A page of documents, newest first.")
class InvoiceConnection:
    """A page of documents."""

    edges: list[InvoiceEdge]
    page_info: PageInfo


@strawberry.type(description="A paid bill that stands on no invoice yet.")
class InvoiceableBill:
    """A paid bill that stands on no invoice yet."""

    bill_id: strawberry.ID = strawberry.field(description="Give it to `requestInvoice`.")
    session_id: strawberry.ID | None
    pass_id: strawberry.ID | None
    place_name: str = strawberry.field(description="Empty for a pass's.")
    total: Money
    paid_at: datetime

    @classmethod
    def of(cls, bill: invoice_view.InvoiceableBill) -> "InvoiceableBill":
        """Return the bill for its driver."""
        session_id, pass_id = bill.session_id, bill.pass_id
        return cls(
            bill_id=encode_id(BILL_KIND, bill.operator_id, bill.id),
            session_id=None if session_id is None else encode_id("Session", session_id),
            pass_id=None if pass_id is None else encode_id(RIGHT_ID, pass_id),
            place_name=bill.place_name,
            total=Money.of(bill.total),
            paid_at=bill.paid_at,
        )
