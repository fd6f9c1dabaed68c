"""The EN 16931 form of an invoice: UN/CEFACT Cross Industry Invoice, as Factur-X embeds it."""

from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from drafthorse.models.accounting import ApplicableTradeTax
from drafthorse.models.document import Document as CrossIndustryInvoice
from drafthorse.models.note import IncludedNote
from drafthorse.models.party import TaxRegistration
from drafthorse.models.payment import PaymentMeans
from drafthorse.models.tradelines import LineItem

from parking.invoices.document import Document, DocumentLine
from parking.invoices.labels import labels_of, span_text
from parking.invoices.models import InvoiceKind
from parking.invoices.parties import Seller
from parking.invoices.rules import Taxed
from parking.kit.money import minor_digits

GUIDELINE: Final = "urn:cen.eu:en16931:2017"
SCHEMA: Final = "FACTUR-X_EN16931"
# UNTDID 1001.
_TYPE_CODES: Final = {InvoiceKind.INVOICE: "380", InvoiceKind.CREDIT_NOTE: "381"}
# UNTDID 4461: an online payment service.
_PAYMENT_MEANS: Final = "68"
# UN/ECE recommendation 20: one, without a unit.
_UNIT: Final = "C62"
_STANDARD_RATED, _EXEMPT = "S", "E"


def write_xml(document: Document) -> bytes:
    """Return the invoice as XML, valid against the schema of Factur-X's profile EN 16931.

    The same document gives the same bytes.

    Raises:
        lxml.etree.XMLSyntaxError: the schema refuses it, which is a defect: parties are checked
            before.
    """
    # drafthorse's fields are descriptors without types.
    root: Any = CrossIndustryInvoice()
    root.context.guideline_parameter.id = GUIDELINE
    root.header.id = document.number
    root.header.type_code = _TYPE_CODES[document.kind]
    root.header.issue_date_time = document.issued_on
    if document.reason:
        note: Any = IncludedNote()
        note.content = document.reason
        root.header.notes.add(note)
    for index, line in enumerate(document.lines, start=1):
        root.trade.items.add(_line(document, index, line))
    _write_parties(root.trade.agreement, document)
    _write_delivery(root.trade, document)
    _write_settlement(root.trade.settlement, document)
    xml: bytes = root.serialize(schema=SCHEMA)
    return xml


def _write_parties(agreement: Any, document: Document) -> None:  # noqa: ANN401 - see write_xml
    seller, buyer = document.seller, document.buyer
    if seller.vat_id is None:
        # BR-CO-26: without a VAT identifier, something else must identify the seller.
        agreement.seller.id = seller.tax_number
    agreement.seller.name = seller.legal_name
    _write_address(agreement.seller.address, seller)
    if seller.email is not None:
        agreement.seller.electronic_address.uri_ID = ("EM", seller.email)
    for scheme, number in (("FC", seller.tax_number), ("VA", seller.vat_id)):
        if number is not None:
            agreement.seller.tax_registrations.add(TaxRegistration(id=(scheme, number)))
    agreement.buyer.name = buyer.name
    _write_address(agreement.buyer.address, buyer)
    if buyer.email is not None:
        agreement.buyer.electronic_address.uri_ID = ("EM", buyer.email)
    if buyer.vat_id is not None:
        agreement.buyer.tax_registrations.add(TaxRegistration(id=("VA", buyer.vat_id)))


def _write_address(address: Any, party: Any) -> None:  # noqa: ANN401 - a Seller or a Buyer
    if party.postal_code:
        address.postcode = party.postal_code
    address.line_one = party.street
    address.city_name = party.city
    address.country_id = party.country


def _write_delivery(trade: Any, document: Document) -> None:  # noqa: ANN401 - see write_xml
    first, last = document.period
    trade.delivery.event.occurrence = last
    trade.settlement.period.start = first
    trade.settlement.period.end = last


def _write_settlement(settlement: Any, document: Document) -> None:  # noqa: ANN401 - see write_xml
    settlement.currency_code = document.currency
    means: Any = PaymentMeans()
    means.type_code = _PAYMENT_MEANS
    if document.seller.iban is not None:
        means.payee_account.iban = document.seller.iban
    settlement.payment_means.add(means)
    for taxed in document.taxes:
        tax: Any = ApplicableTradeTax()
        _write_tax(tax, taxed, document.seller)
        tax.calculated_amount = _amount(document, taxed.vat_minor)
        tax.basis_amount = _amount(document, taxed.net_minor)
        settlement.trade_tax.add(tax)
    if document.preceding is not None:
        settlement.invoice_referenced_document.issuer_assigned_id = document.preceding.number
        settlement.invoice_referenced_document.issue_date_time = document.preceding.issued_on
    _write_totals(settlement.monetary_summation, document)


def _write_totals(totals: Any, document: Document) -> None:  # noqa: ANN401 - see write_xml
    net = _amount(document, document.net_minor)
    gross = _amount(document, document.gross_minor)
    totals.line_total = net
    totals.charge_total = _amount(document, 0)
    totals.allowance_total = _amount(document, 0)
    # The currency is the invoice's; only the VAT must say it again.
    totals.tax_basis_total = net
    totals.tax_total = (_amount(document, document.vat_minor), document.currency)
    totals.grand_total = gross
    totals.prepaid_total = gross
    totals.due_amount = _amount(document, 0)


def _line(document: Document, index: int, line: DocumentLine) -> Any:  # noqa: ANN401 - see write_xml
    labels = labels_of(document.seller.country)
    zone = ZoneInfo(line.timezone)
    item: Any = LineItem()
    item.document.line_id = str(index)
    item.product.name = line.name
    span = span_text(labels, line.starts_at, line.ends_at, line.timezone)
    item.product.description = f"{span} ({line.timezone})"
    item.agreement.net.amount = _amount(document, line.taxed.net_minor)
    item.delivery.billed_quantity = (Decimal(1), _UNIT)
    _write_tax(item.settlement.trade_tax, line.taxed, document.seller)
    item.settlement.period.start = line.starts_at.astimezone(zone).date()
    item.settlement.period.end = line.ends_at.astimezone(zone).date()
    item.settlement.monetary_summation.total_amount = _amount(document, line.taxed.net_minor)
    return item


def _write_tax(tax: Any, taxed: Taxed, seller: Seller) -> None:  # noqa: ANN401 - see write_xml
    tax.type_code = "VAT"
    tax.category_code = _STANDARD_RATED if taxed.vat_basis_points else _EXEMPT
    tax.rate_applicable_percent = Decimal(taxed.vat_basis_points).scaleb(-2)
    if not taxed.vat_basis_points and seller.vat_exemption_reason is not None:
        tax.exemption_reason = seller.vat_exemption_reason


def _amount(document: Document, amount_minor: int) -> Decimal:
    return Decimal(amount_minor).scaleb(-minor_digits(document.currency))
