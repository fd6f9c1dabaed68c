"""What must be settled before an account can be deleted: nobody's money is lost by it."""

from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import text

from parking.kit.database import UnitOfWork


class DeletionObstacle(StrEnum):
    """Why an account cannot be deleted yet.

    Attributes:
        OPEN_STAY: A car is parked, or a gate without network told of it and it is not drawn up yet.
    """

    OPEN_STAY = "open_stay"
    AMOUNT_OWED = "amount_owed"
    PAYMENT_IN_PROGRESS = "payment_in_progress"
    DISPUTE_OPEN = "dispute_open"
    PASS_HELD = "pass_held"  # noqa: S105 - a reason, not a secret


_FIND: Final = text("""
    SELECT
        EXISTS (SELECT FROM driver_stays WHERE driver_id = :driver_id AND left_at IS NULL)
            OR EXISTS (
                SELECT FROM driver_plates
                JOIN offline_passages ON offline_passages.plate_index = driver_plates.plate_index
                WHERE driver_plates.driver_id = :driver_id AND driver_plates.unbound_at IS NULL
                    AND offline_passages.state = 'pending'
            ) AS open_stay,
        EXISTS (SELECT FROM owed_bills WHERE driver_id = :driver_id) AS amount_owed,
        EXISTS (
            SELECT FROM payment_attempts
            WHERE driver_id = :driver_id AND state IN ('sent', 'accepted', 'unknown')
        ) AS payment_in_progress,
        EXISTS (SELECT FROM driver_disputes WHERE driver_id = :driver_id AND closed_at IS NULL)
            AS dispute_open,
        EXISTS (
            SELECT FROM driver_rights
            JOIN assigned_rights ON assigned_rights.operator_id = driver_rights.operator_id
                AND assigned_rights.id = driver_rights.right_id
            WHERE driver_rights.driver_id = :driver_id
                AND assigned_rights.state IN ('pending', 'active', 'grace')
        ) AS pass_held
""")


async def find_obstacles(unit: UnitOfWork, driver_id: UUID) -> list[DeletionObstacle]:
    """Return what keeps the account from being deleted now."""
    row = (await unit.run(_FIND, {"driver_id": driver_id})).one()
    return [one for one in DeletionObstacle if getattr(row, one.value)]
