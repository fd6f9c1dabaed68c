"""Stays that somebody watches, many in one statement: what is new, and who may still see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Final
from uuid import UUID

import orjson

from parking.events.outbox import CATCH_UP_MAX
from parking.flows import driver_view
from parking.flows.context import ParkingContext
from parking.flows.driver_view import SessionView
from parking.flows.live_screen import STAY_COLUMNS, STAY_JOINS, versions_for, view_of
from parking.kit.one_statement import OneStatement
from parking.kit.quick_reads import Row

READ_AT_ONCE_MAX: Final = 200

# Sign-ins come as one text a stay: a driver's lists have different lengths.
_READ: Final = OneStatement(f"""
    SELECT {STAY_COLUMNS},
        ARRAY(
            SELECT sign_ins.id FROM sign_ins JOIN drivers ON drivers.id = sign_ins.driver_id
            WHERE sign_ins.driver_id = asked.driver_id
                AND sign_ins.id = ANY (CAST(asked.sign_in_ids AS uuid[]))
                AND sign_ins.revoked_at IS NULL AND sign_ins.expires_at > :now
                AND drivers.closed_at IS NULL
        ) AS standing,
        CASE WHEN asked.after_version < session.version THEN (
            SELECT json_agg(
                json_build_array(told.version, told.type, told.occurred_at) ORDER BY told.version
            )
            FROM (
                SELECT version, type, occurred_at FROM outbox
                WHERE outbox.owner_id = session.operator_id AND outbox.subject_id = session.id
                    AND outbox.version > asked.after_version
                ORDER BY outbox.version LIMIT :changes
            ) AS told
        ) END AS changes
    FROM unnest(
        CAST(:driver_ids AS uuid[]), CAST(:session_ids AS uuid[]),
        CAST(:after_versions AS integer[]), CAST(:sign_in_ids AS text[])
    ) WITH ORDINALITY AS asked (driver_id, session_id, after_version, sign_in_ids, number)
    LEFT JOIN driver_stays AS stay
        ON stay.driver_id = asked.driver_id AND stay.session_id = asked.session_id
    {STAY_JOINS}
    ORDER BY asked.number
""")  # noqa: S608 - words of ours


@dataclass(frozen=True, slots=True)
class Asked:
    """A stay that a driver's devices watch.

    Attributes:
        after_version: What happened after it is read too; None for nothing.
        sign_in_ids: Of the devices.
    """

    driver_id: UUID
    session_id: UUID
    after_version: int | None
    sign_in_ids: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class StayChange:
    """One change of a stay."""

    version: int
    type: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """A stay at the moment of reading.

    Attributes:
        view: None where it is not the driver's, as where there is none.
        changes: What happened after the version that was asked for, oldest first; at most
            `outbox.CATCH_UP_MAX`. The view is never older than the last of them.
        standing: Those of the sign-ins that have not ended.
    """

    view: SessionView | None
    changes: tuple[StayChange, ...]
    standing: frozenset[UUID]


async def read_watched(context: ParkingContext, asked: Sequence[Asked]) -> list[Seen]:
    """Return what each of at most READ_AT_ONCE_MAX drivers sees of the stay that they asked for.

    Raises:
        DatabaseUnavailableError: PostgreSQL does not answer.
    """
    now = context.clock.now()
    rows = await context.database.read_quickly(
        _READ,
        {
            "driver_ids": [one.driver_id for one in asked],
            "session_ids": [one.session_id for one in asked],
            "after_versions": [one.after_version for one in asked],
            "sign_in_ids": [_array(one.sign_in_ids) for one in asked],
            "changes": CATCH_UP_MAX,
            "now": now,
        },
    )
    found = [row for row in rows if row["operator_id"] is not None]
    versions = await versions_for(context, found)
    views = {
        row["session_id"]: view_of(context, row, versions, now)
        for row in found
        if not row["has_refunds"]
    }
    return [await _seen(context, one, row, views) for one, row in zip(asked, rows, strict=True)]


async def _seen(
    context: ParkingContext, asked: Asked, row: Row, views: Mapping[UUID, SessionView]
) -> Seen:
    view = views.get(asked.session_id) if row["session_id"] is not None else None
    if row["has_refunds"]:
        # Hardly any stay has one while it is watched.
        view = await driver_view.find_session(context, asked.driver_id, asked.session_id)
    changes = tuple(
        StayChange(version, kind, datetime.fromisoformat(occurred_at))
        for version, kind, occurred_at in orjson.loads(row["changes"] or "[]")
    )
    return Seen(_looked_ahead_once(view), changes, frozenset(row["standing"]))


def _looked_ahead_once(view: SessionView | None) -> SessionView | None:
    """Let the bill's next change be found once: for the timer, and for whoever asks."""
    if view is None or view.bill.find_change is None:
        return view
    return replace(view, bill=replace(view.bill, find_change=cache(view.bill.find_change)))


def _array(ids: frozenset[UUID]) -> str:
    """Return ids as PostgreSQL writes an array."""
    return "{" + ",".join(map(str, ids)) + "}"
