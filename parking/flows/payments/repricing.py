"""What a stay's bills should have said, once its facts are known better: pure, no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from parking.flows.bills.bill_lines import Credit, StayFacts, StayLines, lines_of
from parking.flows.bills.waivers import WAIVED
from parking.tariffs.rules import RateTable


@dataclass(frozen=True, slots=True)
class CorrectedBill:
    """What one of the bills should have said.

    Attributes:
        index: Of the bill, counted from the oldest.
    """

    index: int
    facts: StayFacts
    stay: StayLines


@dataclass(frozen=True, slots=True)
class Waiver:
    """What is given up besides what the facts say.

    Attributes:
        amount_minor: None for whatever the stay costs.
    """

    amount_minor: int | None
    note: str


def reprice(
    table: RateTable,
    facts: StayFacts,
    totals_minor: Sequence[int],
    waiver: Waiver | None,
    *,
    grace_until: datetime | None = None,
) -> list[CorrectedBill]:
    """Return which bills change and what they say then; none of them ever costs more.

    The newest bill shrinks first, so that the least money has to go back. Each bill that changes
    is priced over the whole stay, less what the older bills still say: its lines add up by
    themselves.

    Args:
        table: The stay's version.
        facts: The whole stay as it is known now, without what was paid; `credits` are those that
            the bills have.
        totals_minor: What the bills that count say, the oldest first; at least one.
        waiver: What is given up on top.
        grace_until: Until when the payments before the newest bill allowed leaving.
    """
    given = _with_waiver(facts.credits, waiver, price_minor(table, facts))
    billed_minor = sum(totals_minor)
    target_minor = min(billed_minor, price_minor(table, replace(facts, credits=given)))
    is_grace = grace_until is not None and facts.priced_until <= grace_until
    if is_grace:
        # The car left within the time that its payment before had bought.
        target_minor = min(target_minor, billed_minor - totals_minor[-1])
    corrected: list[CorrectedBill] = []
    older_minor = 0
    for index, total_minor in enumerate(shrunk(totals_minor, target_minor)):
        if total_minor != totals_minor[index]:
            own = replace(
                facts,
                paid_minor=older_minor,
                credits=given,
                is_grace=is_grace and index == len(totals_minor) - 1,
            )
            corrected.append(CorrectedBill(index, own, lines_of(table, own)))
        older_minor += total_minor
    return corrected


def price_minor(table: RateTable, facts: StayFacts) -> int:
    """Return what a stay costs, less what was given up of it; `paid_minor` must be 0."""
    return lines_of(table, facts).due.amount_minor


def shrunk(totals_minor: Sequence[int], target_minor: int) -> list[int]:
    """Return the totals lowered to `target_minor` in sum, the last ones first."""
    excess_minor = max(sum(totals_minor) - target_minor, 0)
    lowered: list[int] = []
    for total_minor in reversed(totals_minor):
        less_minor = min(total_minor, excess_minor)
        excess_minor -= less_minor
        lowered.append(total_minor - less_minor)
    return lowered[::-1]


def _with_waiver(
    given: tuple[Credit, ...], waiver: Waiver | None, rest_minor: int
) -> tuple[Credit, ...]:
    if waiver is None:
        return given
    amount_minor = rest_minor if waiver.amount_minor is None else waiver.amount_minor
    return (*given, Credit(WAIVED, -amount_minor, waiver.note)) if amount_minor else given
