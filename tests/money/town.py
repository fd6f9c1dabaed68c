"""Two operators with a place each, drivers, every provider's house, and a clock to move."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.routing import Route

from api.callbacks import CallbackEndpoint
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
    PresentationState,
)
from parking.flows.payments import credit_terms, mandates, partner_view
from parking.flows.payments.credit_terms import NewPolicy
from parking.kit.clock import ManualClock
from parking.kit.database import Database
from parking.kit.ids import new_id
from parking.payments.credit_models import CreditRequirement
from parking.payments.port import NoticeOutcome, NoticeRefusedError
from parking.places import service as places
from parking.tariffs import service as tariffs
from sesame.bench.money.books import Books
from tests.contract.http_server import listener, url_of
from tests.factories.bound_plates import bind_plate
from tests.factories.lane_world import RATE_TABLE, SIGNER, VAULT, WEIGHTS, read_of
from tests.factories.morning import this_morning
from tests.money.houses import House, open_houses
from tests.money.loop_server import served
from tests.money.post_office import Letter, PostOffice

COUPON: Final = "cinema"
COUPON_MINOR: Final = 300
TABLE: Final[dict[str, Any]] = {
    **RATE_TABLE,
    "validations": [{"name": COUPON, "kind": "amount", "value": COUPON_MINOR}],
}
# One day's parking; the second day's only after two bills that were paid in time.
CREDIT: Final = NewPolicy(
    currency="CNY",
    is_open=True,
    requirement=CreditRequirement.MANDATE,
    first_minor=3000,
    step_bills=2,
    step_minor=3000,
    most_minor=9000,
    history_bills=2,
    arrears_days=7,
)
CONNECTIONS_MAX: Final = 12
POST_LOOKS_MAX: Final = 10
POST_PAUSE_S: Final = 0.001


@dataclass(frozen=True, slots=True)
class Yard:
    """One place with its lanes."""

    operator_id: UUID
    place_id: UUID
    entry: Lane
    exits: tuple[Lane, Lane]


@dataclass
class Town:
    """What a story happens in."""

    context: ParkingContext
    clock: ManualClock
    gate: LaneFlows
    yards: tuple[Yard, ...]
    houses: tuple[House, ...]
    post: PostOffice
    callbacks: httpx.AsyncClient
    seq: dict[UUID, int] = field(default_factory=dict[UUID, int])

    def house(self, name: str) -> House:
        return next(house for house in self.houses if house.name == name)

    def event(self, lane: Lane) -> LaneEvent:
        self.seq[lane.lane_id] = self.seq.get(lane.lane_id, 0) + 1
        now = self.clock.now()
        return LaneEvent(new_id(now), self.seq[lane.lane_id], now)

    async def arrive(self, lane: Lane) -> UUID:
        presentation_id = new_id(self.clock.now())
        await self.gate.present(lane, self.event(lane), presentation_id, PresentationState.OCCUPIED)
        return presentation_id

    async def decide(self, lane: Lane, presentation_id: UUID, plate: str) -> Decision:
        return await self.gate.decide(lane, presentation_id, read_of(plate), WEIGHTS)

    async def barrier(self, lane: Lane, presentation_id: UUID, *kinds: str) -> None:
        for kind in kinds:
            event = BarrierEvent(self.event(lane), kind, presentation_id, None)
            await self.gate.record_barrier_event(lane, event)

    async def clear(self, lane: Lane, presentation_id: UUID) -> None:
        await self.gate.present(lane, self.event(lane), presentation_id, PresentationState.CLEARED)

    async def rows(self, sql: str, **values: object) -> list[dict[str, Any]]:
        async with self.context.database.begin() as unit:
            result = await unit.run(text(sql), values)
            return [dict(row) for row in result.mappings()]

    async def rows_of(self, *statements: str) -> list[list[dict[str, Any]]]:
        """Return what several queries find, in one transaction."""
        async with self.context.database.begin() as unit:
            found = [(await unit.run(text(sql))).mappings() for sql in statements]
            return [[dict(row) for row in rows] for rows in found]

    async def books(self) -> dict[str, Books]:
        return {house.name: await house.books() for house in self.houses}

    async def add_driver(self, *bound: str) -> UUID:
        """Add a driver with bound plates."""
        async with self.context.database.begin() as unit:
            driver = Driver(id=new_id(unit.now()), created_at=unit.now())
            unit.session.add(driver)
            for plate in bound:
                bind_plate(unit, driver.id, plate)
        return driver.id

    async def permit(self, driver_id: UUID, house: House) -> UUID:
        """Let the driver allow password-free payment; returns the mandate."""
        traits = self.context.provider(house.name).traits
        wish = mandates.Wish(
            provider=house.name,
            binding_id=await self._binding_of(driver_id) if traits.needs_plate else None,
            payer_id=f"o{driver_id.hex[-20:]}" if traits.needs_payer else None,
        )
        mandate = await mandates.authorize(self.context, driver_id, wish)
        digest = mandate.terms.digest(self.context.vault, "en")
        await mandates.confirm(self.context, driver_id, mandate.id, digest)
        if mandate.confirmation_url is not None:
            await house.confirm(mandate.confirmation_url)
        await mandates.sweep(self.context)
        return mandate.id

    async def deliver(self, letter: Letter) -> int:
        """Post a notice to our endpoint; returns the status of the answer."""
        return (await self.pass_on(letter)).status_code

    async def pass_on(self, letter: Letter) -> httpx.Response:
        """Post a notice to our endpoint, and hold the answer to what the provider expects."""
        provider = self.context.provider(letter.provider)
        try:
            provider.verify_notices(letter.headers, letter.body)
            outcomes = [NoticeOutcome.TAKEN, NoticeOutcome.BUSY, NoticeOutcome.IMPOSSIBLE]
        except NoticeRefusedError:
            outcomes = [NoticeOutcome.REFUSED]
        answer = await self.callbacks.post(
            f"/callbacks/{letter.provider}", headers=letter.headers, content=letter.body
        )
        letter.deliveries += 1
        expected = {provider.notice_reply(outcome).status for outcome in outcomes}
        assert answer.status_code in expected, (letter.provider, answer.status_code, answer.text)
        return answer

    async def settle_post(self) -> None:
        """Let every house post what is due now."""
        for house in self.houses:
            await house.wake()
        for _ in range(POST_LOOKS_MAX):
            pending = [(await house.books()).notices_pending for house in self.houses]
            if not any(pending):
                return
            await asyncio.sleep(POST_PAUSE_S)

    async def everything(self) -> str:
        """Return a fingerprint of all that money moves."""
        tables = ("bills", "payment_attempts", "refunds", "ledger_transfers", "gate_commands")
        parts = [
            f"(SELECT coalesce(string_agg(t::text, '|' ORDER BY t::text), '') FROM {table} t)"  # noqa: S608
            for table in tables
        ]
        [row] = await self.rows(f"SELECT md5({' || '.join(parts)}) AS all_of_it")
        return str(row["all_of_it"])

    def wait(self, **period: float) -> None:
        self.clock.advance(timedelta(**period))

    async def _binding_of(self, driver_id: UUID) -> UUID:
        [row, *_] = await self.rows(
            "SELECT binding_id FROM driver_plates WHERE driver_id = :driver", driver=driver_id
        )
        found: UUID = row["binding_id"]
        return found


@asynccontextmanager
async def open_town(
    database_url: str, valkey_url: str, folder: Path, providers: Sequence[str]
) -> AsyncGenerator[Town]:
    """Build a town on an empty database, with the houses of some providers."""
    clock = ManualClock(this_morning())
    post = PostOffice()
    async with AsyncExitStack() as undo:
        listening = listener()
        await undo.enter_async_context(served(post.app, listening))
        houses = await undo.enter_async_context(
            open_houses(folder, f"{url_of(listening)}/callbacks", clock, providers)
        )
        providers_of = {house.name: house.unsteady.as_provider() for house in houses}
        post.providers.update(providers_of)
        database = Database(database_url, clock=clock, vault=VAULT, connections_max=CONNECTIONS_MAX)
        undo.push_async_callback(database.close)
        redis = open_valkey(valkey_url)
        undo.push_async_callback(redis.aclose)
        bus = Bus(redis)
        undo.push_async_callback(bus.close)
        context = ParkingContext(
            database=database,
            clock=clock,
            vault=VAULT,
            bus=bus,
            providers=providers_of,
            checkout_provider=next(
                name for name, known in providers_of.items() if known.traits.has_checkout
            ),
            public_url="https://pay.example",
            receipts=SIGNER,
        )
        endpoint = Starlette(
            routes=[
                Route("/callbacks/{provider}", CallbackEndpoint(context).answer, methods=["POST"])
            ]
        )
        callbacks = await undo.enter_async_context(
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app=endpoint), base_url="http://sesame.invalid"
            )
        )
        gate = LaneFlows(context)
        yards = tuple([await _build(context, gate, name) for name in ("Riverside", "Hilltop")])
        await _become_partners(context, yards)
        town = Town(context, clock, gate, yards, houses, post, callbacks)
        post.forward = town.pass_on
        yield town


async def _become_partners(context: ParkingContext, yards: tuple[Yard, ...]) -> None:
    """Let each collect for the other, and give drivers a little credit that grows."""
    one, other = (yard.operator_id for yard in yards)
    await partner_view.propose(context, one, other, by="Ada")
    await partner_view.accept(context, other, one, by="Bob")
    for operator_id in (one, other):
        await credit_terms.set_policy(context, operator_id, CREDIT, by="Ada")


async def _build(context: ParkingContext, gate: LaneFlows, name: str) -> Yard:
    async with context.database.begin() as unit:
        operator = places.add_operator(unit, f"{name} Parking")
        await unit.session.flush()
        place = places.add_place(
            unit, operator.id, name=name, timezone="Asia/Shanghai", currency="CNY"
        )
        await unit.session.flush()
        area = places.add_area(unit, place, name="B1", supply=5)
        await unit.session.flush()
        made = [
            places.add_lane(unit, area, name="Entry", direction=Direction.ENTRY),
            places.add_lane(unit, area, name="Exit", direction=Direction.EXIT),
            places.add_lane(unit, area, name="Exit 2", direction=Direction.EXIT),
        ]
        await unit.session.flush()
        for new in made[1:]:
            antenna = f"antenna-{new.lane.id.hex}"
            await places.set_antenna(unit, operator.id, new.lane.id, antenna)
        await tariffs.publish(unit, operator.id, place.id, currency="CNY", body=TABLE)
    entry, one, other = [await gate.authenticate(new.lane.id, new.device_token) for new in made]
    for lane in (entry, one, other):
        await gate.connect(lane, "bridge-1")
    return Yard(operator.id, place.id, entry, (one, other))
