"""`sesame invoice verify`: finds what is wrong in files, ours and others'."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from parking.invoices.cii import write_xml
from parking.invoices.inspection import FILE_BYTES_MAX, inspect
from parking.invoices.pdf import write_pdf
from parking.kit.errors import InvalidInputError
from sesame.commands.invoice import invoice_app
from tests.factories.invoices import document

BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(
        b'<!ENTITY %c "%s">' % (letter, b"&%c;" % (letter - 1) * 10) for letter in range(98, 108)
    )
    + b"]><x>&k;</x>"
)
OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'


def test_a_pdf_of_ours_is_valid() -> None:
    made = document((999, 1900), (1234, 700), (3, 1900))
    found = inspect(write_pdf(made, write_xml(made)))
    assert found.problems == ()
    assert (found.number, found.type_code) == ("PM-2026-000001", "380")
    assert (found.net, found.vat, found.gross) == ("19.95", "2.41", "22.36")
    assert found.buyer == 'Żółć <Kft> & "Co" s.r.o.'


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b"13.47</ram:LineTotalAmount>", b"13.48</ram:LineTotalAmount>", "BR-CO-10"),
        (b"13.47</ram:TaxBasis", b"13.46</ram:TaxBasis", "BR-CO-13"),
        (b"2.56</ram:TaxTotal", b"2.55</ram:TaxTotal", "BR-CO-14"),
        (b"16.03</ram:GrandTotal", b"16.04</ram:GrandTotal", "BR-CO-15"),
        (b"0.00</ram:DuePayable", b"1.00</ram:DuePayable", "BR-CO-16"),
        (b"2.56</ram:CalculatedAmount", b"2.76</ram:CalculatedAmount", "BR-CO-17"),
        (b"<ram:TypeCode>380</ram:TypeCode>", b"", "schema, line"),
        (b"urn:cen.eu:en16931:2017", b"urn:other", "guideline"),
        (b"16.03</ram:GrandTotal", b"x</ram:GrandTotal", "an amount is no number"),
        (b"19.00</ram:Rate", b"1E999999</ram:Rate", "an amount is no number"),
    ],
)
def test_what_is_wrong_is_named(old: bytes, new: bytes, problem: str) -> None:
    xml = write_xml(document())
    assert old in xml
    assert any(problem in one for one in inspect(xml.replace(old, new)).problems)


@pytest.mark.parametrize(
    "content",
    [b"", b"%PDF-", b"%PDF-1.4\n%%EOF", b"<a>", b"\x00" * 100, b"{}", b"x" * (FILE_BYTES_MAX + 1)],
)
def test_what_is_no_invoice_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInputError, match="file: expected"):
        inspect(content)


def test_entities_are_neither_multiplied_nor_fetched() -> None:
    with pytest.raises(InvalidInputError):
        inspect(BOMB)
    found = inspect(OUTSIDE)
    assert "root:" not in str(found)
    assert found.problems


def test_the_command_says_it_in_words_and_in_json(tmp_path: Path) -> None:
    made = document()
    file = tmp_path / "invoice.pdf"
    file.write_bytes(write_pdf(made, write_xml(made)))
    words = CliRunner().invoke(invoice_app, ["verify", str(file)])
    assert (words.exit_code, words.output.splitlines()[-1]) == (
        0,
        "valid: EN 16931 schema and sums",
    )
    report = json.loads(CliRunner().invoke(invoice_app, ["verify", str(file), "--json"]).output)
    assert (report["gross"], report["problems"]) == ("16.03", [])
    file.write_bytes(write_xml(made).replace(b"16.03</ram:Grand", b"16.04</ram:Grand"))
    wrong = CliRunner().invoke(invoice_app, ["verify", str(file)])
    assert wrong.exit_code == 1
    assert "wrong     BR-CO-15: 16.03 is not 16.04" in wrong.output
