"""Every query about the stays that providers are told of while they last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.payments.mandate_models import StayAnnouncement
from parking.payments.mandate_rows import MANDATES_PER_DRIVER_MAX
from parking.payments.models import Mandate, MandateState

DUE_MAX: Final = 50
# Doubled with every try: longer than a call takes, so that a try is over before the next.
RETRY_DELAY_MIN: Final = timedelta(seconds=10)
RETRY_DELAY_MAX: Final = timedelta(hours=1)
_DOUBLINGS_MAX: Final = 12

# Another mandate of the plate takes over what was not charged: the provider is told for it.
_NOTE: Final = text(
    """
    INSERT INTO stay_announcements AS known
        (operator_id, session_id, provider, driver_id, mandate_id, tries, next_try_at)
    SELECT DISTINCT ON (provider)
        CAST(:operator_id AS uuid), CAST(:session_id AS uuid), provider, driver_id, id, 0,
        CAST(:now AS timestamptz)
    FROM mandates
    WHERE driver_id = :driver_id AND plate_index = :plate_index AND state = 'active'
        AND provider = ANY(:providers) AND (currency IS NULL OR currency = :currency)
    ORDER BY provider, position, id
    ON CONFLICT (operator_id, session_id, provider) DO UPDATE SET
        driver_id = excluded.driver_id, mandate_id = excluded.mandate_id, reference = NULL,
        tries = 0, next_try_at = excluded.next_try_at
    WHERE known.mandate_id <> excluded.mandate_id
        AND known.used_by IS NULL AND known.ended_at IS NULL
    """
)
_END: Final = text(
    """
    UPDATE stay_announcements SET ended_at = :ended_at, tries = 0, next_try_at = :now
    WHERE operator_id = :operator_id AND session_id = :session_id AND ended_at IS NULL
    """
)
_TAKE_DUE: Final = text(
    """
    UPDATE stay_announcements AS known SET
        tries = known.tries + 1,
        next_try_at = CAST(:now AS timestamptz) + least(
            CAST(:delay AS interval) * 2 ^ least(known.tries, CAST(:doublings AS integer)),
            CAST(:delay_max AS interval)
        )
    FROM (
        SELECT operator_id, session_id, provider FROM stay_announcements
        WHERE next_try_at <= :now AND provider = ANY(:providers)
        ORDER BY next_try_at LIMIT :rows FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE known.operator_id = due.operator_id AND known.session_id = due.session_id
        AND known.provider = due.provider
    RETURNING known.operator_id, known.session_id, known.provider
    """
)
# Not over another mandate, nor over an end, that came meanwhile.
_SETTLE: Final = text(
    """
    UPDATE stay_announcements SET
        reference = :reference,
        next_try_at = CASE
            WHEN ended_at IS NOT DISTINCT FROM CAST(:ended_at AS timestamptz) THEN NULL
            ELSE CAST(:now AS timestamptz)
        END
    WHERE operator_id = :operator_id AND session_id = :session_id AND provider = :provider
        AND mandate_id = :mandate_id
    """
)


@dataclass(frozen=True, slots=True)
class AnnouncementKey:
    """Which stay, and whom to tell."""

    operator_id: UUID
    session_id: UUID
    provider: str


async def note(
    unit: UnitOfWork,
    operator_id: UUID,
    session_id: UUID,
    *,
    driver_id: UUID,
    plate_index: UUID,
    currency: str,
    providers: Sequence[str],
) -> None:
    """Remember to tell these providers of a stay, for the driver's active mandates of the plate.

    Args:
        unit: The transaction.
        operator_id: The stay's owner.
        session_id: The stay.
        driver_id: Whose plate it is.
        plate_index: The plate.
        currency: What the stay is paid in.
        providers: Those that want to know, and charge in that currency.
    """
    values = {
        "operator_id": operator_id,
        "session_id": session_id,
        "driver_id": driver_id,
        "plate_index": plate_index,
        "currency": currency,
        "providers": list(providers),
        "now": unit.now(),
    }
    await unit.run(_NOTE, values)


async def end(unit: UnitOfWork, operator_id: UUID, session_id: UUID, ended_at: datetime) -> None:
    """Remember to tell whoever was told of a stay that it has ended."""
    values = {"operator_id": operator_id, "session_id": session_id}
    await unit.run(_END, values | {"ended_at": ended_at, "now": unit.now()})


async def take_due(unit: UnitOfWork, providers: Sequence[str]) -> list[AnnouncementKey]:
    """Take what is to be told now; what is not done comes again, ever later."""
    values = {
        "now": unit.now(),
        "providers": list(providers),
        "rows": DUE_MAX,
        "delay": RETRY_DELAY_MIN,
        "delay_max": RETRY_DELAY_MAX,
        "doublings": _DOUBLINGS_MAX,
    }
    rows = await unit.run(_TAKE_DUE, values)
    return [AnnouncementKey(row.operator_id, row.session_id, row.provider) for row in rows]


async def find(unit: UnitOfWork, key: AnnouncementKey) -> StayAnnouncement | None:
    """Return what is known of a stay at a provider."""
    return await unit.session.get(StayAnnouncement, (key.operator_id, key.session_id, key.provider))


async def settle(unit: UnitOfWork, known: StayAnnouncement, reference: str | None) -> None:
    """Write down that a provider knows all of the stay as it was known here."""
    values = {
        "operator_id": known.operator_id,
        "session_id": known.session_id,
        "provider": known.provider,
        "mandate_id": known.mandate_id,
        "ended_at": known.ended_at,
        "reference": reference,
        "now": unit.now(),
    }
    await unit.run(_SETTLE, values)


async def find_chargeable(
    unit: UnitOfWork, driver_id: UUID, operator_id: UUID, session_id: UUID | None
) -> list[tuple[Mandate, StayAnnouncement | None]]:
    """Return a driver's mandates that have not ended, each with what its provider knows of a stay.

    In the driver's order; a pass has no stay.
    """
    statement = (
        select(Mandate, StayAnnouncement)
        .outerjoin(
            StayAnnouncement,
            (col(StayAnnouncement.operator_id) == operator_id)
            & (col(StayAnnouncement.session_id) == session_id)
            & (col(StayAnnouncement.provider) == col(Mandate.provider)),
        )
        .where(col(Mandate.driver_id) == driver_id)
        .where(col(Mandate.state) != MandateState.REVOKED)
        .order_by(col(Mandate.position), col(Mandate.id))
        .limit(MANDATES_PER_DRIVER_MAX)
    )
    return [(mandate, known) for mandate, known in (await unit.session.exec(statement)).all()]
