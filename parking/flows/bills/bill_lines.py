"""The lines of a bill: one pure function, for the live bill, for issuing and for checking.

Whoever holds the facts and the rate table gets the same lines, whatever process they run it in.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from typing import Any, Final

from parking.kit.money import Money
from parking.tariffs.rules import (
    NO_CIRCUMSTANCES,
    Circumstances,
    KeptPrice,
    PriceLine,
    Pricing,
    RateTable,
    price,
)

# What the stays that this one continues were billed.
BILLED_BEFORE: Final = "billed_before"
PAID_BEFORE: Final = "paid_before"
GRACE_AFTER_PAYMENT: Final = "grace_after_payment"
# The stay was cancelled at the entry, or another stay continues it and bills it.
NOT_BILLED: Final = "not_billed"
# A pass was of no use: cars stood on all of its spaces. Its note names the pass.
NO_SPACE_LEFT: Final = "no_space_left"


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line of a bill; the amounts of all lines add up to what is due.

    Attributes:
        reason: A stable word, such as `increment`, `grace`, `paid_before`.
        starts_at: In UTC; None for a line that is no stretch of time.
        block_amount_minor: What one block costs before any cap; None without blocks.
        note: The cap or package that set the amount; empty without one.
        coupon_id: The driver's coupon that the line takes off; empty for any other line.
    """

    reason: str
    amount_minor: int
    running_total_minor: int
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    block_minutes: int | None = None
    block_count: int | None = None
    block_amount_minor: int | None = None
    capped_from_minor: int | None = None
    collection: str = ""
    note: str = ""
    coupon_id: str = ""


@dataclass(frozen=True, slots=True)
class Credit:
    """An amount that is no stretch of time: it is added to what the stay costs.

    Attributes:
        amount_minor: Negative where the driver owes less; no more than the rest is taken off, so
            that the lines always add up to what is due.
    """

    reason: str
    amount_minor: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class StayFacts:
    """Everything besides the rate table that the lines follow from.

    Attributes:
        priced_from: When the stay that is priced began.
        priced_until: The instant that it is priced at.
        circumstances: The vehicle, its rights, and what was granted.
        paid_minor: What earlier bills of the stay were paid.
        is_grace: Whether leaving is free for now, after a payment.
        credits: Further amounts, in their order; a correction or a waiver is one.
    """

    priced_from: datetime
    priced_until: datetime
    circumstances: Circumstances = NO_CIRCUMSTANCES
    paid_minor: int = 0
    is_grace: bool = False
    credits: tuple[Credit, ...] = ()


@dataclass(frozen=True, slots=True)
class StayLines:
    """What follows from the facts.

    Attributes:
        total: What the stay costs by its rate table.
        due: What is left to pay; never negative.
        find_change: Looks ahead for when the price changes next; None for never.
    """

    lines: tuple[BillLine, ...]
    total: Money
    due: Money
    find_change: Callable[[], datetime | None] | None = field(
        default=None, repr=False, compare=False
    )

    @property
    def next_change_at(self) -> datetime | None:
        """When the price changes next; None if it does not."""
        return None if self.find_change is None else self.find_change()


class KeptLines(KeptPrice):
    """What prices one stay again and again, and tells a line that is over once."""

    def __init__(self) -> None:
        super().__init__()
        self._told: list[tuple[PriceLine, BillLine]] = []

    def told(self, lines: Sequence[PriceLine]) -> list[BillLine]:
        """Return the lines of a price of this stay as a bill has them."""
        before = self._told
        pairs = zip(before, lines, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0][0] is pair[1], pairs))
        fresh = [(line, _line(line)) for line in lines[same:]]
        self._told = [*before[:same], *fresh]
        return [line for _, line in self._told]


def lines_of(table: RateTable, facts: StayFacts, pricing: Pricing = price) -> StayLines:
    """Return the lines of a stay's bill and what is due.

    Raises:
        InvalidInputError: the times cannot be priced, see `price`.
    """
    stay = pricing(table, facts.priced_from, facts.priced_until, facts.circumstances)
    told = pricing.told if isinstance(pricing, KeptLines) else _told
    lines = told(stay.lines)
    for item in facts.circumstances.exemptions:
        # Without length it exempts nothing, and says why the pass does not.
        if item.ends_at == item.starts_at:
            add_credit(lines, Credit(NO_SPACE_LEFT, 0, item.note))
    before = (
        Credit(BILLED_BEFORE, -facts.circumstances.billed_before_minor),
        Credit(PAID_BEFORE, -facts.paid_minor),
    )
    for credit in (*(item for item in before if item.amount_minor), *facts.credits):
        add_credit(lines, credit)
    due_minor = _running_total(lines)
    if facts.is_grace and due_minor:
        add_credit(lines, Credit(GRACE_AFTER_PAYMENT, -due_minor))
    due = Money(_running_total(lines), table.currency)
    return StayLines(tuple(lines), stay.total, due, stay.find_change)


def read_lines(stored: Iterable[Mapping[str, Any]]) -> tuple[BillLine, ...]:
    """Return the lines that a bill stores; those of a pass say less."""
    lines: list[BillLine] = []
    total_minor = 0
    for line in stored:
        total_minor += int(line["amount_minor"])
        lines.append(
            BillLine(
                reason=str(line["reason"]),
                amount_minor=int(line["amount_minor"]),
                running_total_minor=int(line.get("running_total_minor", total_minor)),
                starts_at=_instant(line.get("starts_at")),
                ends_at=_instant(line.get("ends_at")),
                block_minutes=line.get("block_minutes"),
                block_count=line.get("block_count"),
                block_amount_minor=line.get("block_amount_minor"),
                capped_from_minor=line.get("capped_from_minor"),
                collection=line.get("collection") or "",
                note=line.get("note") or "",
                coupon_id=line.get("coupon_id") or "",
            )
        )
    return tuple(lines)


def stored_lines(lines: Iterable[BillLine]) -> list[dict[str, Any]]:
    """Return the lines as a bill stores them."""
    return [
        {
            "reason": line.reason,
            "starts_at": None if line.starts_at is None else line.starts_at.isoformat(),
            "ends_at": None if line.ends_at is None else line.ends_at.isoformat(),
            "block_minutes": line.block_minutes,
            "block_count": line.block_count,
            "block_amount_minor": line.block_amount_minor,
            "amount_minor": line.amount_minor,
            "capped_from_minor": line.capped_from_minor,
            "running_total_minor": line.running_total_minor,
            "collection": line.collection,
            "note": line.note,
            # Only where there is one: bills of before have no such member.
            **({"coupon_id": line.coupon_id} if line.coupon_id else {}),
        }
        for line in lines
    ]


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _told(lines: Sequence[PriceLine]) -> list[BillLine]:
    return [_line(line) for line in lines]


def _line(line: PriceLine) -> BillLine:
    return BillLine(
        reason=str(line.reason),
        amount_minor=line.amount_minor,
        running_total_minor=line.running_total_minor,
        starts_at=line.starts_at,
        ends_at=line.ends_at,
        block_minutes=line.block_minutes,
        block_count=line.block_count,
        block_amount_minor=line.block_amount_minor,
        capped_from_minor=line.capped_from_minor,
        collection=line.collection,
        note=line.note,
        coupon_id=line.coupon_id,
    )


def add_credit(lines: list[BillLine], credit: Credit) -> None:
    """Append a credit; it takes off no more than is left."""
    before = _running_total(lines)
    amount_minor = max(credit.amount_minor, -before)
    lines.append(
        BillLine(
            reason=credit.reason,
            amount_minor=amount_minor,
            running_total_minor=before + amount_minor,
            note=credit.note,
        )
    )


def _running_total(lines: list[BillLine]) -> int:
    return lines[-1].running_total_minor if lines else 0
