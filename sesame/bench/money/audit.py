"""Whether every car was billed, and nobody charged twice: our books against the providers'."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

from sqlalchemy import text

from parking.payments import ledger
from sesame.bench.money import promises
from sesame.bench.money.exits import Departure
from sesame.bench.money.installation import MoneyInstallation
from sesame.bench.money.promises import EXIT, LIVE, account_balance, orders_of
from sesame.bench.money.rows import Rows, read_rows
from sesame.bench.money.street import Street

BROKEN_MAX: Final = 20
_STAYS: Final = text(
    "SELECT id, state FROM sessions WHERE operator_id = ANY(:operators) AND id = ANY(:stays)"
)
# A stay that is over has one of these, or its car was let out unbilled.
_BILLED: Final = frozenset({"paid", "owed"})


@dataclass(frozen=True, slots=True)
class MoneyAudit:
    """What the books say.

    Attributes:
        left: Cars that passed their barrier.
        unbilled: Stays that are over without a bill that is paid, or owed on credit.
        double_charges: Bills for which providers took money more than once.
        lost: Orders for which a provider and we disagree about whether money was taken.
        limbo: Attempts and refunds whose outcome is not certain.
        gate_reasons: Why exits opened, and how often.
        ours: What providers hold for us by our ledger.
        theirs: The same by their own books.
        broken: What does not hold of the ten promises; the first BROKEN_MAX of it.
    """

    exits: int
    left: int
    unbilled: int
    double_charges: int
    lost: int
    limbo: int
    pulses: int
    gate_reasons: Mapping[str, int]
    ours: Mapping[str, int]
    theirs: Mapping[str, int]
    broken: Sequence[str] = field(default_factory=tuple[str, ...])

    @property
    def is_right(self) -> bool:
        """Whether every car left, billed and charged once, and all books agree."""
        return (
            self.left == self.pulses == self.exits
            and not self.unbilled + self.double_charges + self.lost + self.limbo
            and self.ours == self.theirs
            and not self.broken
        )


async def audit(
    installation: MoneyInstallation, street: Street, departures: Sequence[Departure]
) -> MoneyAudit:
    """Read all books once."""
    books = await installation.books()
    async with installation.context.database.begin() as unit:
        rows = await read_rows(unit, street.operators)
        stays = (
            await unit.run(
                _STAYS,
                {
                    "operators": list(street.operators),
                    "stays": [departure.parked.session_id for departure in departures],
                },
            )
        ).all()
    over = {row.id for row in stays if row.state == "left"}
    found = chain(
        promises.always(rows, books),
        promises.gate_by_money(rows, books, _settled_exits(rows)),
        promises.recovered(rows, books),
    )
    return MoneyAudit(
        exits=len(street.parked),
        left=len(over),
        unbilled=_unbilled(rows, over),
        double_charges=_double_charges(rows, books),
        lost=_lost(rows, books),
        limbo=sum(row["state"] in LIVE for row in (*rows.attempts, *rows.refunds)),
        pulses=sum(departure.pulses for departure in departures),
        gate_reasons=dict(
            Counter(row["reason"] for row in rows.commands if row["direction"] == EXIT)
        ),
        ours={
            name: sum(account_balance(rows.transfers, ledger.provider_of(name)).values())
            for name in books
        },
        theirs={name: sum(each.balances.values()) for name, each in books.items()},
        broken=tuple(str(each) for each, _ in zip(found, range(BROKEN_MAX), strict=False)),
    )


def _settled_exits(rows: Rows) -> list[Mapping[str, Any]]:
    """Return the orders to open whose stays' money has come to rest."""
    moving = {row["session_id"] for row in rows.attempts if row["state"] in LIVE}
    return [row for row in rows.commands if row["session_id"] not in moving]


def _unbilled(rows: Rows, over: set[object]) -> int:
    billed = {row["session_id"] for row in rows.bills if row["state"] in _BILLED}
    return len(over - billed)


def _double_charges(rows: Rows, books: Mapping[str, Any]) -> int:
    captured: Counter[object] = Counter()
    for attempt in rows.attempts:
        captured[attempt["bill_id"]] += sum(
            order.is_captured for order in orders_of([attempt], books)
        )
    return sum(count - 1 for count in captured.values() if count > 1)


def _lost(rows: Rows, books: Mapping[str, Any]) -> int:
    ours = {row["number"] for row in rows.attempts if row["state"] == "succeeded"}
    theirs = {
        order.number
        for each in books.values()
        for order in each.orders.values()
        if order.is_captured
    }
    by_hand = {row["number"] for row in rows.attempts if row["provider"] not in books}
    return len((ours - by_hand) ^ theirs)
