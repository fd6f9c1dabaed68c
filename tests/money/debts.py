"""What happens to money after departure, in a story: collected, paid elsewhere, taken back."""

from collections.abc import Awaitable
from typing import Final, Protocol
from uuid import UUID

from parking.flows import override
from parking.flows.payments import cross_place, desk_payment, write_off
from parking.flows.payments.cross_place import Debt, OwedPayment
from tests.money.dice import Dice
from tests.money.look import Look, Row
from tests.money.town import Town

REASON: Final = "as agreed"
STAFF: Final = "Ada"
COLLECTED_AFTER_MINUTES: Final = (61, 24 * 60 + 1)


class Stage(Protocol):
    """What it needs of the other acts."""

    town: Town
    dice: Dice

    async def attempt(self, asked: Awaitable[object]) -> None:
        """Ask for something that may be refused."""
        ...

    async def trouble(self, look: Look, driver_id: UUID | None, operation: str) -> None:
        """Let something be wrong with the driver's provider."""
        ...

    async def run_janitors(self) -> None:
        """Ask about everything whose time has come."""
        ...


class DebtActs:
    """Every act about what is owed."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._town = stage.town
        self._dice = stage.dice

    async def collect(self, look: Look) -> None:
        """Owed bills are due for collection."""
        bill = self._dice.choose(look.owed)
        await self._stage.trouble(look, bill["driver_id"], "charge")
        self._town.wait(minutes=self._dice.choose(COLLECTED_AFTER_MINUTES))
        await self._stage.run_janitors()

    async def pay_elsewhere(self, look: Look) -> None:
        """What is owed here is paid at a partner's: by mandate, on a page, or in cash."""
        bill = self._dice.choose(look.owed)
        ways = [self._by_page, self._by_cash]
        if bill["driver_id"] is not None:
            ways.append(self._by_mandate)
        await self._stage.trouble(look, bill["driver_id"], "charge")
        way = self._dice.choose(ways)
        for _ in range(self._dice.choose((1, 1, 2))):
            await self._stage.attempt(way(self._debt(bill)))

    async def pay_at_the_desk(self, look: Look) -> None:
        """Somebody pays in cash what is owed, at times twice."""
        bill = self._dice.choose(look.owed)
        operator_id = bill["operator_id"]
        for _ in range(self._dice.choose((1, 2))):
            await self._stage.attempt(
                desk_payment.take_cash(
                    self._town.context, operator_id, operator_id, bill["id"], by=STAFF
                )
            )

    async def give_up(self, look: Look) -> None:
        """Staff write a bill off."""
        bill = self._dice.choose(look.owed)
        await self._stage.attempt(
            write_off.write_off(
                self._town.context, bill["operator_id"], bill["id"], reason=REASON, by=STAFF
            )
        )

    async def charge_back(self, look: Look) -> None:
        """A payer's bank takes a charge back, or decides about one."""
        attempt = self._dice.choose(look.chargeable)
        house = self._town.house(attempt["provider"])
        decision = self._dice.choose((None, None, "won", "lost"))
        books = await house.books()
        if attempt["number"] not in books.orders:
            # Only what it knows can be taken back; that it does not know it, a promise says.
            return
        if attempt["number"] not in books.charged_back:
            await house.charge_back(attempt["number"])
        if decision is not None:
            await house.charge_back(attempt["number"], decision=decision)

    async def let_out(self, look: Look) -> None:
        """A named person lets a car out that the rules keep in."""
        row = self._dice.choose(look.standing)
        await self._stage.attempt(
            override.let_out(
                self._town.context, row["operator_id"], row["lane_id"], reason=REASON, by=STAFF
            )
        )

    def _debt(self, bill: Row) -> Debt:
        other = next(yard for yard in self._town.yards if yard.operator_id != bill["operator_id"])
        return Debt(
            owner_id=bill["operator_id"],
            bill_id=bill["id"],
            collector_id=other.operator_id,
            place_id=other.place_id,
            by=STAFF,
        )

    async def _by_mandate(self, debt: Debt) -> OwedPayment:
        return await cross_place.by_mandate(self._town.context, debt, is_waited_for=True)

    async def _by_page(self, debt: Debt) -> OwedPayment:
        return await cross_place.by_page(self._town.context, debt, "https://pay.example/owed")

    async def _by_cash(self, debt: Debt) -> OwedPayment:
        return await cross_place.by_cash(self._town.context, debt)
