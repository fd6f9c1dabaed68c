"""Every query about presentations, pictures, observations, commands and lane events."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BindParameter, String, any_, bindparam, case, exists, func, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from parking.kit.columns import Row, Timestamp
from parking.kit.crypto import KEY_ID, SEAL_BYTES
from parking.kit.database import UnitOfWork
from parking.kit.locks import lock
from parking.lanes.models import (
    ExitOverride,
    Frame,
    GateCommand,
    LaneConnection,
    LaneEventRow,
    Observation,
    Presentation,
    PresentationState,
)

CAMERA_READS_MAX = 20
# An operator's lanes have a car each; more are from lanes that lost their connection.
STANDING_MAX = 500
OVERRIDES_MAX = 100
# As it came: what sealing added does not count, and what came before is not sealed.
_PICTURE_BYTES = func.octet_length(col(Frame.image)) - case(
    (func.substr(col(Frame.image), 1, 1) == KEY_ID, SEAL_BYTES), else_=0
)


_EVENT: dict[str, BindParameter[Any]] = {
    column.name: bindparam(f"event_{column.name}", type_=column.type)
    for column in LaneEventRow.metadata.tables[LaneEventRow.__tablename__].columns
}
_HEARD_AT = bindparam("heard_at", type_=Timestamp)
_MOVED = (
    update(LaneConnection)
    .where(col(LaneConnection.operator_id) == _EVENT["operator_id"])
    .where(col(LaneConnection.lane_id) == _EVENT["lane_id"])
    .where(col(LaneConnection.last_seq) == _EVENT["seq"] - 1)
    .values(last_seq=_EVENT["seq"], heard_at=func.coalesce(_HEARD_AT, col(LaneConnection.heard_at)))
    .returning(col(LaneConnection.last_seq))
    .cte("moved")
)
# One statement, built once: a car causes half a dozen events.
_APPEND = (
    insert(LaneEventRow)
    .from_select(list(_EVENT), select(*_EVENT.values()).where(exists(select(_MOVED.c.last_seq))))
    .on_conflict_do_nothing()
)
_CONNECT = (
    insert(LaneConnection)
    .values(
        operator_id=bindparam("of_operator"),
        lane_id=bindparam("of_lane"),
        session_epoch=1,
        last_seq=0,
        bridge=bindparam("at_bridge"),
        connected_at=bindparam("at"),
    )
    .on_conflict_do_update(
        index_elements=["operator_id", "lane_id"],
        set_={
            "session_epoch": col(LaneConnection.session_epoch) + 1,
            "bridge": bindparam("at_bridge"),
            "connected_at": bindparam("at", type_=Timestamp),
        },
    )
    .returning(col(LaneConnection.session_epoch), col(LaneConnection.last_seq))
)
# Built once, too: every car asks.
_CLEAR_EARLIER = (
    update(Presentation)
    .where(col(Presentation.operator_id) == bindparam("of_operator"))
    .where(col(Presentation.lane_id) == bindparam("of_lane"))
    .where(col(Presentation.id) != bindparam("but_id"), col(Presentation.cleared_at).is_(None))
    .values(cleared_at=bindparam("at", type_=Timestamp), state=PresentationState.CLEARED)
)
_HAS_EVENT = select(
    exists(
        select(LaneEventRow.id)
        .where(col(LaneEventRow.operator_id) == bindparam("operator_id"))
        .where(col(LaneEventRow.presentation_id) == bindparam("presentation_id"))
        .where(col(LaneEventRow.lane_id) == bindparam("lane_id"))
        .where(col(LaneEventRow.kind) == any_(bindparam("kinds", type_=ARRAY(String))))
    )
)


@dataclass(frozen=True, slots=True)
class FrameFacts:
    """A picture without its bytes."""

    id: UUID
    captured_at: datetime
    content_type: str
    size_bytes: int


async def start_connection(
    unit: UnitOfWork, operator_id: UUID, lane_id: UUID, bridge: str
) -> tuple[int, int]:
    """Give the lane its next epoch; returns it with the last committed event number."""
    values = {
        "of_operator": operator_id,
        "of_lane": lane_id,
        "at_bridge": bridge,
        "at": unit.now(),
    }
    row = (await unit.run(_CONNECT, values)).one()
    return int(row.session_epoch), int(row.last_seq)


async def lock_connection(
    unit: UnitOfWork, operator_id: UUID, lane_id: UUID
) -> LaneConnection | None:
    """Lock the lane's connection: events of one lane commit one after the other."""
    return await lock(unit, LaneConnection, operator_id=operator_id, lane_id=lane_id)


async def lock_presentation(
    unit: UnitOfWork, operator_id: UUID, presentation_id: UUID
) -> Presentation | None:
    """Lock a presentation: whoever holds it decides."""
    return await lock(unit, Presentation, operator_id=operator_id, id=presentation_id)


async def clear_earlier(unit: UnitOfWork, presentation: Presentation) -> None:
    """A new car on the loop means that the one before is gone, seen or not."""
    values = {
        "of_operator": presentation.operator_id,
        "of_lane": presentation.lane_id,
        "but_id": presentation.id,
        "at": presentation.occupied_at,
    }
    await unit.run(_CLEAR_EARLIER, values)


async def find_presentation(
    unit: UnitOfWork, operator_id: UUID, presentation_id: UUID
) -> Presentation | None:
    """Return a presentation."""
    return await unit.session.get(Presentation, (operator_id, presentation_id))


async def find_observation(
    unit: UnitOfWork, operator_id: UUID, presentation: Presentation | None
) -> Observation | None:
    """Return the read that a presentation was decided on."""
    if presentation is None or presentation.observation_id is None:
        return None
    return await unit.session.get(Observation, (operator_id, presentation.observation_id))


async def find_frames(
    unit: UnitOfWork, operator_id: UUID, presentation_id: UUID, *, until: datetime, rows: int
) -> list[FrameFacts]:
    """Return a presentation's latest `rows` pictures that came by `until`, latest first.

    The reading stops as soon as the frames agree: the last one before the decision settled it.
    """
    statement = (
        select(Frame.id, Frame.captured_at, Frame.content_type, _PICTURE_BYTES)
        .where(col(Frame.operator_id) == operator_id)
        .where(col(Frame.presentation_id) == presentation_id)
        .where(col(Frame.received_at) <= until)
        .order_by(col(Frame.received_at).desc(), col(Frame.id).desc())
        .limit(rows)
    )
    return [FrameFacts(*row) for row in await unit.session.exec(statement)]


async def find_frame(
    unit: UnitOfWork, operator_id: UUID, frame_id: UUID, *, bytes_max: int
) -> Frame | None:
    """Return one picture; None where it is larger than `bytes_max`."""
    statement = (
        select(Frame)
        .where(col(Frame.operator_id) == operator_id, col(Frame.id) == frame_id)
        .where(bytes_max >= _PICTURE_BYTES)
    )
    return (await unit.session.exec(statement)).one_or_none()


async def insert_once(unit: UnitOfWork, row: Row) -> bool:
    """Insert a row unless its primary key exists; returns whether it was new."""
    table = type(row)
    return await unit.insert_new(table, {name: getattr(row, name) for name in table.model_fields})


async def find_camera_reads(
    unit: UnitOfWork, operator_id: UUID, presentation_id: UUID
) -> list[tuple[bytes, dict[str, Any]]]:
    """Return a camera's sealed reads, newest first, for a presentation without a decision."""
    presentation = await find_presentation(unit, operator_id, presentation_id)
    if presentation is None or presentation.decided_at is not None:
        return []
    statement = (
        select(LaneEventRow)
        .where(col(LaneEventRow.operator_id) == operator_id)
        .where(col(LaneEventRow.lane_id) == presentation.lane_id)
        .where(col(LaneEventRow.presentation_id) == presentation_id)
        .where(col(LaneEventRow.read_sealed).is_not(None))
        .order_by(col(LaneEventRow.seq).desc())
        .limit(CAMERA_READS_MAX)
    )
    return [
        (event.read_sealed, event.detail)
        for event in await unit.session.exec(statement)
        if event.read_sealed is not None
    ]


async def has_event(unit: UnitOfWork, presentation: Presentation, kinds: Collection[str]) -> bool:
    """Return whether the lane reported one of `kinds` for the car, however long ago."""
    values = {
        "operator_id": presentation.operator_id,
        "lane_id": presentation.lane_id,
        "presentation_id": presentation.id,
        "kinds": list(kinds),
    }
    return bool((await unit.run(_HAS_EVENT, values)).scalar_one())


async def find_commands(
    unit: UnitOfWork, operator_id: UUID, presentation_id: UUID
) -> list[GateCommand]:
    """Return the commands of a presentation, oldest first."""
    statement = (
        select(GateCommand)
        .where(col(GateCommand.operator_id) == operator_id)
        .where(col(GateCommand.presentation_id) == presentation_id)
        .order_by(col(GateCommand.issued_at))
        .execution_options(populate_existing=True)
    )
    return list(await unit.session.exec(statement))


async def append_event(
    unit: UnitOfWork, event: LaneEventRow, heard_at: datetime | None = None
) -> bool:
    """Keep an event and move its lane's committed number on to it; returns whether both happened.

    It locks the lane's connection: events of one lane commit one after the other. Only the event
    whose number is the next one is kept, and none whose id is known.

    Args:
        unit: The transaction.
        event: The event.
        heard_at: The lane's new `heard_at`; None leaves it.
    """
    values = {f"event_{name}": getattr(event, name) for name in _EVENT}
    return (await unit.run(_APPEND, values | {"heard_at": heard_at})).rowcount == 1


async def find_heard_at(unit: UnitOfWork, operator_id: UUID, lane_id: UUID) -> datetime | None:
    """Return when the lane last told of a car just as it came or left; None for never."""
    statement = (
        select(LaneConnection.heard_at)
        .where(col(LaneConnection.operator_id) == operator_id)
        .where(col(LaneConnection.lane_id) == lane_id)
    )
    return (await unit.session.exec(statement)).one_or_none()


async def find_standing(unit: UnitOfWork, operator_id: UUID, lane_id: UUID) -> Presentation | None:
    """Return the car that stands in a lane now."""
    statement = (
        select(Presentation)
        .where(col(Presentation.operator_id) == operator_id, col(Presentation.lane_id) == lane_id)
        .where(col(Presentation.cleared_at).is_(None))
        .order_by(col(Presentation.occupied_at).desc(), col(Presentation.id).desc())
        .limit(1)
    )
    return (await unit.session.exec(statement)).one_or_none()


async def list_standing(
    unit: UnitOfWork, operator_id: UUID, places: Collection[UUID] | None = None
) -> Sequence[Presentation]:
    """Return the cars that stand in an operator's lanes, at `places` only, the newest first."""
    statement = (
        select(Presentation)
        .where(col(Presentation.operator_id) == operator_id)
        .where(col(Presentation.cleared_at).is_(None))
        .order_by(col(Presentation.occupied_at).desc(), col(Presentation.id).desc())
        .limit(STANDING_MAX)
    )
    if places is not None:
        statement = statement.where(col(Presentation.place_id).in_(list(places)))
    return (await unit.session.exec(statement)).all()


async def list_overrides(
    unit: UnitOfWork, operator_id: UUID, places: Collection[UUID] | None = None
) -> list[ExitOverride]:
    """Return which cars a person let out, at `places` only, the newest first."""
    statement = (
        select(ExitOverride)
        .where(col(ExitOverride.operator_id) == operator_id)
        .order_by(col(ExitOverride.id).desc())
        .limit(OVERRIDES_MAX)
    )
    if places is not None:
        # Its id is that of the car before the exit.
        cars = select(Presentation.id).where(
            col(Presentation.operator_id) == operator_id,
            col(Presentation.id) == col(ExitOverride.id),
            col(Presentation.place_id).in_(list(places)),
        )
        statement = statement.where(cars.exists())
    return list(await unit.session.exec(statement))
