"""An operator with a place and drivers who agreed to offers, an author, an approver, a clock."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from parking.campaigns import repository
from parking.campaigns.document import read_document
from parking.campaigns.models import (
    AudienceMember,
    AudiencePlace,
    Campaign,
    CampaignRun,
    RunState,
)
from parking.campaigns.triggers import first_run_at
from parking.drivers.consent_models import ConsentKind, ConsentSource, DriverConsent
from parking.drivers.models import Driver
from parking.events.bus import Bus, open_valkey
from parking.flows.campaigns import delivering, life, scheduling
from parking.flows.campaigns.life import Draft
from parking.flows.context import ParkingContext
from parking.kit.clock import ManualClock
from parking.kit.crypto import Vault
from parking.kit.database import Database
from parking.kit.ids import new_id
from parking.notices.models import NoticeBook
from parking.places import service as places
from parking.staff.rules import Role, StaffIdentity

VAULT: Final = Vault(field_key=b"f" * 32, index_key=b"i" * 32)
# A Tuesday, ten in the morning in Shanghai.
START: Final = datetime(2026, 5, 5, 2, 0, tzinfo=UTC)
ZONE: Final = "Asia/Shanghai"
EVERYBODY: Final[dict[str, Any]] = {"kind": "everybody"}


def document(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - parts of a document
    """Return a campaign without holdout that is sent at once, to everybody."""
    return {
        "filter": EVERYBODY,
        "trigger": {"kind": "schedule", "at": "2026-05-01T09:00", "timezone": ZONE},
        "content": {
            "en": {"title": "Room at {place}", "body": "{operator} keeps a space for you."},
            "zh": {"title": "{place}有空位", "body": "{operator}为您留了车位。"},
        },
        "holdout_permille": 0,
        "budget": {"messages_max": 1000, "currency": "CNY", "message_minor": 5},
        **changes,
    }


@dataclass
class CampaignWorld:
    """One test's surroundings."""

    context: ParkingContext
    clock: ManualClock
    operator_id: UUID
    place_id: UUID
    names: list[str] = field(default_factory=list[str])

    def staff(
        self, name: str, *roles: Role, places: frozenset[UUID] | None = None
    ) -> StaffIdentity:
        return StaffIdentity(
            operator_id=self.operator_id,
            name=name,
            roles=frozenset(roles or (Role.MARKETING_AUTHOR,)),
            expires_at=self.clock.now() + timedelta(days=1),
            places=places,
        )

    @property
    def author(self) -> StaffIdentity:
        return self.staff("Ada")

    @property
    def approver(self) -> StaffIdentity:
        return self.staff("Bob", Role.MARKETING_APPROVER)

    async def add_drivers(
        self,
        count: int,
        *,
        visits: int = 3,
        days_ago: int = 2,
        quiet: tuple[time, time] | None = None,
        locale: str = "zh",
        operator_ids: Sequence[UUID] = (),
    ) -> list[UUID]:
        """Add drivers who agreed to offers and are in the audience."""
        now = self.clock.now()
        ids = [new_id(now) for _ in range(count)]
        async with self.context.database.begin() as unit:
            unit.session.add_all([Driver(id=each, locale=locale, created_at=now) for each in ids])
            await unit.session.flush()
            for each in ids:
                unit.session.add(
                    DriverConsent(
                        driver_id=each,
                        kind=ConsentKind.MARKETING,
                        text_version="1",
                        source=ConsentSource.APP,
                        given_at=now,
                    )
                )
                if quiet is not None:
                    book = NoticeBook(
                        driver_id=each,
                        quiet_starts_at=quiet[0],
                        quiet_ends_at=quiet[1],
                        quiet_timezone=ZONE,
                    )
                    unit.session.add(book)
                for operator_id in operator_ids or (self.operator_id,):
                    self._add_member(unit.session, operator_id, each, visits, days_ago)
        return ids

    def _add_member(
        self, session: AsyncSession, operator_id: UUID, driver_id: UUID, visits: int, days_ago: int
    ) -> None:
        seen_at = self.clock.now() - timedelta(days=days_ago)
        session.add(
            AudienceMember(
                operator_id=operator_id,
                driver_id=driver_id,
                timezone=ZONE,
                visits=visits,
                last_visit_at=seen_at,
                vehicle_kinds=["car"],
                refreshed_at=self.clock.now(),
            )
        )
        session.add(
            AudiencePlace(
                operator_id=operator_id,
                driver_id=driver_id,
                place_id=self.place_id,
                visits=visits,
                last_visit_at=seen_at,
                spent_minor=visits * 500,
                currency="CNY",
            )
        )

    async def run_campaign(self, **changes: Any) -> Campaign:  # noqa: ANN401 - as `document`
        """Write, submit, approve; as if its filter meant many drivers."""
        self.names.append(f"Campaign {len(self.names) + 1}")
        draft = Draft(self.names[-1], None, document(**changes))
        campaign = await life.write_draft(self.context, self.author, draft)
        campaign = await life.submit(self.context, self.author, campaign.id, campaign.version)
        approval = first_run_at(read_document(campaign.document).trigger, self.clock.now())
        await self.rows(
            "UPDATE campaigns SET state = 'running', approved_by = 'Bob', approved_at = :now,"
            " approved_digest = md5(document::text), next_run_at = :first, version = version + 1"
            " WHERE id = :id RETURNING 1",
            id=campaign.id,
            now=self.clock.now(),
            first=approval,
        )
        async with self.context.database.begin() as unit:
            return await unit.session.get_one(Campaign, (self.operator_id, campaign.id))

    async def sweep(self) -> int:
        """Queue and hand over what is due; returns how many messages went."""
        await scheduling.sweep(self.context)
        return await delivering.deliver_due(self.context)

    async def begin_run(self, campaign: Campaign) -> CampaignRun:
        """Add a run of a campaign that nobody queues yet."""
        async with self.context.database.begin() as unit:
            run = scheduling.new_run(unit, campaign, "a test's")
            unit.session.add(run)
        assert run.state is RunState.QUEUEING
        return run

    async def set_control(self, permille: int) -> None:
        """Let so many of a thousand drivers be written to by no campaign."""
        async with self.context.database.begin() as unit:
            policy = await repository.find_policy(unit, self.operator_id)
            policy.control_permille = permille
            unit.session.add(policy)

    async def rows(self, sql: str, **values: object) -> list[dict[str, Any]]:
        async with self.context.database.begin() as unit:
            return [dict(row) for row in (await unit.run(text(sql), values)).mappings()]

    async def states(self, campaign: Campaign) -> dict[str, int]:
        """Return what became of a campaign's drivers: how many stand in which state."""
        rows = await self.rows(
            "SELECT state, count(*) AS n FROM campaign_sends WHERE campaign_id = :id"
            " GROUP BY state",
            id=campaign.id,
        )
        return {row["state"]: row["n"] for row in rows}


@asynccontextmanager
async def open_campaign_world(
    database_url: str, valkey_url: str, *, connections_max: int = 6
) -> AsyncGenerator[CampaignWorld]:
    """Open the world on a migrated database."""
    clock, redis = ManualClock(START), open_valkey(valkey_url)
    database = Database(database_url, clock=clock, vault=VAULT, connections_max=connections_max)
    context = ParkingContext(
        database=database,
        clock=clock,
        vault=VAULT,
        bus=Bus(redis),
        providers={},
        checkout_provider=None,
        public_url="",
    )
    async with database.begin() as unit:
        operator = places.add_operator(unit, "Blue Heron")
        await unit.session.flush()
        place = places.add_place(unit, operator.id, name="Quay", timezone=ZONE, currency="CNY")
    world = CampaignWorld(context, clock, operator.id, place.id)
    # Chance keeps nobody out, where a test does not ask for it.
    await world.set_control(0)
    try:
        yield world
    finally:
        await database.close()
        await redis.aclose()
