"""A place with an entry and an exit lane, a driver who pays by mandate, and a clock to move."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from parking.drivers.models import Driver
from parking.events.bus import Bus, open_valkey
from parking.flows.context import ParkingContext
from parking.flows.lane import LaneFlows
from parking.flows.lane_types import (
    BarrierEvent,
    Decision,
    Direction,
    Lane,
    LaneEvent,
    ObservationMethod,
    PresentationState,
    ReadSource,
)
from parking.flows.payments import mandates
from parking.flows.payments.mandates import Wish
from parking.flows.payments.notices import receive_agreement
from parking.kit.clock import ManualClock
from parking.kit.crypto import Vault
from parking.kit.database import Database
from parking.kit.ids import new_id
from parking.payments import balances
from parking.payments.fake import FakeProvider
from parking.payments.models import Mandate
from parking.payments.receipt import ReceiptSigner
from parking.places import service as places
from parking.plates.reads import CharacterRead, PlateRead
from parking.tariffs import service as tariffs
from tests.factories.bound_plates import bind_plate
from tests.factories.morning import this_morning
from tests.factories.one_receivable import with_one_receivable

VAULT: Final = Vault(field_key=b"f" * 32, index_key=b"i" * 32)
SIGNER: Final = ReceiptSigner(Ed25519PrivateKey.from_private_bytes(b"r" * 32))
PLATE: Final = "京A88731"
WEIGHTS: Final = ReadSource(ObservationMethod.ANPR, "weights-1")
# Free for 10 minutes, then 5 CNY each started half hour, at most 30 CNY a day.
RATE_TABLE: Final[dict[str, Any]] = {
    "timezone": "Asia/Shanghai",
    "currency": "CNY",
    "grace": 10,
    "collections": [
        {"name": "all day", "lines": [{"kind": "increment", "value": 500, "block": 30, "from": 0}]}
    ],
    "caps": [{"per": "calendar_day", "amount": 3000}],
}


def read_of(text: str, confidence: float = 0.99, *, unsure: int | None = None) -> PlateRead:
    """Return a read; the character at `unsure` has a low probability."""
    characters = tuple(
        CharacterRead(char=char, probability=0.4 if index == unsure else 0.99)
        for index, char in enumerate(text)
    )
    return PlateRead(text=text, confidence=confidence, characters=characters, frames=2)


@dataclass
class LaneWorld:
    """One test's place; `gate` calls are what the bridge makes."""

    context: ParkingContext
    clock: ManualClock
    provider: FakeProvider
    gate: LaneFlows
    entry: Lane
    exit: Lane
    second_exit: Lane
    second_entry: Lane
    seq: dict[UUID, int] = field(default_factory=dict[UUID, int])

    def event(self, lane: Lane) -> LaneEvent:
        self.seq[lane.lane_id] = self.seq.get(lane.lane_id, 0) + 1
        now = self.clock.now()
        return LaneEvent(new_id(now), self.seq[lane.lane_id], now)

    async def arrive(self, lane: Lane) -> UUID:
        presentation_id = new_id(self.clock.now())
        await self.gate.present(lane, self.event(lane), presentation_id, PresentationState.OCCUPIED)
        return presentation_id

    async def decide(self, lane: Lane, presentation_id: UUID, read: PlateRead) -> Decision:
        return await self.gate.decide(lane, presentation_id, read, WEIGHTS)

    async def barrier(self, lane: Lane, presentation_id: UUID, *kinds: str) -> None:
        for kind in kinds:
            event = BarrierEvent(self.event(lane), kind, presentation_id, None)
            await self.gate.record_barrier_event(lane, event)

    async def clear(self, lane: Lane, presentation_id: UUID) -> None:
        await self.gate.present(lane, self.event(lane), presentation_id, PresentationState.CLEARED)

    async def drive_in(self, plate: str = PLATE) -> UUID:
        """Let a car in; returns its session."""
        presentation_id = await self.arrive(self.entry)
        decision = await self.decide(self.entry, presentation_id, read_of(plate))
        assert decision.action == "open", decision
        await self.barrier(self.entry, presentation_id, "opened", "passed")
        await self.clear(self.entry, presentation_id)
        rows = await self.rows(
            "SELECT session_id FROM presentations WHERE id = :id", id=presentation_id
        )
        session_id: UUID = rows[0]["session_id"]
        return session_id

    async def drive_out(self, plate: str = PLATE) -> Decision:
        """Bring a car to the exit and through it, if the gate opens."""
        presentation_id = await self.arrive(self.exit)
        decision = await self.decide(self.exit, presentation_id, read_of(plate))
        if decision.action == "open":
            await self.barrier(self.exit, presentation_id, "opened", "passed")
            await self.clear(self.exit, presentation_id)
        return decision

    async def rows(self, sql: str, **values: object) -> list[dict[str, Any]]:
        async with self.context.database.begin() as unit:
            result = await unit.run(text(sql), values)
            return [dict(row) for row in result.mappings()]

    async def rows_changed(self, sql: str, **values: object) -> None:
        async with self.context.database.begin() as unit:
            await unit.run(text(sql), values)

    async def count(self, table: str) -> int:
        return int((await self.rows(f"SELECT count(*) AS n FROM {table}"))[0]["n"])  # noqa: S608

    async def balances(self) -> dict[tuple[str, str], int]:
        async with self.context.database.begin() as unit:
            found = await balances.balances(unit, self.entry.operator_id)
        return with_one_receivable(found)

    async def accounts(self, operator_id: UUID | None = None) -> dict[str, int]:
        """Return the balances in CNY that are not nothing, each driver's by itself."""
        async with self.context.database.begin() as unit:
            found = await balances.balances(unit, operator_id or self.entry.operator_id)
        return {account: amount for (account, _), amount in found.items() if amount}

    async def add_driver(self, plate: str = PLATE) -> UUID:
        """Add a driver with a bound plate."""
        async with self.context.database.begin() as unit:
            driver = Driver(id=new_id(unit.now()), created_at=unit.now())
            unit.session.add(driver)
            bind_plate(unit, driver.id, plate)
        return driver.id

    async def permit(
        self, driver_id: UUID, wish: Wish | None = None, *, provider: FakeProvider | None = None
    ) -> UUID:
        """Let the driver allow password-free payment, confirmed twice; returns the mandate."""
        provider = provider or self.provider
        mandate = await mandates.authorize(self.context, driver_id, wish)
        digest = mandate.terms.digest(self.context.vault, "en")
        await mandates.confirm(self.context, driver_id, mandate.id, digest)
        async with self.context.database.begin() as unit:
            row = await unit.session.get(Mandate, (driver_id, mandate.id))
        assert row is not None
        assert row.agreement_reference is not None
        provider.confirm(row.agreement_reference)
        state = await provider.query_agreement(row.agreement_reference)
        await receive_agreement(self.context, row.provider, state)
        return mandate.id

    def wait(self, **period: float) -> None:
        self.clock.advance(timedelta(**period))


@asynccontextmanager
async def open_lane_world(database_url: str, valkey_url: str) -> AsyncGenerator[LaneWorld]:
    clock = ManualClock(this_morning())
    database = Database(database_url, clock=clock, vault=VAULT)
    redis = open_valkey(valkey_url)
    bus = Bus(redis)
    provider = FakeProvider(clock)
    context = ParkingContext(
        database=database,
        clock=clock,
        vault=VAULT,
        bus=bus,
        providers={provider.name: provider},
        checkout_provider=provider.name,
        public_url="https://pay.example",
        receipts=SIGNER,
    )
    try:
        yield await _world(context, clock, provider)
    finally:
        await bus.close()
        await redis.aclose()
        await database.close()


async def _world(context: ParkingContext, clock: ManualClock, provider: FakeProvider) -> LaneWorld:
    gate = LaneFlows(context)
    async with context.database.begin() as unit:
        operator = places.add_operator(unit, "Riverside Parking")
        await unit.session.flush()
        place = places.add_place(
            unit, operator.id, name="Riverside", timezone="Asia/Shanghai", currency="CNY"
        )
        await unit.session.flush()
        area = places.add_area(unit, place, name="B1", supply=5)
        await unit.session.flush()
        made = [
            places.add_lane(unit, area, name="Entry", direction=Direction.ENTRY),
            places.add_lane(unit, area, name="Exit", direction=Direction.EXIT),
            places.add_lane(unit, area, name="Exit 2", direction=Direction.EXIT),
            places.add_lane(unit, area, name="Entry 2", direction=Direction.ENTRY),
        ]
        await tariffs.publish(unit, operator.id, place.id, currency="CNY", body=RATE_TABLE)
    lanes = [await gate.authenticate(new.lane.id, new.device_token) for new in made]
    for lane in lanes:
        await gate.connect(lane, "bridge-1")
    entry, leaving, second_exit, second_entry = lanes
    return LaneWorld(context, clock, provider, gate, entry, leaving, second_exit, second_entry)
