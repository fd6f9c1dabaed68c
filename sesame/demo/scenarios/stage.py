"""What every scenario does alike: drive in, drive out, bind a plate, look at the money."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

from api.global_ids import decode_id
from parking.kit.money import Money
from parking.payments.port import order_number
from sesame.demo.cars import Cast, DemoCar
from sesame.demo.desk import Order
from sesame.demo.graphql_client import Json
from sesame.demo.installation import DemoInstallation
from sesame.demo.lane import LaneClient, Visit
from sesame.demo.phone import Phone
from sesame.demo.providers import ACQUIRER, NAMES
from sesame.demo.scenarios.act import Act
from sesame.demo.town import RIVERSIDE
from sesame.demo.witness import Witness

# Times count in whole seconds: within the second of its entry a car leaves for nothing.
STAY_S: Final = 1.2
_LANE_CODE: Final = re.compile(r"Code (\d{6})")


def _ignore(_plate: str, _update: Json) -> None:
    return


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the scenarios play.

    Attributes:
        on_update: Told a plate and each update of its subscription.
    """

    town: DemoInstallation
    cast: Cast
    witness: Witness
    on_update: Callable[[str, Json], None] = field(default=_ignore)

    @asynccontextmanager
    async def at(self, key: str) -> AsyncGenerator[LaneClient]:
        """Have a lane for oneself; a car that somebody left there backs out first."""
        lane = self.town.lane(key)
        async with lane.busy:
            await lane.leave()
            try:
                yield lane
            finally:
                await lane.leave()

    async def drive_in(self, act: Act, place: str, car: DemoCar) -> Visit:
        """Let a car in."""
        act.step(f"{car.plate} comes to the entry of {self.town.town.place(place).name}")
        return await self._drive_through(act, f"{place}-entry", car.pictures)

    async def stay(self, act: Act, stay_s: float = STAY_S) -> None:
        """Let a car stand inside until its stay costs something."""
        act.step("the car stands inside for a moment")
        await asyncio.sleep(stay_s)

    async def drive_out(self, act: Act, place: str, pictures: Sequence[Path]) -> Visit:
        """Let a car out that need not stop."""
        act.step(f"it leaves {self.town.town.place(place).name}")
        return await self._drive_through(act, f"{place}-exit", pictures)

    async def bind(
        self, act: Act, phone: Phone, car: DemoCar, accounts: Sequence[str] = (ACQUIRER,)
    ) -> str:
        """Bind a plate by the code on a lane's display and allow payment.

        What was done in an earlier run stays as it is.

        Args:
            act: Told the steps.
            phone: The driver's.
            car: The driver's.
            accounts: The providers that may charge, in the driver's order.

        Returns:
            The first mandate.
        """
        if not await phone.has_plate(car.plate):
            act.step(f"the driver claims {car.plate} in the app")
            claim_id = await phone.claim(car.plate)
            visit = await self.drive_in(act, RIVERSIDE, car)
            await phone.confirm(claim_id, lane_code(await visit.display()))
            act.expect_that("the plate is bound", holds=await phone.has_plate(car.plate))
            await self.drive_out(act, RIVERSIDE, car.pictures)
        names = ", then ".join(NAMES[provider] for provider in accounts)
        act.step(f"the driver allows payment without a password: {names}")
        return (await phone.allow(accounts, car.plate))[0]

    async def agreement(self, mandate_id: str, provider: str = ACQUIRER) -> str:
        """Return the provider's reference of a mandate's agreement."""
        number = order_number(decode_id(mandate_id, kind="Mandate", field="mandateId"))
        agreements = (await self.town.desks[provider].books())["agreements"]
        return next(str(row["reference"]) for row in agreements if row["number"] == number)

    async def expect_paid_once(
        self,
        act: Act,
        operator_id: UUID,
        session_id: UUID,
        *,
        kind: str,
        provider: str = ACQUIRER,
    ) -> Money:
        """Check that a stay has one paid bill of the right amount, and one order for it.

        Returns the amount.
        """
        bills = await self.witness.bills(operator_id, session_id)
        act.expect("bills", len(bills), 1)
        bill = bills[0]
        act.expect_that("the bill is paid", holds=bill.is_paid)
        act.expect("the bill's amount, priced again", bill.recomputed, bill.total)
        orders = await self.witness.orders(operator_id, session_id)
        taken = [_taken(order) for order in orders if order.status == "succeeded"]
        act.expect("what the providers took", taken, [(provider, kind, bill.total)])
        by = "" if provider == ACQUIRER else f" by {NAMES[provider]}"
        act.facts["paid"] = f"{bill.total.format()}{by}"
        return bill.total

    async def expect_pushes(
        self, act: Act, phone: Phone, session_id: UUID, kinds: Sequence[str]
    ) -> None:
        """Check that the phone was told each of these once, and nothing else."""
        act.step("the pushes arrive")
        found = await self.witness.pushes(phone.target, session_id, kinds)
        act.expect("pushes", found, sorted(kinds))

    async def _drive_through(self, act: Act, key: str, pictures: Sequence[Path]) -> Visit:
        async with self.at(key) as lane:
            visit = await lane.car(pictures)
            await visit.order()
            await visit.passed()
            act.expect("pulses of the barrier", await visit.pulses(), 1)
            return visit


def lane_code(display: Json) -> str:
    """Return the code on a lane's display."""
    found = _LANE_CODE.search("\n".join(display["lines"]))
    return "" if found is None else found.group(1)


def session_uuid(session: Json) -> UUID:
    """Return the id inside a session's global id."""
    return decode_id(session["id"], kind="Session", field="sessionId")


def _taken(order: Order) -> tuple[str, str, Money]:
    return order.provider, order.kind, Money(order.amount_minor, order.currency)
