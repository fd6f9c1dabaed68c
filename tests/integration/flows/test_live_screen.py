"""The first screen in one statement says what the ORM path says, of stays of every kind."""

import random
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from parking.drivers import service as drivers
from parking.drivers.models import Driver, DriverStay, SignIn
from parking.flows import driver_view, live_screen
from parking.kit.ids import new_id
from parking.kit.tokens import DriverIdentity
from parking.payments.models import Bill, BillState, Refund, RefundState
from parking.sessions.models import Session, SessionState
from parking.sessions.service import PLATE_CONTEXT
from parking.tariffs.rules import Circumstances
from tests.factories.lane_world import PLATE, LaneWorld
from tests.factories.statements import collected

DRIVERS: Final = 4
STAYS: Final = 9
RUNNING: Final = (SessionState.ACTIVE, SessionState.LEAVING, SessionState.UNRESOLVED)


async def sign_in(world: LaneWorld, driver_id: UUID) -> UUID:
    now = world.clock.now()
    async with world.context.database.begin() as unit:
        row = SignIn(
            driver_id=driver_id,
            id=new_id(now),
            refresh_digest=b"",
            device_name="Phone",
            created_at=now,
            authenticated_at=now,
            refreshed_at=now,
            expires_at=now + timedelta(days=30),
        )
        unit.session.add(row)
    return row.id


async def place_of(world: LaneWorld) -> tuple[UUID, UUID]:
    [row] = await world.rows("SELECT place_id, id FROM rate_tables")
    return row["place_id"], row["id"]


class Stays:
    """Stays of any kind, by chance that can be repeated."""

    def __init__(self, world: LaneWorld, place_id: UUID, rate_table_id: UUID, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - nothing is secret
        self.world = world
        self.owner = world.entry.operator_id
        self.place_id = place_id
        self.rate_table_id = rate_table_id

    def circumstances(self, entered_at: datetime) -> dict[str, Any]:
        chance = self.chance
        continued = chance.random() < 0.3
        pass_ends_at = entered_at + timedelta(minutes=chance.randint(1, 400))
        return Circumstances(
            vehicle={"is_ev": chance.random() < 0.5, "vehicle_class": "van"},  # pyright: ignore[reportArgumentType] - pydantic's own way
            has_pass=chance.random() < 0.3,
            exemptions=({"starts_at": entered_at, "ends_at": pass_ends_at, "note": "Pass"},)  # pyright: ignore[reportArgumentType] - see above
            if chance.random() < 0.3
            else (),
            continues_from=entered_at - timedelta(minutes=50) if continued else None,
            billed_before_minor=500 if continued else 0,
        ).to_json()

    def rows(self, driver_id: UUID) -> list[Any]:
        chance, now = self.chance, self.world.clock.now()
        entered_at = now - timedelta(seconds=chance.randint(0, 3 * 86_400))
        has_left = chance.random() < 0.2
        session_id = new_id(now)
        rows: list[Any] = [
            Session(
                operator_id=self.owner,
                id=session_id,
                place_id=self.place_id,
                plate_index=new_id(now),
                plate_sealed=self.world.context.vault.seal(PLATE, context=PLATE_CONTEXT),
                driver_id=driver_id,
                rate_table_id=self.rate_table_id,
                entry_presentation_id=new_id(now),
                state=SessionState.LEFT if has_left else chance.choice(RUNNING),
                version=chance.randint(1, 9),
                entered_at=entered_at,
                left_at=now if has_left else None,
                prepaid_until=chance.choice(
                    [None, None, now - timedelta(minutes=1), now + timedelta(minutes=20)]
                ),
                circumstances=self.circumstances(entered_at) if chance.random() < 0.6 else {},
            ),
            DriverStay(
                driver_id=driver_id,
                session_id=session_id,
                operator_id=self.owner,
                entered_at=entered_at,
                left_at=now if has_left else None,
            ),
        ]
        rows += [
            self.bill(driver_id, session_id, entered_at, state)
            for state in chance.sample(list(BillState), chance.choice([0, 0, 1, 3]))
        ]
        return rows

    def bill(
        self, driver_id: UUID, session_id: UUID, entered_at: datetime, state: BillState
    ) -> Bill:
        now, waived_minor = self.world.clock.now(), self.chance.choice([0, 100, 300])
        credit = {"reason": "waived", "amount_minor": -waived_minor, "note": f"sorry {state}"}
        return Bill(
            operator_id=self.owner,
            id=new_id(now),
            session_id=session_id,
            place_id=self.place_id,
            driver_id=driver_id,
            rate_table_id=self.rate_table_id,
            state=state,
            total_minor=self.chance.randint(0, 2000),
            currency="CNY",
            lines=[],
            basis={"credits": [credit]} if waived_minor else {},
            priced_until=entered_at + timedelta(microseconds=self.chance.randint(0, 10**9)),
            issued_at=now,
            paid_at=now if state is BillState.PAID else None,
        )


async def test_it_says_what_the_orm_path_says(world: LaneWorld) -> None:
    stays = Stays(world, *await place_of(world), seed=20261123)
    askers: list[tuple[UUID, UUID]] = []
    for _ in range(DRIVERS):
        driver_id = await world.add_driver(f"AB {len(askers)}")
        askers.append((driver_id, await sign_in(world, driver_id)))
        async with world.context.database.begin() as unit:
            for _ in range(STAYS):
                unit.session.add_all(stays.rows(driver_id))
    seen = 0
    for step in (timedelta(0), timedelta(minutes=7, seconds=1), timedelta(hours=30)):
        world.clock.advance(step)
        for driver_id, sign_in_id in askers:
            expected = await driver_view.active_sessions(world.context, driver_id)
            found = await live_screen.look(world.context, driver_id, sign_in_id)
            assert found == expected
            changes = [view.bill.next_change_at for view in found or ()]
            assert changes == [view.bill.next_change_at for view in expected]
            seen += sum(len(view.bill.lines) for view in expected)
    # By this chance: the stays differ, and some have many lines.
    assert seen > 200


async def test_it_is_one_statement_and_none_through_the_orm(world: LaneWorld) -> None:
    stays = Stays(world, *await place_of(world), seed=7)
    driver_id = await world.add_driver()
    sign_in_id = await sign_in(world, driver_id)
    async with world.context.database.begin() as unit:
        for _ in range(STAYS):
            unit.session.add_all(stays.rows(driver_id))
    # The first look reads the rate table, which never changes.
    assert await live_screen.look(world.context, driver_id, sign_in_id)
    before = world.context.database.quick_reads.sent
    with collected(world.context.database) as statements:
        assert await live_screen.look(world.context, driver_id, sign_in_id)
    assert (world.context.database.quick_reads.sent - before, statements) == (1, [])


async def test_what_goes_back_is_told_too(world: LaneWorld) -> None:
    stays = Stays(world, *await place_of(world), seed=3)
    driver_id = await world.add_driver()
    sign_in_id = await sign_in(world, driver_id)
    now = world.clock.now()
    session, stay, *_ = stays.rows(driver_id)
    session.left_at = stay.left_at = None
    bill = stays.bill(driver_id, session.id, now, BillState.PAID)
    refund = Refund(
        operator_id=bill.operator_id,
        id=new_id(now),
        bill_id=bill.id,
        attempt_id=new_id(now),
        session_id=session.id,
        driver_id=driver_id,
        provider="fake",
        charge_number="c",
        number="r",
        amount_minor=100,
        currency="CNY",
        state=RefundState.SUCCEEDED,
        cause="test",
        reason="sorry",
        requested_by="Ada",
        requested_at=now,
        next_query_at=now,
        finished_at=now,
    )
    async with world.context.database.begin() as unit:
        unit.session.add_all([session, stay, bill, refund])
    [view] = await live_screen.look(world.context, driver_id, sign_in_id) or []
    assert [each.amount.amount_minor for each in view.refunds] == [100]
    assert [view] == await driver_view.active_sessions(world.context, driver_id)


async def test_whoever_is_not_signed_in_sees_nothing_at_once(world: LaneWorld) -> None:
    driver_id, other_id = await world.add_driver(), await world.add_driver("AB 1")
    first, second = await sign_in(world, driver_id), await sign_in(world, driver_id)
    third = await sign_in(world, driver_id)
    assert [await live_screen.look(world.context, driver_id, one) for one in (first, second)] == [
        [],
        [],
    ]
    # Somebody else's sign-in is none of this driver's.
    assert await live_screen.look(world.context, other_id, first) is None
    identity = DriverIdentity(driver_id, first, world.clock.now())
    async with world.context.database.begin() as unit:
        await drivers.sign_out(unit, identity)
    looks = [await live_screen.look(world.context, driver_id, one) for one in (first, second)]
    assert looks == [None, []]
    async with world.context.database.begin() as unit:
        driver = await unit.session.get(Driver, driver_id)
        assert driver is not None
        driver.closed_at = unit.now()
    assert await live_screen.look(world.context, driver_id, second) is None
    async with world.context.database.begin() as unit:
        driver = await unit.session.get(Driver, driver_id)
        assert driver is not None
        driver.closed_at = None
    world.wait(days=30)
    assert await live_screen.look(world.context, driver_id, third) is None


async def test_it_is_read_again_after_every_connection_was_lost(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    sign_in_id = await sign_in(world, driver_id)
    assert await live_screen.look(world.context, driver_id, sign_in_id) == []
    await world.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert await live_screen.look(world.context, driver_id, sign_in_id) == []
