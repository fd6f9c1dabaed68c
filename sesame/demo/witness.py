"""Looks up what really happened: in the database, in the providers' books, on the phones."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from parking.flows.context import ParkingContext
from parking.flows.fleet.reading import read_fleet
from parking.kit.ids import derive_id
from parking.kit.money import Money
from parking.lanes import repository as lanes
from parking.lanes.models import Observation
from parking.lanes.service import PLATE_CONTEXT
from parking.payments import balances, ledger
from parking.payments import repository as payments
from parking.payments.models import BillState, PaymentAttempt
from parking.plates import service as plates
from parking.sessions import repository as sessions
from parking.tariffs import service as tariffs
from parking.tariffs.rules import price
from sesame.demo.desk import Order, ProviderDesk
from sesame.demo.inboxes import PushInbox
from sesame.demo.town import TownPlace

PUSH_LOOKS_MAX: Final = 150
LOOK_S: Final = 0.1
# By bill, as the ledger's transfers name it: an account is a driver's, over all stays.
_OWED_BEFORE: Final = text(
    "SELECT t.currency,"
    " coalesce(sum(t.amount_minor) FILTER (WHERE t.debit_account LIKE 'receivable%'), 0)"
    " - coalesce(sum(t.amount_minor) FILTER (WHERE t.credit_account LIKE 'receivable%'), 0) AS owed"
    " FROM ledger_transfers t JOIN bills b ON b.operator_id = t.operator_id AND b.id = t.bill_id"
    " JOIN sessions s ON s.operator_id = b.operator_id AND s.id = b.session_id"
    " WHERE t.operator_id = :operator_id AND s.entered_at < :began_at GROUP BY t.currency"
)


@dataclass(frozen=True, slots=True)
class BillFacts:
    """A stay's bill, and the same priced again from its rate table."""

    total: Money
    recomputed: Money
    is_paid: bool


@dataclass(frozen=True, slots=True)
class Books:
    """Money at one moment, over all operators; by currency.

    Attributes:
        receivable: What drivers owe, but for stays that began before the time asked for.
        held: What the ledger says that each provider holds; by provider first.
        captured: What each provider says that it holds.
        between: What operators hold for each other.
        ledger_sum: All accounts together.
    """

    receivable: dict[str, int]
    held: dict[str, dict[str, int]]
    captured: dict[str, dict[str, int]]
    between: dict[str, int]
    ledger_sum: dict[str, int]

    def since(self, earlier: "Books") -> "Books":
        """Return how much each figure grew; the ledger's sum stays as it is.

        A payment that the ledger had not heard of at that time, and has by now, does not count: a
        run that was broken off leaves some.
        """
        held = {
            name: _with(
                self.held.get(name, {}),
                _made_good(earlier.ahead_of(name), self.ahead_of(name)),
            )
            for name in self.held.keys() | self.captured.keys()
        }
        return Books(
            receivable=_less(self.receivable, earlier.receivable),
            held=_less_each(held, earlier.held),
            captured=_less_each(self.captured, earlier.captured),
            between=_less(self.between, earlier.between),
            ledger_sum=self.ledger_sum,
        )

    def ahead_of(self, provider: str) -> dict[str, int]:
        """Return how much more the ledger says than the provider, by currency."""
        held, captured = self.held.get(provider, {}), self.captured.get(provider, {})
        currencies = held.keys() | captured.keys()
        return {name: held.get(name, 0) - captured.get(name, 0) for name in currencies}


class Witness:
    """Asks every side; changes nothing."""

    def __init__(
        self,
        context: ParkingContext,
        desks: Mapping[str, ProviderDesk],
        pushes: PushInbox,
        operator_ids: Sequence[UUID],
    ) -> None:
        self._context = context
        self._desks = desks
        self._pushes = pushes
        self._operator_ids = operator_ids

    async def bills(self, operator_id: UUID, session_id: UUID) -> list[BillFacts]:
        """Return the bills of a stay that were not replaced by another."""
        async with self._context.database.begin() as unit:
            session = await sessions.find_session(unit, operator_id, session_id)
            if session is None:
                return []
            table = await tariffs.load(unit, operator_id, session.rate_table_id)
            return [
                BillFacts(
                    total=Money(bill.total_minor, bill.currency),
                    recomputed=price(table, session.entered_at, bill.priced_until).total,
                    is_paid=bill.state == BillState.PAID,
                )
                for bill in await payments.find_bills(unit, operator_id, session_id)
            ]

    async def entered_at(self, place: TownPlace, plate: str) -> datetime | None:
        """Return since when a car is inside; None while it is not."""
        async with self._context.database.begin() as unit:
            index = plates.plate_index(unit.vault, plate)
            found = await sessions.find_open(unit, place.operator_id, place.place_id, index)
            if found is None:
                return None
            session = await sessions.find_session(unit, place.operator_id, found.session_id)
            return None if session is None else session.entered_at

    async def policy_version(self, place: TownPlace, lane_key: str) -> str | None:
        """Return by which policy a lane decides without network; None while it has none."""
        lane_id = next(lane.lane_id for lane in place.lanes if lane.key == lane_key)
        fleet = await read_fleet(self._context, place=str(place.place_id))
        found = (lane for lane in fleet.lanes if lane.lane_id == lane_id)
        return next(found).condition.policy_version

    async def orders(self, operator_id: UUID, session_id: UUID) -> list[Order]:
        """Return what the providers' own books say of a stay, oldest first at each."""
        numbers = {attempt.number for attempt in await self._attempts(operator_id, session_id)}
        found = await asyncio.gather(*(desk.orders() for desk in self._desks.values()))
        return [order for orders in found for order in orders if order.number in numbers]

    async def tries(self, operator_id: UUID, session_id: UUID) -> list[tuple[str, str, Money]]:
        """Return the stay's payments with provider, state and amount, the first one first."""
        return [
            (attempt.provider, str(attempt.state), Money(attempt.amount_minor, attempt.currency))
            for attempt in await self._attempts(operator_id, session_id)
        ]

    async def queries(self, operator_id: UUID, session_id: UUID) -> int:
        """Return how often the worker asked providers about the stay's payments."""
        return sum(attempt.queries for attempt in await self._attempts(operator_id, session_id))

    async def _attempts(self, operator_id: UUID, session_id: UUID) -> list[PaymentAttempt]:
        async with self._context.database.begin() as unit:
            found = [
                attempt
                for bill in await payments.find_bills(unit, operator_id, session_id)
                for attempt in await payments.find_attempts(unit, operator_id, bill.id)
            ]
        return sorted(found, key=lambda attempt: attempt.sent_at)

    async def order_given_at(self, operator_id: UUID, presentation_id: UUID) -> datetime | None:
        """Return when the newest order to open for a car was given; None before there is one."""
        async with self._context.database.begin() as unit:
            found = await lanes.find_commands(unit, operator_id, presentation_id)
        return max((command.issued_at for command in found), default=None)

    async def text_read(self, operator_id: UUID, presentation_id: UUID) -> str | None:
        """Return what the lane's camera was read as."""
        observation_id = derive_id(presentation_id, "observation")
        async with self._context.database.begin() as unit:
            seen = await unit.session.get(Observation, (operator_id, observation_id))
            return (
                None if seen is None else unit.vault.open(seen.plate_sealed, context=PLATE_CONTEXT)
            )

    async def pushes(self, target: str, session_id: UUID, wanted: Sequence[str]) -> list[str]:
        """Return what a phone was told of a stay, waiting for what is wanted; sorted."""
        found: list[str] = []
        for _ in range(PUSH_LOOKS_MAX):
            found = [
                push.kind
                for push in await self._pushes.pushes()
                if push.target == target and push.session_id == str(session_id)
            ]
            if not Counter(wanted) - Counter(found):
                break
            await asyncio.sleep(LOOK_S)
        return sorted(found)

    async def books(self, began_at: datetime | None = None) -> Books:
        """Return the ledger beside the providers' books.

        Args:
            began_at: Stays before it count as nobody's debt: cars that a broken-off run left
                inside are billed when they come again, and nobody is there to pay.
        """
        receivable, everything, between = Counter[str](), Counter[str](), Counter[str]()
        held = {ledger.provider_of(name): Counter[str]() for name in self._desks}
        partners = {ledger.partner_of(operator_id) for operator_id in self._operator_ids}
        async with self._context.database.begin() as unit:
            for operator_id in self._operator_ids:
                if began_at is not None:
                    values = {"operator_id": operator_id, "began_at": began_at}
                    for row in await unit.run(_OWED_BEFORE, values):
                        receivable[row.currency] -= int(row.owed)
                for (account, currency), balance in (
                    await balances.balances(unit, operator_id)
                ).items():
                    everything[currency] += balance
                    if ledger.is_receivable(account):
                        receivable[currency] += balance
                    elif account in held:
                        held[account][currency] += balance
                    elif account in partners:
                        between[currency] += max(balance, 0)
        return Books(
            receivable={currency: owed for currency, owed in receivable.items() if owed},
            held={name: dict(held[ledger.provider_of(name)]) for name in self._desks},
            captured={name: await desk.balances() for name, desk in self._desks.items()},
            between=dict(between),
            ledger_sum=dict(everything),
        )


def _made_good(before: dict[str, int], now: dict[str, int]) -> dict[str, int]:
    """Return how much of what was open before is not any more."""
    return {name: open_ - _still(open_, now.get(name, 0)) for name, open_ in before.items()}


def _still(before: int, now: int) -> int:
    return max(0, min(before, now)) if before > 0 else min(0, max(before, now))


def _with(sums: dict[str, int], more: dict[str, int]) -> dict[str, int]:
    return {name: sums.get(name, 0) + more.get(name, 0) for name in sums.keys() | more.keys()}


def _less(now: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    grown = {name: value - before.get(name, 0) for name, value in now.items()}
    return {name: value for name, value in grown.items() if value}


def _less_each(
    now: dict[str, dict[str, int]], before: dict[str, dict[str, int]]
) -> dict[str, dict[str, int]]:
    grown = {name: _less(sums, before.get(name, {})) for name, sums in now.items()}
    return {name: sums for name, sums in grown.items() if sums}
