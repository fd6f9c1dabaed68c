"""Queued messages become due, are looked at once more, and go or do not go; a batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import text

from parking.campaigns.caps import EVERYBODY_DAY_MAX, EVERYBODY_WEEK_MAX, Caps
from parking.campaigns.events import CAMPAIGN_MESSAGE
from parking.campaigns.models import SendState
from parking.campaigns.queueing import RUNS_COUNTED
from parking.kit.database import UnitOfWork
from parking.kit.ids import floor_id

BATCH_MAX: Final = 200
# What is attached locks rows of its own in an order of its own: one message for each transaction.
ATTACHED_BATCH_MAX: Final = 1
OPEN_MAX: Final = 400
_SOON: Final = timedelta(minutes=1)
_UTC: Final = ZoneInfo("UTC")
# Those of a paused campaign stay where they are. Consents are held in the order of drivers, before
# anything else of theirs is locked.
_DUE: Final = text("""
    SELECT send.operator_id, send.id, send.driver_id, send.campaign_id, send.arm, send.local_day,
        send.not_before, send.assigned_at, campaign.state AS campaign_state,
        campaign.document, campaign.place_id, campaign.name AS campaign_name,
        coalesce(book.quiet_timezone, member.timezone) AS zone, driver.locale,
        operator.name AS operator_name, coalesce(member.visits, 0) AS visits,
        coalesce(place.name, '') AS place_name
    FROM campaign_sends AS send
    JOIN campaigns AS campaign
        ON campaign.operator_id = send.operator_id AND campaign.id = send.campaign_id
    JOIN operators AS operator ON operator.id = send.operator_id
    LEFT JOIN drivers AS driver ON driver.id = send.driver_id AND driver.closed_at IS NULL
    LEFT JOIN notice_books AS book ON book.driver_id = send.driver_id
    LEFT JOIN audience_members AS member
        ON member.operator_id = send.operator_id AND member.driver_id = send.driver_id
    LEFT JOIN LATERAL (
        SELECT places.name FROM places
        LEFT JOIN audience_places AS used ON used.operator_id = places.operator_id
            AND used.place_id = places.id AND used.driver_id = send.driver_id
        WHERE places.operator_id = send.operator_id
            AND (places.id = campaign.place_id
                OR campaign.place_id IS NULL AND used.driver_id IS NOT NULL)
        ORDER BY used.last_visit_at DESC NULLS LAST LIMIT 1
    ) AS place ON true
    WHERE send.state = 'queued' AND send.not_before <= :now
        AND (campaign.state <> 'paused' OR send.arm = 'test')
        AND (campaign.document->'attachment' IS NOT NULL) = :is_attached
    ORDER BY send.not_before LIMIT :rows FOR UPDATE OF send SKIP LOCKED
""")
_CONSENTS: Final = text("""
    SELECT driver_id FROM driver_consents
    WHERE driver_id = ANY(CAST(:drivers AS uuid[])) AND kind = 'marketing' AND withdrawn_at IS NULL
    ORDER BY driver_id FOR SHARE
""")
_TOLD: Final = text("""
    SELECT driver_id, operator_id, local_day, count(*) AS rows FROM campaign_sends
    WHERE driver_id = ANY(CAST(:drivers AS uuid[])) AND local_day >= :day_from
        AND arm = 'assigned' AND state IN ('queued', 'sent') AND id >= CAST(:runs_from AS uuid)
    GROUP BY driver_id, operator_id, local_day
""")
_SETTLE: Final = text("""
    UPDATE campaign_sends SET state = done.state, local_day = done.local_day,
        sent_at = CASE WHEN done.state = 'sent' THEN CAST(:now AS timestamptz) END,
        event_id = done.event_id
    FROM unnest(CAST(:operators AS uuid[]), CAST(:runs AS uuid[]), CAST(:drivers AS uuid[]),
        CAST(:states AS text[]), CAST(:days AS date[]), CAST(:events AS uuid[]))
        AS done(operator_id, id, driver_id, state, local_day, event_id)
    WHERE campaign_sends.operator_id = done.operator_id AND campaign_sends.id = done.id
        AND campaign_sends.driver_id = done.driver_id
""")
# Those that wait for the end of quiet hours stand in nobody's way.
_OPEN: Final = text("""
    SELECT count(*) FROM outbox
    WHERE done_at IS NULL AND type = :kind AND next_at <= CAST(:soon AS timestamptz)
""")


@dataclass(frozen=True, slots=True)
class DueSend:
    """One message that is due, with what is needed to write it.

    Attributes:
        local_day: For which it was counted.
        today: The driver's day now.
        locale: None for an account that is closed.
    """

    operator_id: UUID
    run_id: UUID
    driver_id: UUID
    campaign_id: UUID
    is_test: bool
    local_day: date
    today: date
    assigned_at: datetime
    not_before: datetime
    campaign_state: str
    document: dict[str, Any]
    place_id: UUID | None
    locale: str | None
    operator_name: str
    place_name: str
    visits: int


async def take_due(unit: UnitOfWork, *, is_attached: bool, rows_max: int) -> list[DueSend]:
    """Lock what is due, the oldest first; what another process has is left out.

    Args:
        unit: The transaction.
        is_attached: Of campaigns with something attached, or of those with nothing.
        rows_max: At most so many.
    """
    now = unit.now()
    rows = min(rows_max, ATTACHED_BATCH_MAX if is_attached else BATCH_MAX)
    found = await unit.run(_DUE, {"now": now, "rows": rows, "is_attached": is_attached})
    return [_due(row, now) for row in found]


async def hold_consents(unit: UnitOfWork, driver_ids: Sequence[UUID]) -> frozenset[UUID]:
    """Return who still agrees to offers, and let that hold until the transaction ends."""
    found = await unit.run(_CONSENTS, {"drivers": list(driver_ids)})
    return frozenset(row.driver_id for row in found)


class ToldDays:
    """What drivers are told on which of their days; whoever counts has locked CAPS_LOCK."""

    def __init__(self, counts: dict[tuple[UUID, UUID, date], int]) -> None:
        self._counts = counts

    @classmethod
    async def read(cls, unit: UnitOfWork, sends: Sequence[DueSend]) -> "ToldDays":
        """Return what the drivers of some messages are told in the weeks of today."""
        day_from = min(_monday(send.today) for send in sends)
        values = {
            "drivers": [send.driver_id for send in sends],
            "day_from": day_from,
            "runs_from": floor_id(unit.now() - RUNS_COUNTED),
        }
        return cls(
            {
                (row.driver_id, row.operator_id, row.local_day): int(row.rows)
                for row in await unit.run(_TOLD, values)
            }
        )

    def move(self, send: DueSend, caps: Caps) -> bool:
        """Count a message for today instead of its day, if the caps allow it."""
        was = (send.driver_id, send.operator_id, send.local_day)
        self._counts[was] = self._counts.get(was, 0) - 1
        monday = _monday(send.today)
        week = range(7)
        days = [monday + timedelta(days=number) for number in week]
        everybody = {day: self._of(send.driver_id, None, day) for day in days}
        operator = {day: self._of(send.driver_id, send.operator_id, day) for day in days}
        if (
            everybody[send.today] >= EVERYBODY_DAY_MAX
            or sum(everybody.values()) >= EVERYBODY_WEEK_MAX
            or operator[send.today] >= caps.day
            or sum(operator.values()) >= caps.week
        ):
            return False
        now = (send.driver_id, send.operator_id, send.today)
        self._counts[now] = self._counts.get(now, 0) + 1
        return True

    def _of(self, driver_id: UUID, operator_id: UUID | None, day: date) -> int:
        return sum(
            count
            for (driver, operator, on), count in self._counts.items()
            if driver == driver_id and on == day and operator_id in (None, operator)
        )


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a message.

    Attributes:
        event_id: Of what the notifications tell; None where nothing goes.
    """

    send: DueSend
    state: SendState
    event_id: UUID | None = None


async def settle(unit: UnitOfWork, settled: Sequence[Settled]) -> None:
    """Write down what became of messages."""
    sends = [one.send for one in settled]
    values = {
        "now": unit.now(),
        "operators": [send.operator_id for send in sends],
        "runs": [send.run_id for send in sends],
        "drivers": [send.driver_id for send in sends],
        "states": [one.state.value for one in settled],
        "days": [
            one.send.today if one.state is SendState.SENT else one.send.local_day for one in settled
        ],
        "events": [one.event_id for one in settled],
    }
    await unit.run(_SETTLE, values)


async def room_left(unit: UnitOfWork) -> int:
    """Return how many more messages the notifications may be given now.

    They take events in their order: what a driver at a gate must hear at once waits for no more
    than OPEN_MAX offers.
    """
    values = {"kind": CAMPAIGN_MESSAGE, "soon": unit.now() + _SOON}
    return max(0, OPEN_MAX - int((await unit.run(_OPEN, values)).scalar_one()))


def _due(row: Any, now: datetime) -> DueSend:  # noqa: ANN401 - a result row
    return DueSend(
        operator_id=row.operator_id,
        run_id=row.id,
        driver_id=row.driver_id,
        campaign_id=row.campaign_id,
        is_test=row.arm == "test",
        local_day=row.local_day,
        today=now.astimezone(_zone(row.zone)).date(),
        assigned_at=row.assigned_at,
        not_before=row.not_before,
        campaign_state=row.campaign_state,
        document=row.document,
        place_id=row.place_id,
        locale=row.locale,
        operator_name=row.operator_name,
        place_name=row.place_name,
        visits=int(row.visits),
    )


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return _UTC


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
