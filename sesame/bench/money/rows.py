"""Reads everything that the promises are about, as it stood at one moment."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from parking.kit.database import UnitOfWork
from parking.payments import balances

Row = Mapping[str, Any]

_COMMANDS: Final = """
SELECT c.*, l.direction, s.exit_presentation_id,
    coalesce((
        SELECT min(o.occurred_at) FROM outbox o
        WHERE o.owner_id = s.operator_id AND o.subject_id = s.id
        AND o.type IN ('SessionEnded', 'SessionCancelled')
    ), s.left_at) AS over_known_at,
    coalesce((
        SELECT min(e.received_at) FROM lane_events e
        WHERE e.operator_id = p.operator_id AND e.presentation_id = p.id
        AND e.kind = 'presentation' AND e.occurred_at = p.cleared_at
    ), p.cleared_at) AS clear_known_at
FROM gate_commands c
JOIN access_lanes l ON l.operator_id = c.operator_id AND l.id = c.lane_id
JOIN presentations p ON p.operator_id = c.operator_id AND p.id = c.presentation_id
LEFT JOIN sessions s ON s.operator_id = c.operator_id AND s.id = c.session_id
ORDER BY c.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Everything in our own books that the promises are about.

    Attributes:
        commands: Orders to open, each with its lane's direction, and with when we heard that the
            car was gone (`clear_known_at`) and that the stay was over (`over_known_at`), and with
            where it left (`exit_presentation_id`).
        stays: With their circumstances.
        coupons: Validations that were kept.
        credit: Each driver's account at each operator.
        policies: How operators let that credit grow.
        overrides: Cars that a named person let out.
        collections: Bills that a partner's own bill is charged in place of.
        balances: What the product itself says of each account, by operator.
    """

    bills: Sequence[Row]
    attempts: Sequence[Row]
    refunds: Sequence[Row]
    transfers: Sequence[Row]
    commands: Sequence[Row]
    stays: Sequence[Row] = ()
    coupons: Sequence[Row] = ()
    credit: Sequence[Row] = ()
    policies: Sequence[Row] = ()
    overrides: Sequence[Row] = ()
    collections: Sequence[Row] = ()
    balances: Mapping[object, Mapping[tuple[str, str], int]] = field(
        default_factory=dict[object, Mapping[tuple[str, str], int]]
    )


async def read_rows(unit: UnitOfWork, operators: Collection[UUID]) -> Rows:
    """Return the books of an installation that belongs to a bench or a test alone.

    The transaction must have read nothing yet.
    """
    # Else a payment that settles between two of these reads would look like a broken promise.
    await unit.run(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    return Rows(
        bills=await _all(unit, "SELECT * FROM bills ORDER BY id"),
        attempts=await _all(unit, "SELECT * FROM payment_attempts ORDER BY sent_at, id"),
        refunds=await _all(unit, "SELECT * FROM refunds ORDER BY id"),
        transfers=await _all(unit, "SELECT * FROM ledger_transfers ORDER BY id"),
        commands=await _all(unit, _COMMANDS),
        stays=await _all(unit, "SELECT operator_id, id, circumstances FROM sessions"),
        coupons=await _all(unit, "SELECT operator_id, session_id, name FROM session_validations"),
        credit=await _all(unit, "SELECT * FROM credit_accounts"),
        policies=await _all(unit, "SELECT * FROM credit_policies"),
        overrides=await _all(unit, "SELECT * FROM exit_overrides"),
        collections=await _all(unit, "SELECT * FROM partner_collections"),
        balances={
            operator_id: await balances.balances(unit, operator_id) for operator_id in operators
        },
    )


async def _all(unit: UnitOfWork, statement: str) -> list[dict[str, Any]]:
    return [dict(row) for row in (await unit.run(text(statement))).mappings()]
