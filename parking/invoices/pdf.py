"""The PDF of an invoice: PDF/A-3B with the XML inside, the same bytes each time it is asked for."""

from datetime import UTC
from importlib.resources import as_file, files
from typing import Final

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from parking.invoices.document import DetailLine, Document, DocumentLine
from parking.invoices.labels import Labels, day_text, labels_of, reason_text, span_text
from parking.invoices.models import InvoiceKind
from parking.invoices.xmp import XML_FILE_NAME, write_xmp
from parking.kit.money import minor_digits

DETAILS_SHOWN_MAX: Final = 40
_CREATOR: Final = "Sesame"
_PRODUCER: Final = "fpdf2"
_FAMILY: Final = "DejaVu"
_MARGIN_MM: Final = 20.0
_WIDTH_MM: Final = 210.0 - 2 * _MARGIN_MM
_FOOTER_MM: Final = 26.0
_INK, _GREY, _RULE, _SHADE = (26, 32, 38), (104, 112, 120), (205, 210, 214), (243, 245, 246)
# Becomes the count of pages, of up to three digits, wherever it stands: characters for private use,
# so that no name can hold it.
_PAGES: Final = "\ue000" * 3
# Number, description, VAT rate, net, gross.
_COLUMNS_MM: Final = (10.0, 90.0, 18.0, 26.0, 26.0)


def write_pdf(document: Document, xml: bytes) -> bytes:
    """Return the PDF; same document, same bytes, with this version of Sesame.

    Takes a tenth of a second of the processor: call it in a thread.
    """
    labels = labels_of(document.seller.country)
    page = _Page(document, labels)
    page.write_head()
    page.write_lines()
    page.write_totals()
    page.write_notes()
    page.embed_file(
        bytes=xml,
        basename=XML_FILE_NAME,
        mime_type="text/xml",
        modification_date=document.issued_at.astimezone(UTC),
        creation_date=document.issued_at.astimezone(UTC),
        associated_file_relationship="Alternative",
        desc="Factur-X invoice, EN 16931",
        compress=True,
        checksum=True,
    )
    return bytes(page.output())


class _Page(FPDF):
    """The invoice on A4, over as many pages as it takes."""

    def __init__(self, document: Document, labels: Labels) -> None:
        super().__init__(format="A4", unit="mm", enforce_compliance="PDF/A-3B")
        self._document = document
        self._labels = labels
        # The footer is written while pages are added, so the fonts come first.
        fonts = files("parking.invoices").joinpath("fonts")
        for style, name in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
            with as_file(fonts.joinpath(name)) as path:
                self.add_font(_FAMILY, style, path)
        self._describe()
        self.set_margins(_MARGIN_MM, _MARGIN_MM)
        self.set_auto_page_break(auto=True, margin=_FOOTER_MM)
        self.c_margin = 0.0
        self.alias_nb_pages(_PAGES)
        self.add_page()

    def _describe(self) -> None:
        at = self._document.issued_at.astimezone(UTC).replace(microsecond=0)
        title = f"{self._kind} {self._document.number}"
        author = self._document.seller.legal_name
        self.set_title(title)
        self.set_author(author)
        self.set_creator(_CREATOR)
        self.set_producer(_PRODUCER)
        self.set_creation_date(at)
        self.set_lang(self._labels.language)
        self.set_xmp_metadata(
            write_xmp(title=title, author=author, creator=_CREATOR, producer=_PRODUCER, at=at)
        )

    @property
    def _kind(self) -> str:
        is_credit = self._document.kind == InvoiceKind.CREDIT_NOTE
        return self._labels.credit_note if is_credit else self._labels.invoice

    def footer(self) -> None:
        """Say on each page who sells, and which page it is."""
        seller, labels = self._document.seller, self._labels
        self.set_y(-_FOOTER_MM + 6)
        self._rule()
        self.ln(2)
        self._ink(7, _GREY)
        numbers = [
            f"{label} {value}"
            for label, value in (
                (labels.tax_id, seller.vat_id),
                (labels.tax_number, seller.tax_number),
                (labels.account, seller.iban),
            )
            if value is not None
        ]
        address = f"{seller.street}, {seller.postal_code} {seller.city}, {seller.country}"
        self._fitted(f"{seller.legal_name} · {address}", 7, _WIDTH_MM)
        self.ln(3.6)
        self._fitted(" · ".join(numbers), 7, _WIDTH_MM - 24)
        self._ink(7, _GREY)
        self.cell(24, 3.6, f"{labels.page} {self.page_no()} / {_PAGES}", align="R")

    def write_head(self) -> None:
        """Write who sells, what it is, and whom it is for."""
        document, labels = self._document, self._labels
        seller, buyer = document.seller, document.buyer
        self._ink(11, _INK, bold=True)
        self.multi_cell(_WIDTH_MM, 5.5, seller.legal_name, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self._ink(8, _GREY)
        self._paragraph(f"{seller.street}, {seller.postal_code} {seller.city}, {seller.country}")
        if seller.email is not None:
            self._paragraph(seller.email)
        self.ln(12)
        self._ink(20, _INK, bold=True)
        self._row(self._kind, 10)
        self.ln(3)
        top = self.get_y()
        self._write_buyer(top)
        bottom = self.get_y()
        first, last = document.period
        period = day_text(labels, first)
        if last != first:
            period = f"{period} {labels.until} {day_text(labels, last)}"
        self.set_y(top)
        for label, value in (
            (labels.number, document.number),
            (labels.date, day_text(labels, document.issued_on)),
            (labels.period, period),
            ("" if buyer.vat_id is None else f"{labels.tax_id} ({labels.buyer})", buyer.vat_id),
        ):
            if value is not None:
                self._fact(label, value)
        self.set_y(max(bottom, self.get_y()) + 8)
        if document.preceding is not None:
            on = day_text(labels, document.preceding.issued_on)
            self._ink(9, _INK)
            self._row(labels.corrects.format(number=document.preceding.number, date=on), 5)
            if document.reason:
                self._paragraph(f"{labels.reason}: {document.reason}")
            self.ln(4)

    def _write_buyer(self, top: float) -> None:
        buyer = self._document.buyer
        self.set_y(top)
        self._ink(8, _GREY)
        self._row(self._labels.buyer, 4.6)
        self._ink(9.5, _INK)
        city = " ".join(part for part in (buyer.postal_code, buyer.city) if part)
        for text in (buyer.name, buyer.street, city, buyer.country):
            if text:
                self.multi_cell(82, 4.8, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _fact(self, label: str, value: str) -> None:
        self.set_x(_MARGIN_MM + 92)
        self._ink(8, _GREY)
        self.cell(30, 5.2, label)
        self._ink(9, _INK, bold=True)
        self._fitted(value, 9, 48, height=5.2, align="R")
        self.ln(5.2)

    def write_lines(self) -> None:
        """Write the bills, each with the lines that it is made of."""
        self._write_heading()
        for index, line in enumerate(self._document.lines, start=1):
            if self.will_page_break(18):
                self.add_page()
                self._write_heading()
            self._write_line(index, line)
        self.ln(2)

    def _write_heading(self) -> None:
        labels = self._labels
        self._ink(8, _INK, bold=True)
        self.set_fill_color(*_SHADE)
        texts = ("#", labels.description, labels.rate, labels.net, labels.gross)
        for text, width, align in zip(texts, _COLUMNS_MM, "LLRRR", strict=True):
            padded = {"#": " #"}.get(text, text if align == "L" else f"{text} ")
            self.cell(width, 7, padded, fill=True, align=align)
        self.ln(7)

    def _write_line(self, index: int, line: DocumentLine) -> None:
        self.ln(1.5)
        top = self.get_y()
        taxed = line.taxed
        self._ink(9, _INK, bold=True)
        self.cell(_COLUMNS_MM[0], 5, f" {index}")
        self.multi_cell(
            _COLUMNS_MM[1] - 2, 5, line.name, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT
        )
        bottom = self.get_y()
        self.set_xy(_MARGIN_MM + sum(_COLUMNS_MM[:2]), top)
        self._ink(9, _INK)
        amounts = (
            self._percent(taxed.vat_basis_points),
            self._amount(taxed.net_minor),
            self._amount(taxed.gross_minor),
        )
        for text, width in zip(amounts, _COLUMNS_MM[2:], strict=True):
            self.cell(width, 5, f"{text} ", align="R")
        self.set_xy(_MARGIN_MM, bottom)
        self._ink(8, _GREY)
        span = span_text(self._labels, line.starts_at, line.ends_at, line.timezone)
        self._indented(f"{span} ({line.timezone})", "")
        for detail in line.details[:DETAILS_SHOWN_MAX]:
            self._write_detail(line, detail)
        hidden = len(line.details) - DETAILS_SHOWN_MAX
        if hidden > 0:
            self._indented(self._labels.more_lines.format(count=hidden), "")
        self.ln(1.5)
        self._rule()

    def _write_detail(self, line: DocumentLine, detail: DetailLine) -> None:
        text = reason_text(self._labels, detail.reason)
        if detail.note:
            text = f"{text} ({detail.note})"
        if detail.starts_at is not None and detail.ends_at is not None:
            span = span_text(self._labels, detail.starts_at, detail.ends_at, line.timezone)
            text = f"{text}, {span}"
        self._indented(text, self._amount(detail.amount_minor))

    def _indented(self, text: str, amount: str) -> None:
        self._ink(7.5, _GREY)
        # The amount stands on the first row of its text, even where that begins a page.
        if self.will_page_break(8):
            self.add_page()
        y = self.get_y()
        self.set_x(_MARGIN_MM + sum(_COLUMNS_MM[:-1]))
        self.cell(_COLUMNS_MM[-1], 4.2, f"{amount} ", align="R")
        self.set_xy(_MARGIN_MM + _COLUMNS_MM[0], y)
        self.multi_cell(
            sum(_COLUMNS_MM[1:4]) - 4, 4.2, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT
        )

    def write_totals(self) -> None:
        """Write the VAT by rate, and the total."""
        labels, document = self._labels, self._document
        if self.will_page_break(26 + 6 * len(document.taxes)):
            self.add_page()
        self.ln(3)
        self._ink(8, _INK, bold=True)
        self._summary(labels.vat_summary, labels.net, labels.vat, labels.gross)
        for taxed in document.taxes:
            self._ink(8.5, _INK)
            self._summary(
                f"{labels.vat} {self._percent(taxed.vat_basis_points)}",
                self._amount(taxed.net_minor),
                self._amount(taxed.vat_minor),
                self._amount(taxed.gross_minor),
            )
            if not taxed.vat_basis_points and document.seller.vat_exemption_reason:
                self._ink(7.5, _GREY)
                self._paragraph(document.seller.vat_exemption_reason)
        self.ln(2)
        self.set_fill_color(*_SHADE)
        self._ink(11, _INK, bold=True)
        total = f"{self._amount(document.gross_minor)} {document.currency} "
        self.cell(_WIDTH_MM / 2, 9, f" {labels.total}", fill=True)
        self.cell(_WIDTH_MM / 2, 9, total, fill=True, align="R")
        self.ln(12)

    def _summary(self, name: str, net: str, vat: str, gross: str) -> None:
        self.cell(_WIDTH_MM - 84, 5.5, f" {name}")
        for text in (net, vat, gross):
            self.cell(28, 5.5, f"{text} ", align="R")
        self.ln(5.5)

    def write_notes(self) -> None:
        """Say that nothing has to be paid, and that a machine can read this."""
        labels, document = self._labels, self._document
        is_credit = document.kind == InvoiceKind.CREDIT_NOTE
        self._ink(9, _INK, bold=True)
        self._paragraph(labels.paid_back if is_credit else labels.paid)
        self._ink(8, _GREY)
        if not is_credit:
            self._paragraph(f"{labels.due}: {self._amount(0)} {document.currency}")
        self.ln(3)
        self._paragraph(labels.electronic)

    def _fitted(
        self, text: str, size: float, width: float, *, height: float = 3.6, align: str = "L"
    ) -> None:
        """Write one row, smaller where it would not fit."""
        self.set_font_size(size)
        needed = self.get_string_width(text)
        if needed > width:
            self.set_font_size(size * width / needed)
        self.cell(width, height, text, align=align)

    def _paragraph(self, text: str) -> None:
        self.multi_cell(_WIDTH_MM, 4.8, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _row(self, text: str, height: float) -> None:
        self.cell(_WIDTH_MM, height, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _ink(self, size: float, colour: tuple[int, int, int], *, bold: bool = False) -> None:
        self.set_font(_FAMILY, "B" if bold else "", size)
        self.set_text_color(*colour)

    def _rule(self) -> None:
        self.set_draw_color(*_RULE)
        self.set_line_width(0.2)
        self.line(_MARGIN_MM, self.get_y(), _MARGIN_MM + _WIDTH_MM, self.get_y())

    def _amount(self, amount_minor: int) -> str:
        digits = minor_digits(self._document.currency)
        sign = "-" if amount_minor < 0 else ""
        whole, part = divmod(abs(amount_minor), 10**digits)
        return f"{sign}{whole}" + (
            f"{self._labels.decimal_mark}{part:0{digits}d}" if digits else ""
        )

    def _percent(self, basis_points: int) -> str:
        whole, part = divmod(basis_points, 100)
        fraction = f"{self._labels.decimal_mark}{part:02d}".rstrip("0") if part else ""
        return f"{whole}{fraction} %"
