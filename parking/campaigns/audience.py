"""What is kept of the drivers who agreed to offers: counted anew from their stays, never added up.

A count that is made anew is right however often and in whatever order events tell of a stay.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import text

from parking.kit.database import UnitOfWork

REFRESHED_MAX: Final = 500
# Stays that were cancelled are no visits. The consent is held: its withdrawal comes before or
# after, and deletes what was written before.
_STAYS: Final = """
    FROM driver_stays AS stay
    JOIN sessions AS session ON session.operator_id = stay.operator_id
        AND session.id = stay.session_id AND session.state <> 'cancelled'
    JOIN places AS place ON place.operator_id = session.operator_id AND place.id = session.place_id
"""
_CONSENTED: Final = text("""
    SELECT driver_id FROM driver_consents
    WHERE driver_id = ANY(CAST(:drivers AS uuid[])) AND kind = 'marketing' AND withdrawn_at IS NULL
    ORDER BY driver_id FOR SHARE
""")
_PLACES: Final = text(f"""
    INSERT INTO audience_places (operator_id, driver_id, place_id, visits, last_visit_at,
        spent_minor, currency)
    SELECT stay.operator_id, stay.driver_id, session.place_id, count(*), max(stay.entered_at),
        coalesce(sum(bill.total_minor), 0), place.currency
    {_STAYS}
    LEFT JOIN LATERAL (
        SELECT total_minor FROM bills
        WHERE bills.operator_id = stay.operator_id AND bills.session_id = stay.session_id
            AND bills.state = 'paid' AND bills.currency = place.currency
        ORDER BY version DESC LIMIT 1
    ) AS bill ON true
    WHERE stay.driver_id = ANY(CAST(:drivers AS uuid[]))
    GROUP BY stay.operator_id, stay.driver_id, session.place_id, place.currency
    ON CONFLICT (operator_id, driver_id, place_id) DO UPDATE SET visits = excluded.visits,
        last_visit_at = excluded.last_visit_at, spent_minor = excluded.spent_minor,
        currency = excluded.currency
""")  # noqa: S608 - our own text
_MEMBERS: Final = text(f"""
    INSERT INTO audience_members (operator_id, driver_id, timezone, visits, last_visit_at,
        vehicle_kinds, refreshed_at)
    SELECT stay.operator_id, stay.driver_id,
        (array_agg(place.timezone ORDER BY stay.entered_at DESC))[1], count(*),
        max(stay.entered_at),
        jsonb_agg(DISTINCT coalesce(session.circumstances->'vehicle'->>'vehicle_class', 'car'))
            || CASE WHEN bool_or(session.circumstances->'vehicle'->>'is_ev' = 'true')
                THEN '["ev"]'::jsonb ELSE '[]'::jsonb END,
        CAST(:now AS timestamptz)
    {_STAYS}
    WHERE stay.driver_id = ANY(CAST(:drivers AS uuid[]))
    GROUP BY stay.operator_id, stay.driver_id
    ON CONFLICT (operator_id, driver_id) DO UPDATE SET timezone = excluded.timezone,
        visits = excluded.visits, last_visit_at = excluded.last_visit_at,
        vehicle_kinds = excluded.vehicle_kinds, refreshed_at = excluded.refreshed_at
""")
_FORGET: Final = tuple(
    text(f"DELETE FROM {table} WHERE driver_id = :driver_id")  # noqa: S608 - our own names
    for table in ("audience_places", "audience_members", "campaign_test_drivers")
)
# Whoever sends one of them right now waits for the consent, and finds it withdrawn.
_WITHDRAW: Final = text("""
    UPDATE campaign_sends SET state = 'withdrawn'
    WHERE (operator_id, id, driver_id) IN (
        SELECT operator_id, id, driver_id FROM campaign_sends
        WHERE driver_id = :driver_id AND state = 'queued' FOR UPDATE SKIP LOCKED
    )
""")


async def refresh(unit: UnitOfWork, driver_ids: Sequence[UUID]) -> int:
    """Write down anew what is known of those of some drivers who agreed; returns how many did.

    Again changes nothing. At most REFRESHED_MAX at a time.
    """
    values = {"drivers": list(driver_ids)[:REFRESHED_MAX]}
    agreed = [row.driver_id for row in await unit.run(_CONSENTED, values)]
    if agreed:
        values = {"drivers": agreed}
        await unit.run(_PLACES, values)
        await unit.run(_MEMBERS, {**values, "now": unit.now()})
    return len(agreed)


async def forget(unit: UnitOfWork, driver_id: UUID) -> None:
    """Delete what is kept of a driver who withdrew, and send nothing that waits."""
    for statement in _FORGET:
        await unit.run(statement, {"driver_id": driver_id})
    await unit.run(_WITHDRAW, {"driver_id": driver_id})
