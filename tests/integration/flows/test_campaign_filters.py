"""Every clause means in the database what it says."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from parking.campaigns.filter_sql import Compiled
from parking.campaigns.filters import read_filter
from parking.drivers.models import DriverStay
from parking.kit.ids import new_id
from parking.merchants.models import Merchant, MerchantValidation
from parking.passes.models import AssignedRight, DriverRight, PassState, RightSpecification
from parking.passes.periods import PeriodKind
from tests.factories.campaign_world import CampaignWorld, open_campaign_world


@pytest.fixture
async def world(database_url: str, valkey_url: str) -> AsyncGenerator[CampaignWorld]:
    async with open_campaign_world(database_url, valkey_url) as opened:
        yield opened


async def meant(
    world: CampaignWorld, data: dict[str, Any], place_id: UUID | None = None
) -> set[UUID]:
    compiled = Compiled(world.clock.now(), place_id=place_id)
    condition = compiled.condition(read_filter(data))
    sql = f"SELECT member.driver_id FROM audience_members AS member WHERE {condition}"  # noqa: S608 - our own text
    async with world.context.database.begin() as unit:
        return {row.driver_id for row in await unit.run(text(sql), compiled.values)}


async def test_facts_of_visits(world: CampaignWorld) -> None:
    [often] = await world.add_drivers(1, visits=8, days_ago=3)
    [seldom] = await world.add_drivers(1, visits=1, days_ago=40)
    place = str(world.place_id)
    for data, expected in (
        ({"kind": "everybody"}, {often, seldom}),
        ({"kind": "recency", "withinDays": 7}, {often}),
        ({"kind": "recency", "notWithinDays": 7}, {seldom}),
        ({"kind": "visits", "atLeast": 2}, {often}),
        ({"kind": "visits", "atMost": 1}, {seldom}),
        ({"kind": "spend", "currency": "CNY", "atLeastMinor": 4000}, {often}),
        ({"kind": "spend", "currency": "CNY", "atMostMinor": 500}, {seldom}),
        ({"kind": "spend", "currency": "EUR", "atMostMinor": 0}, {often, seldom}),
        ({"kind": "place", "placeIds": [place]}, {often, seldom}),
        ({"kind": "place", "placeIds": [place], "visitsAtLeast": 2}, {often}),
        ({"kind": "place", "placeIds": [place], "withinDays": 10}, {often}),
        ({"kind": "place", "placeIds": [str(uuid4())]}, set[UUID]()),
        ({"kind": "vehicle", "kinds": ["car", "ev"]}, {often, seldom}),
        ({"kind": "vehicle", "kinds": ["ev"]}, set[UUID]()),
        ({"kind": "not", "that": {"kind": "visits", "atLeast": 2}}, {seldom}),
        (
            {
                "kind": "any",
                "of": [{"kind": "visits", "atLeast": 99}, {"kind": "recency", "withinDays": 7}],
            },
            {often},
        ),
        (
            {
                "kind": "all",
                "of": [{"kind": "everybody"}, {"kind": "not", "that": {"kind": "pass"}}],
            },
            {often, seldom},
        ),
    ):
        assert await meant(world, data) == expected, data


async def test_of_one_place_only_what_was_done_there_counts(world: CampaignWorld) -> None:
    [driver] = await world.add_drivers(1, visits=8, days_ago=3)
    hill = uuid4()
    await world.rows(
        "INSERT INTO audience_places (operator_id, driver_id, place_id, visits, last_visit_at,"
        " spent_minor, currency) VALUES (:operator, :driver, :hill, 1, :at, 100, 'CNY')"
        " RETURNING 1",
        operator=world.operator_id,
        driver=driver,
        hill=hill,
        at=world.clock.now() - timedelta(days=40),
    )
    for data, is_there in (
        ({"kind": "recency", "withinDays": 7}, False),
        ({"kind": "recency", "notWithinDays": 7}, True),
        ({"kind": "visits", "atLeast": 2}, False),
        ({"kind": "spend", "currency": "CNY", "atLeastMinor": 101}, False),
        ({"kind": "spend", "currency": "CNY", "atLeastMinor": 100}, True),
        ({"kind": "merchant", "categories": ["food"], "withinDays": 90}, False),
    ):
        assert bool(await meant(world, data, hill)) is is_there, data
        assert bool(await meant(world, data)) is (
            data["kind"] != "merchant" and "notWithinDays" not in data
        ), data


async def test_what_is_not_known_is_not_so_in_either_direction(world: CampaignWorld) -> None:
    [driver] = await world.add_drivers(1)
    await world.rows("UPDATE audience_members SET last_visit_at = NULL RETURNING 1")
    recent = {"kind": "recency", "withinDays": 7}
    assert await meant(world, recent) == set()
    assert await meant(world, {"kind": "recency", "notWithinDays": 7}) == set()
    assert await meant(world, {"kind": "not", "that": recent}) == {driver}


async def add_pass(world: CampaignWorld, driver_id: UUID) -> UUID:
    """Let a driver hold a pass until tomorrow; returns its product."""
    now = world.clock.now()
    async with world.context.database.begin() as unit:
        product = RightSpecification(
            operator_id=world.operator_id,
            id=new_id(now),
            name="Month",
            place_ids=[str(world.place_id)],
            timezone="Asia/Shanghai",
            weekdays=[1],
            from_minute=0,
            to_minute=1440,
            price_minor=0,
            currency="CNY",
            period=PeriodKind.CALENDAR_MONTH,
            is_prorated=False,
            plates_max=1,
            spaces=1,
            renews_by_default=False,
            notice_days=0,
            retry_days=[],
            grace_days=0,
            is_on_sale=True,
            created_at=now,
            created_by="a test",
        )
        unit.session.add(product)
        await unit.session.flush()
        held = AssignedRight(
            operator_id=world.operator_id,
            id=new_id(now),
            specification_id=product.id,
            driver_id=driver_id,
            state=PassState.ACTIVE,
            renews=False,
            first_day=now.date(),
            starts_at=now - timedelta(days=1),
            paid_until=now + timedelta(days=1),
            price_minor=0,
            created_at=now,
        )
        unit.session.add(held)
        unit.session.add(
            DriverRight(
                driver_id=driver_id,
                right_id=held.id,
                operator_id=world.operator_id,
                request_key="a test",
            )
        )
    return product.id


async def add_validation(world: CampaignWorld, driver_id: UUID, category: str) -> None:
    """Let a merchant validate a stay of a driver."""
    now = world.clock.now()
    async with world.context.database.begin() as unit:
        merchant = Merchant(
            operator_id=world.operator_id,
            id=new_id(now),
            name="Noodles",
            category=category,
            timezone="Asia/Shanghai",
            currency="CNY",
            created_by="a test",
            created_at=now,
        )
        unit.session.add(merchant)
        await unit.session.flush()
        stay = DriverStay(
            driver_id=driver_id,
            session_id=new_id(now),
            operator_id=world.operator_id,
            entered_at=now,
        )
        unit.session.add(stay)
        unit.session.add(
            MerchantValidation(
                operator_id=world.operator_id,
                id=new_id(now),
                merchant_id=merchant.id,
                session_id=stay.session_id,
                validation="noodles",
                amount_minor=0,
                month="2026-05",
                way="till",
                granted_at=now,
            )
        )


async def test_passes_and_merchants(world: CampaignWorld) -> None:
    holder, guest = await world.add_drivers(2)
    product = await add_pass(world, holder)
    assert await meant(world, {"kind": "pass"}) == {holder}
    assert await meant(world, {"kind": "pass", "productIds": [str(product)]}) == {holder}
    assert await meant(world, {"kind": "pass", "productIds": [str(uuid4())]}) == set()
    world.clock.advance(timedelta(days=2))
    assert await meant(world, {"kind": "pass"}) == set()
    await add_validation(world, guest, "restaurant")
    merchant = {"kind": "merchant", "categories": ["restaurant"], "withinDays": 30}
    assert await meant(world, merchant) == {guest}
    assert await meant(world, merchant, world.place_id) == set()
    await world.rows(
        "INSERT INTO sessions (operator_id, id, place_id, plate_index, plate_sealed,"
        " rate_table_id, entry_presentation_id, state, version, entered_at, circumstances)"
        " SELECT operator_id, session_id, :place, session_id, '', session_id, session_id,"
        " 'left', 1, entered_at, '{}' FROM driver_stays RETURNING 1",
        place=world.place_id,
    )
    assert await meant(world, merchant, world.place_id) == {guest}
    assert await meant(world, merchant, uuid4()) == set()
    assert await meant(world, merchant | {"categories": ["gym"]}) == set()
    world.clock.advance(timedelta(days=31))
    assert await meant(world, merchant) == set()
