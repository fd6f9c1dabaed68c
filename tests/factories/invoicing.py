"""A lane world whose operator issues invoices, and bills that its driver has paid."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.flows.payments.refunds import request_refund
from parking.invoices import repository, service
from parking.invoices.document import Document
from parking.invoices.fapiao.fake import FakeFapiaoService
from parking.invoices.models import Invoice
from parking.invoices.parties import Seller
from parking.kit.ids import new_id
from parking.kit.money import Money
from parking.payments.models import (
    AttemptKind,
    AttemptState,
    Bill,
    BillState,
    PaymentAttempt,
)
from tests.factories.invoices import SELLER
from tests.factories.lane_world import LaneWorld, open_lane_world

# 19 % VAT inside 10.00, 3.50 and 0.03.
TEN, THREE_FIFTY, THREE_FEN = 1000, 350, 3


@dataclass
class InvoiceWorld:
    """One test's operator and driver."""

    lanes: LaneWorld
    context: ParkingContext
    fapiao: FakeFapiaoService
    driver_id: UUID

    @property
    def operator_id(self) -> UUID:
        return self.lanes.entry.operator_id

    async def sell(self, seller: Seller = SELLER) -> None:
        """Let the operator issue invoices."""
        async with self.context.database.begin() as unit:
            await service.set_seller(unit, self.operator_id, seller, "Lin")

    async def paid_bill(
        self,
        total_minor: int = TEN,
        *,
        driver_id: UUID | None = None,
        state: BillState = BillState.PAID,
    ) -> tuple[UUID, UUID]:
        """Store a bill of a stay, as paid through the provider; returns (operator, bill)."""
        async with self.context.database.begin() as unit:
            now = unit.now()
            bill_id, attempt_id, session_id = new_id(now), new_id(now), new_id(now)
            line = {
                "reason": "increment",
                "starts_at": now.isoformat(),
                "ends_at": now.isoformat(),
                "amount_minor": total_minor,
                "note": "",
            }
            is_paid = state == BillState.PAID
            unit.session.add(
                Bill(
                    operator_id=self.operator_id,
                    id=bill_id,
                    session_id=session_id,
                    place_id=self.lanes.entry.place_id,
                    driver_id=driver_id or self.driver_id,
                    rate_table_id=new_id(now),
                    state=state,
                    total_minor=total_minor,
                    currency="CNY",
                    lines=[line],
                    priced_until=now,
                    issued_at=now,
                    paid_at=now if is_paid else None,
                    paid_attempt_id=attempt_id if is_paid and total_minor else None,
                )
            )
            if is_paid and total_minor:
                unit.session.add(
                    PaymentAttempt(
                        operator_id=self.operator_id,
                        id=attempt_id,
                        bill_id=bill_id,
                        session_id=session_id,
                        driver_id=driver_id or self.driver_id,
                        kind=AttemptKind.MANDATE,
                        provider=self.lanes.provider.name,
                        number=attempt_id.hex,
                        amount_minor=total_minor,
                        currency="CNY",
                        state=AttemptState.SUCCEEDED,
                        sent_at=now,
                        next_query_at=now,
                    )
                )
        return self.operator_id, bill_id

    async def refund(self, bill: tuple[UUID, UUID], amount_minor: int, cause: str) -> None:
        """Refund a part of a bill a second later, as the staff does."""
        self.lanes.wait(seconds=1)
        async with self.context.database.begin() as unit:
            row = await unit.session.get(Bill, bill)
            assert row is not None
            await request_refund(
                unit,
                row,
                Money(amount_minor, "CNY"),
                cause=cause,
                reason="Barrier opened late",
                by="staff:Lin",
            )

    async def invoice(self, key: tuple[UUID, UUID]) -> Invoice:
        async with self.context.database.begin() as unit:
            row = await repository.find_invoice(unit, *key)
        assert row is not None
        return row

    async def document(self, key: tuple[UUID, UUID]) -> Document:
        async with self.context.database.begin() as unit:
            row = await repository.find_invoice(unit, *key)
            assert row is not None
            return service.open_document(unit, row)

    async def numbers(self) -> list[str | None]:
        """Return every number of the operator, oldest first."""
        rows = await self.lanes.rows("SELECT number FROM invoices ORDER BY issued_at, id")
        return [row["number"] for row in rows]


@asynccontextmanager
async def open_invoice_world(database_url: str, valkey_url: str) -> AsyncGenerator[InvoiceWorld]:
    async with open_lane_world(database_url, valkey_url) as lanes:
        fapiao = FakeFapiaoService(lanes.clock)
        context = replace(lanes.context, fapiao=fapiao)
        world = InvoiceWorld(lanes, context, fapiao, await lanes.add_driver())
        await world.sell()
        yield world
