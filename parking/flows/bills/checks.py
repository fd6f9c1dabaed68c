"""What checking a bill finds: one result a question, and never only a yes. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from parking.flows.bills.bill_basis import BillBasis, recompute
from parking.flows.bills.bill_lines import StayLines, stored_lines
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.tariffs.fingerprints import fingerprint_of

# Members that lines did not have at first; those of older bills lack them.
_LATER_MEMBERS: Final = frozenset({"block_amount_minor"})
_SHOWN_LENGTH_MAX: Final = 200


class CheckName(StrEnum):
    """What is asked; more may come."""

    BASIS = "basis"
    ENTRY_READ = "entry_read"
    ENTRY_TIME = "entry_time"
    ENTRY_CLOCK = "entry_clock"
    ENTRY_PLATE = "entry_plate"
    EXIT_READ = "exit_read"
    EXIT_TIME = "exit_time"
    EXIT_CLOCK = "exit_clock"
    EXIT_PLATE = "exit_plate"
    RATE_TABLE = "rate_table"
    RATE_TABLE_IN_FORCE = "rate_table_in_force"
    CIRCUMSTANCES = "circumstances"
    EARLIER_PAYMENTS = "earlier_payments"
    LINES = "lines"
    TOTAL = "total"
    PAID = "paid"
    LEDGER = "ledger"
    VERSIONS = "versions"
    RECEIPT = "receipt"


@dataclass(frozen=True, slots=True)
class Check:
    """The answer to one question.

    Attributes:
        ok: None where it could not be asked; `words` then says what is missing.
        expected: What should stand there; empty where there is nothing to compare.
        found: What stands there.
        words: The answer in a sentence.
    """

    name: CheckName
    ok: bool | None
    expected: str
    found: str
    words: str


@dataclass(frozen=True, slots=True)
class LineCheck:
    """A line as the bill has it, and whether recomputing gives the same.

    Attributes:
        line: As stored; as recomputed where the bill lacks it.
        is_same: False from the first line on that differs; None where nothing was recomputed.
    """

    line: Mapping[str, Any]
    is_same: bool | None


@dataclass(frozen=True, slots=True)
class Verification:
    """Everything that was asked about one bill.

    Attributes:
        title: Which bill.
        lines: Of a bill that could be recomputed; else as stored, none the same.
        timezone: Of the place: the wall clock on which the times are read.
    """

    title: str
    currency: str
    checks: tuple[Check, ...]
    lines: tuple[LineCheck, ...] = ()
    timezone: str = "UTC"

    @property
    def is_verified(self) -> bool:
        """Return whether no answer was no."""
        return all(check.ok is not False for check in self.checks)

    @property
    def first_problem(self) -> Check | None:
        """Return the first answer that was no."""
        return next((check for check in self.checks if check.ok is False), None)


def passed(name: CheckName, found: object, words: str) -> Check:
    """Return a yes."""
    return Check(name, ok=True, expected=_shown(found), found=_shown(found), words=words)


def failed(name: CheckName, expected: object, found: object, words: str) -> Check:
    """Return a no."""
    return Check(name, ok=False, expected=_shown(expected), found=_shown(found), words=words)


def missing(name: CheckName, words: str) -> Check:
    """Return that the question could not be asked."""
    return Check(name, ok=None, expected="", found="", words=words)


def compared(name: CheckName, expected: object, found: object, same: str, other: str) -> Check:
    """Return whether two things are the same, in the words for either answer."""
    if expected == found:
        return passed(name, found, same)
    return failed(name, expected, found, other)


def check_rate_table(basis: BillBasis, rate_table: Mapping[str, Any]) -> Check:
    """Return whether a rate table is the one that the bill was priced with."""
    try:
        found = fingerprint_of(rate_table)
    except InvalidInputError as error:
        return failed(
            CheckName.RATE_TABLE,
            basis.rate_table_sha256,
            "",
            f"the rate table cannot be hashed: {error}",
        )
    return compared(
        CheckName.RATE_TABLE,
        basis.rate_table_sha256,
        found,
        "the rate table is the one that the bill names",
        "the rate table is not the one that the bill names: it was altered, or is another version",
    )


def recomputed(basis: BillBasis, rate_table: Mapping[str, Any]) -> tuple[StayLines | None, str]:
    """Return what follows from a basis; None where it cannot be priced, and why."""
    try:
        return recompute(basis, rate_table), ""
    except InvalidInputError as error:
        return None, str(error)
    except (ArithmeticError, LookupError, ValueError):
        # A forged receipt may name any time and any zone.
        return None, "its times or its zone are beyond what can be computed"


def check_lines(
    stored: Sequence[Mapping[str, Any]], found: StayLines, currency: str
) -> tuple[Check, tuple[LineCheck, ...]]:
    """Compare a bill's lines with the recomputed ones, one after the other.

    Args:
        stored: As the bill has them.
        found: As they follow from the basis.
        currency: Of the bill.
    """
    wanted = stored_lines(found.lines)
    at = next(
        (
            index
            for index in range(max(len(stored), len(wanted)))
            if _difference(stored, wanted, index) is not None
        ),
        None,
    )
    longer = stored if len(stored) >= len(wanted) else wanted
    lines = tuple(
        LineCheck(line, is_same=at is None or index < at) for index, line in enumerate(longer)
    )
    if at is None:
        count = len(stored)
        words = f"{count} {'line' if count == 1 else 'lines'} recomputed, each one the same"
        return passed(CheckName.LINES, count, words), lines
    expected, told = _difference(stored, wanted, at) or ("", "")
    words = f"line {at + 1} of {len(longer)} differs, {_name(longer[at], currency)}"
    return failed(CheckName.LINES, expected, told, words), lines


def check_total(
    total: Money, stored: Sequence[Mapping[str, Any]], found: StayLines | None
) -> Check:
    """Return whether a bill's total is what its lines add up to, and what follows from its basis.

    Args:
        total: As the bill has it.
        stored: The bill's lines.
        found: What follows from the basis; None where that could not be computed.
    """
    added = Money(sum(int(line["amount_minor"]) for line in stored), total.currency)
    if added != total:
        words = "the lines do not add up to the total"
        return failed(CheckName.TOTAL, added.format(), total.format(), words)
    if found is not None and found.due != total:
        words = "recomputing gives another total"
        return failed(CheckName.TOTAL, found.due.format(), total.format(), words)
    words = "the lines add up to the total"
    if found is None:
        return passed(CheckName.TOTAL, total.format(), words)
    return passed(CheckName.TOTAL, total.format(), f"{words}, and recomputing gives the same")


def unknown_lines(
    stored: Sequence[Mapping[str, Any]], words: str
) -> tuple[Check, tuple[LineCheck, ...]]:
    """Return that the lines could not be recomputed."""
    lines = tuple(LineCheck(line, is_same=None) for line in stored)
    return missing(CheckName.LINES, words), lines


def _difference(
    stored: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]], index: int
) -> tuple[str, str] | None:
    if index >= len(stored):
        return _member(wanted[index], "reason"), "no such line"
    if index >= len(wanted):
        return "no such line", _member(stored[index], "reason")
    for name, value in wanted[index].items():
        if name in _LATER_MEMBERS and name not in stored[index]:
            continue
        if stored[index].get(name) != value:
            return _member(wanted[index], name), _member(stored[index], name)
    extra = sorted(set(stored[index]) - set(wanted[index]))
    return ("", _member(stored[index], extra[0])) if extra else None


def _member(line: Mapping[str, Any], name: str) -> str:
    return f"{name} {line.get(name)}"


def _name(line: Mapping[str, Any], currency: str) -> str:
    amount = Money(int(line["amount_minor"]), currency).format()
    since = line.get("starts_at")
    return f"{line['reason']}{f' from {since}' if since else ''}, {amount}"


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN_LENGTH_MAX else f"{text[:_SHOWN_LENGTH_MAX]}..."
