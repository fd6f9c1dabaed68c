"""A campaign is tried on a few named drivers before anybody else gets it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from parking.campaigns import repository
from parking.campaigns.errors import TestDriverError
from parking.campaigns.models import (
    Arm,
    CampaignRun,
    CampaignSend,
    CampaignTestDriver,
    RunState,
    SendState,
)
from parking.drivers import consents
from parking.drivers.consent_models import ConsentKind
from parking.flows.campaigns.life import checked_name, find_seen
from parking.flows.campaigns.scheduling import new_run
from parking.flows.context import ParkingContext
from parking.staff.rules import StaffIdentity

# Tests count in no cap and nobody approved them: they must not become campaigns of their own.
TESTS_A_DAY_MAX: Final = 20


async def add_test_driver(
    context: ParkingContext, staff: StaffIdentity, driver_id: UUID, label: str
) -> CampaignTestDriver:
    """Name a driver who is shown campaigns beforehand; again writes the label anew.

    The driver tells the id, which only the own app shows, and agreed to offers as everybody else.

    Raises:
        TestDriverError: no such driver agreed to offers, or there are too many.
        InvalidInputError: the label does not fit.
    """
    name = checked_name(label)
    async with context.database.begin() as unit:
        if not await consents.hold(unit, driver_id, ConsentKind.MARKETING):
            raise TestDriverError("no such driver agreed to offers")
        known = await repository.test_drivers(unit, staff.operator_id)
        is_new = driver_id not in {row.driver_id for row in known}
        if is_new and len(known) >= repository.TEST_DRIVERS_MAX:
            raise TestDriverError(f"at most {repository.TEST_DRIVERS_MAX} test drivers")
        row = CampaignTestDriver(
            operator_id=staff.operator_id,
            driver_id=driver_id,
            label=name,
            added_by=staff.recorded_name,
            added_at=unit.now(),
        )
        statement = insert(CampaignTestDriver).values(row.model_dump())
        await unit.run(
            statement.on_conflict_do_update(
                index_elements=["operator_id", "driver_id"], set_={"label": name}
            )
        )
    return row


async def remove_test_driver(
    context: ParkingContext, staff: StaffIdentity, driver_id: UUID
) -> bool:
    """Take a test driver off the list; returns whether there was one."""
    async with context.database.begin() as unit:
        statement = delete(CampaignTestDriver).where(
            col(CampaignTestDriver.operator_id) == staff.operator_id,
            col(CampaignTestDriver.driver_id) == driver_id,
        )
        return (await unit.run(statement)).rowcount == 1


async def list_test_drivers(
    context: ParkingContext, staff: StaffIdentity
) -> Sequence[CampaignTestDriver]:
    """Return the operator's test drivers."""
    async with context.database.begin() as unit:
        return await repository.test_drivers(unit, staff.operator_id)


async def send_test(context: ParkingContext, staff: StaffIdentity, campaign_id: UUID) -> int:
    """Send a campaign as it stands to the test drivers; returns to how many.

    It counts in no cap, no budget and no result, and gives away nothing that is attached.

    Raises:
        CampaignUnknownError: there is none that the member sees.
        TestDriverError: there is no test driver, or TESTS_A_DAY_MAX went out already.
    """
    async with context.database.begin() as unit:
        campaign = await find_seen(unit, staff, campaign_id)
        drivers = await repository.test_drivers(unit, staff.operator_id)
        if not drivers:
            raise TestDriverError("name a test driver first")
        now = unit.now()
        tests = await repository.count_tests(unit, staff.operator_id, now - timedelta(days=1))
        if tests >= TESTS_A_DAY_MAX:
            raise TestDriverError(f"at most {TESTS_A_DAY_MAX} tests in 24 hours")
        run: CampaignRun = new_run(unit, campaign, repository.TEST_RUN)
        run.occurrence += str(run.id)
        run.state, run.queued_at, run.queued = RunState.QUEUED, now, len(drivers)
        await repository.begin_run(unit, run)
        for driver in drivers:
            send = CampaignSend(
                operator_id=staff.operator_id,
                id=run.id,
                driver_id=driver.driver_id,
                campaign_id=campaign.id,
                arm=Arm.TEST,
                state=SendState.QUEUED,
                local_day=now.date(),
                not_before=now,
                assigned_at=now,
            )
            unit.session.add(send)
    return len(drivers)
