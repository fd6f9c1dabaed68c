"""Selling and using passes in a lane world: products, purchases, months that go by."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from parking.flows.passes import pass_products, pass_purchase, pass_renewal
from parking.flows.passes.pass_purchase import PassOrder
from parking.kit.money import Money
from parking.passes.models import RightSpecification
from parking.passes.products import NewProduct
from tests.factories.bound_plates import bind_plate
from tests.factories.lane_world import PLATE, LaneWorld

PRICE_MINOR: Final = 30_000
SWEEPS_MAX: Final = 20
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")


@dataclass
class PassDesk:
    """What the tests of passes do again and again."""

    world: LaneWorld

    async def add_product(self, **changes: Any) -> RightSpecification:  # noqa: ANN401 - of NewProduct
        """Sell a pass for the world's place."""
        new = NewProduct(
            name="Month",
            place_ids=[self.world.entry.place_id],
            timezone="",
            price=Money(PRICE_MINOR, "CNY"),
            created_by="Ada",
        )
        operator_id = self.world.entry.operator_id
        return await pass_products.create(self.world.context, operator_id, replace(new, **changes))

    async def bind(self, driver_id: UUID, plate: str) -> UUID:
        """Bind another plate to a driver; returns the binding."""
        async with self.world.context.database.begin() as unit:
            return bind_plate(unit, driver_id, plate)

    async def bindings(self, driver_id: UUID) -> list[UUID]:
        """Return a driver's active bindings, oldest first."""
        rows = await self.world.rows(
            "SELECT binding_id FROM driver_plates WHERE driver_id = :driver AND unbound_at IS NULL"
            " ORDER BY binding_id",
            driver=driver_id,
        )
        return [row["binding_id"] for row in rows]

    async def order(
        self,
        driver_id: UUID,
        product: RightSpecification,
        key: str = "k1",
        **changes: Any,  # noqa: ANN401 - of PassOrder
    ) -> PassOrder:
        """Return the order of a pass for all of a driver's plates."""
        order = PassOrder(
            operator_id=product.operator_id,
            product_id=product.id,
            binding_ids=await self.bindings(driver_id),
            request_key=key,
        )
        return replace(order, **changes)

    async def buy(
        self,
        driver_id: UUID,
        product: RightSpecification,
        key: str = "k1",
        **changes: Any,  # noqa: ANN401 - of PassOrder
    ) -> UUID:
        """Buy a pass for all of a driver's plates; returns its id."""
        order = await self.order(driver_id, product, key, **changes)
        return await pass_purchase.purchase(self.world.context, driver_id, order)

    async def buyer(self, *plates_of: str) -> UUID:
        """Add a driver with plates and an authorization."""
        first, *others = plates_of or (PLATE,)
        driver_id = await self.world.add_driver(first)
        await self.world.permit(driver_id)
        for plate in others:
            await self.bind(driver_id, plate)
        return driver_id

    async def right(self, right_id: UUID) -> dict[str, Any]:
        """Return the row of a pass."""
        [row] = await self.world.rows("SELECT * FROM assigned_rights WHERE id = :id", id=right_id)
        return row

    async def state(self, right_id: UUID) -> str:
        """Return where a pass stands."""
        return str((await self.right(right_id))["state"])

    async def work(self) -> None:
        """Let the periodic work do everything that is due now."""
        for _ in range(SWEEPS_MAX):
            if not await pass_renewal.sweep(self.world.context):
                return
        raise AssertionError("the periodic work does not come to an end")

    async def wait_until(self, day: date, hour: int = 0, minute: int = 0) -> None:
        """Let local days go by, one after the other, with the periodic work on each."""
        clock = self.world.clock
        target = datetime(day.year, day.month, day.day, hour, minute, tzinfo=SHANGHAI)
        while clock.now() < target:
            clock.advance(min(timedelta(days=1), target - clock.now()))
            await self.work()

    def today(self) -> date:
        """Return the local day."""
        return self.world.clock.now().astimezone(SHANGHAI).date()

    async def told(self) -> list[str]:
        """Return the events about passes, oldest first."""
        rows = await self.world.rows(
            "SELECT type FROM outbox WHERE type LIKE 'Pass%' ORDER BY occurred_at, version"
        )
        return [row["type"] for row in rows]

    async def charges(self) -> Sequence[tuple[str, int]]:
        """Return the attempts about passes, oldest first: state and amount."""
        rows = await self.world.rows(
            "SELECT state, amount_minor FROM payment_attempts WHERE pass_id IS NOT NULL"
            " ORDER BY sent_at, id"
        )
        return [(row["state"], row["amount_minor"]) for row in rows]
