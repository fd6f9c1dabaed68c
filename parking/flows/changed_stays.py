"""Of many stays that somebody watches, those of which no poke told that something happened."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.kit.one_statement import OneStatement

ASKED_AT_ONCE_MAX: Final = 250

# Sign-ins come as one text a stay: a driver's lists have different lengths.
# Numbers of those that are not as they were known.
_CHANGED: Final = OneStatement("""
    SELECT asked.number
    FROM unnest(
        CAST(:driver_ids AS uuid[]), CAST(:session_ids AS uuid[]),
        CAST(:versions AS integer[]), CAST(:sign_in_ids AS text[])
    ) WITH ORDINALITY AS asked (driver_id, session_id, version, sign_in_ids, number)
    LEFT JOIN driver_stays AS stay
        ON stay.driver_id = asked.driver_id AND stay.session_id = asked.session_id
    LEFT JOIN sessions AS session
        ON session.operator_id = stay.operator_id AND session.id = stay.session_id
    WHERE session.version IS DISTINCT FROM asked.version
        OR cardinality(CAST(asked.sign_in_ids AS uuid[])) <> (
            SELECT count(*) FROM sign_ins JOIN drivers ON drivers.id = sign_ins.driver_id
            WHERE sign_ins.driver_id = asked.driver_id
                AND sign_ins.id = ANY (CAST(asked.sign_in_ids AS uuid[]))
                AND sign_ins.revoked_at IS NULL AND sign_ins.expires_at > :now
                AND drivers.closed_at IS NULL
        )
""")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a stay that a driver's devices watch.

    Attributes:
        version: As it was read last.
        sign_in_ids: Of the devices.
    """

    driver_id: UUID
    session_id: UUID
    version: int
    sign_in_ids: frozenset[UUID]


async def find_changed(context: ParkingContext, known: Sequence[Known]) -> frozenset[int]:
    """Return which of at most ASKED_AT_ONCE_MAX stays, by number, are to be read anew.

    Something happened to them, they are the driver's no more, or a sign-in has ended.

    Raises:
        DatabaseUnavailableError: PostgreSQL does not answer.
    """
    rows = await context.database.read_quickly(
        _CHANGED,
        {
            "driver_ids": [one.driver_id for one in known],
            "session_ids": [one.session_id for one in known],
            "versions": [one.version for one in known],
            "sign_in_ids": ["{" + ",".join(map(str, one.sign_in_ids)) + "}" for one in known],
            "now": context.clock.now(),
        },
    )
    # PostgreSQL counts from 1.
    return frozenset(row["number"] - 1 for row in rows)
