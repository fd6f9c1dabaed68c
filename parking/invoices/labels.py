"""The words of an invoice, in the language of the seller's country."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from parking.invoices.countries import CHINA

_GERMAN: Final = frozenset({"AT", "CH", "DE", "LI"})


@dataclass(frozen=True, slots=True)
class Labels:
    """The words of one language."""

    language: str
    invoice: str
    credit_note: str
    number: str
    date: str
    period: str
    buyer: str
    tax_id: str
    tax_number: str
    description: str
    time: str
    rate: str
    gross: str
    net: str
    vat: str
    total: str
    vat_summary: str
    paid: str
    paid_back: str
    due: str
    corrects: str
    reason: str
    account: str
    page: str
    parking: str
    parking_pass: str
    more_lines: str
    until: str
    electronic: str
    reasons: dict[str, str]
    decimal_mark: str
    date_format: str


_ENGLISH_LABELS: Final = Labels(
    language="en",
    invoice="Invoice",
    credit_note="Credit note",
    number="Number",
    date="Date",
    period="Service period",
    buyer="Bill to",
    tax_id="VAT ID",
    tax_number="Tax number",
    description="Description",
    time="Time",
    rate="VAT",
    gross="Gross",
    net="Net",
    vat="VAT",
    total="Total",
    vat_summary="VAT summary",
    paid="Already paid, nothing is due. Thank you.",
    paid_back="This amount goes back to where it was paid from.",
    due="Amount due",
    corrects="Corrects invoice {number} of {date}.",
    reason="Reason",
    account="Account",
    page="Page",
    parking="Parking",
    parking_pass="Parking pass",  # noqa: S106 - words, not a secret
    more_lines="{count} more lines",
    until="to",
    electronic="This PDF carries the same invoice as structured data (EN 16931, Factur-X).",
    reasons={
        "allowance": "Free allowance",
        "billed_before": "Billed already",
        "coupon": "Coupon",
        "flat": "Flat rate",
        "flat_already_charged": "Flat rate, charged already",
        "free": "Free time",
        "free_first": "Free at first",
        "grace": "Short stay",
        "grace_after_payment": "Time to leave",
        "increment": "Parking",
        "no_charge_hours": "Hours without charge",
        "package": "Package",
        "paid_before": "Paid already",
        "pass": "Covered by a pass",
        "pass_period": "Period",
        "per_second": "Parking",
        "validation": "Validation",
        "waived": "Credit",
    },
    decimal_mark=".",
    date_format="%Y-%m-%d",
)
_GERMAN_LABELS: Final = Labels(
    language="de",
    invoice="Rechnung",
    credit_note="Rechnungskorrektur",
    number="Nummer",
    date="Datum",
    period="Leistungszeitraum",
    buyer="Rechnung an",
    tax_id="USt-IdNr.",
    tax_number="Steuernummer",
    description="Beschreibung",
    time="Zeit",
    rate="USt.",
    gross="Brutto",
    net="Netto",
    vat="USt.",
    total="Gesamtbetrag",
    vat_summary="Umsatzsteuer",
    paid="Bereits bezahlt, es ist nichts mehr offen. Vielen Dank.",
    paid_back="Der Betrag wird auf dem Weg der Zahlung erstattet.",
    due="Offener Betrag",
    corrects="Berichtigt die Rechnung {number} vom {date}.",
    reason="Grund",
    account="Konto",
    page="Seite",
    parking="Parken",
    parking_pass="Dauerparken",  # noqa: S106 - words, not a secret
    more_lines="{count} weitere Zeilen",
    until="bis",
    electronic="Dieses PDF enthält dieselbe Rechnung als strukturierte Daten (EN 16931, Factur-X).",
    reasons={
        "allowance": "Freikontingent",
        "billed_before": "Bereits berechnet",
        "coupon": "Gutschein",
        "flat": "Pauschale",
        "flat_already_charged": "Pauschale, bereits berechnet",
        "free": "Freie Zeit",
        "free_first": "Erste Zeit frei",
        "grace": "Kurzer Aufenthalt",
        "grace_after_payment": "Zeit zur Ausfahrt",
        "increment": "Parken",
        "no_charge_hours": "Zeit ohne Gebühr",
        "package": "Paket",
        "paid_before": "Bereits bezahlt",
        "pass": "Durch Dauerparkrecht gedeckt",
        "pass_period": "Zeitraum",
        "per_second": "Parken",
        "validation": "Rabatt",
        "waived": "Gutschrift",
    },
    decimal_mark=",",
    date_format="%d.%m.%Y",
)
# On a fapiao only the lines' names are ours; its form is the tax office's.
_CHINESE_LABELS: Final = replace(
    _ENGLISH_LABELS,
    language="zh",
    parking="车辆停放服务",
    parking_pass="月租停车服务",  # noqa: S106 - words, not a secret
)


def labels_of(country: str) -> Labels:
    """Return the words for a seller's country."""
    if country == CHINA:
        return _CHINESE_LABELS
    return _GERMAN_LABELS if country in _GERMAN else _ENGLISH_LABELS


def day_text(labels: Labels, day: date) -> str:
    """Return a date as the language writes it."""
    return day.strftime(labels.date_format)


def span_text(labels: Labels, starts_at: datetime, ends_at: datetime, timezone: str) -> str:
    """Return a stretch of time on a wall clock; its date is said twice only where it changes."""
    zone = ZoneInfo(timezone)
    start, end = starts_at.astimezone(zone), ends_at.astimezone(zone)
    first = f"{day_text(labels, start.date())} {start:%H:%M}"
    is_same_day = start.date() == end.date()
    last = f"{end:%H:%M}" if is_same_day else f"{day_text(labels, end.date())} {end:%H:%M}"
    return f"{first} {labels.until} {last}"


def reason_text(labels: Labels, reason: str) -> str:
    """Return what a bill's line is called; an unknown reason is named by its stable word."""
    return labels.reasons.get(reason, reason.replace("_", " ").capitalize())
