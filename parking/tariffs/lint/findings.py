"""What a look at a rate table can find."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from parking.tariffs.rules import NO_CIRCUMSTANCES, Circumstances, RateTable, price
from parking.tariffs.wall_clock import instant_of


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class WorkedStay(NamedTuple):
    """A stay that shows a finding, and what it costs; times in UTC."""

    entered_at: datetime
    left_at: datetime
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the author of a rate table should know.

    Attributes:
        severity: error: no driver could be told why; warning: perhaps meant; note: how it is.
        code: A stable word.
        path: Where in the rate table, such as `caps.0.amount`; empty for the whole table.
        words: What is wrong, and what it does.
        stays: One stay that shows it, or two to compare; empty where no stay can.
    """

    severity: Severity
    code: str
    path: str
    words: str
    stays: tuple[WorkedStay, ...] = ()


def worked_stay(
    table: RateTable,
    entered_s: int,
    left_s: int,
    circumstances: Circumstances = NO_CIRCUMSTANCES,
) -> WorkedStay:
    """Return the stay with its price; times in seconds since 1970."""
    entered_at, left_at = instant_of(entered_s), instant_of(left_s)
    total = price(table, entered_at, left_at, circumstances).total
    return WorkedStay(entered_at, left_at, total.amount_minor)


def has_errors(findings: Sequence[Finding]) -> bool:
    """Whether any finding is an error."""
    return any(finding.severity is Severity.ERROR for finding in findings)
