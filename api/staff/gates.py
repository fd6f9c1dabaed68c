"""How the operator's gates are: what `sesame gates` shows, for its own staff. It only looks."""

from collections import Counter
from datetime import datetime
from typing import Final
from uuid import UUID

import strawberry

from api.config import PAGE_SIZE
from api.global_ids import LANE_KIND, decode_id, decode_keys, encode_id
from api.request import Info
from api.types.page import PageInfo, require_page_size
from parking.flows.fleet import paging, reading, status
from parking.flows.fleet.reading import Fleet
from parking.flows.fleet.status import LaneStatus
from parking.kit.errors import InvalidInputError
from parking.lanes.health import DeviceSignal
from parking.places.models import Direction

_CURSOR: Final = "GateCursor"

strawberry.enum(
    status.LaneState,
    name="GateState",
    description="NOT_SEEN: nothing was heard for 60 s, and no end was told.",
)
strawberry.enum(
    status.Problem,
    name="GateProblem",
    description="Why somebody should look at a gate, the worst first.",
)
strawberry.enum(Direction, name="GateDirection")


@strawberry.type(description="A camera or relay at a gate.")
class GateDevice:
    """A camera or relay at a gate."""

    name: str
    last_signal_at: datetime | None = strawberry.field(
        description="Null: not heard since the gate's agent started."
    )
    clock_offset_ms: int | None = strawberry.field(
        description="How far its clock is ahead of the agent's."
    )

    @classmethod
    def of(cls, signal: DeviceSignal) -> "GateDevice":
        """Return the device for staff."""
        return cls(
            name=signal.name,
            last_signal_at=signal.last_signal_at,
            clock_offset_ms=signal.clock_offset_ms,
        )


@strawberry.type(description="One gate; null is what is not known of it.")
class Gate:
    """One gate."""

    lane_id: strawberry.ID
    lane_name: str
    place_id: strawberry.ID
    place_name: str
    direction: Direction
    state: status.LaneState
    problems: list[status.Problem] = strawberry.field(description="The worst first.")
    bridge: str | None
    session_epoch: int | None
    agent_version: str | None
    connected_at: datetime | None
    last_seen_at: datetime | None
    disconnected_at: datetime | None
    close_code: int | None
    clock_offset_ms: int | None = strawberry.field(
        description="How far the agent's clock is ahead of the bridge's."
    )
    clock_uncertainty_ms: int | None
    queue_depth: int | None = strawberry.field(
        description="Events in the agent's journal that are not committed."
    )
    oldest_queued_at: datetime | None
    commands_unanswered: int = strawberry.field(
        description="Orders to open of the last hour without an answer."
    )
    certificate_expires_at: datetime | None
    barrier: str | None
    policy_version: str | None = strawberry.field(
        description="What it decides by while it has no network."
    )
    devices: list[GateDevice]

    @classmethod
    def of(cls, lane: LaneStatus) -> "Gate":
        """Return the gate for the staff of its operator."""
        contact, condition = lane.contact, lane.condition
        return cls(
            lane_id=encode_id(LANE_KIND, lane.operator_id, lane.lane_id),
            lane_name=lane.lane,
            place_id=encode_id("Place", lane.operator_id, lane.place_id),
            place_name=lane.place,
            direction=lane.direction,
            state=lane.state,
            problems=list(lane.problems),
            bridge=contact and contact.bridge,
            session_epoch=contact and contact.session_epoch,
            agent_version=contact and contact.agent_version,
            connected_at=contact and contact.connected_at,
            last_seen_at=contact and contact.last_seen_at,
            disconnected_at=contact and contact.ended_at,
            close_code=contact and contact.close_code,
            clock_offset_ms=condition.clock_offset_ms,
            clock_uncertainty_ms=condition.clock_uncertainty_ms,
            queue_depth=condition.queue_depth,
            oldest_queued_at=condition.oldest_queued_at,
            commands_unanswered=lane.commands_unanswered,
            certificate_expires_at=lane.certificate_expires_at,
            barrier=condition.barrier,
            policy_version=condition.policy_version,
            devices=[GateDevice.of(device) for device in condition.devices],
        )


@strawberry.type(description="How many gates are in a state.")
class GateStateCount:
    """How many gates are in a state."""

    state: status.LaneState
    lanes: int


@strawberry.type(description="How many gates have a problem.")
class GateProblemCount:
    """How many gates have a problem."""

    problem: status.Problem
    lanes: int


@strawberry.type(description="Your gates at one moment: the sums are of all of them.")
class GatePage:
    """A page of gates, with the sums of all."""

    taken_at: datetime
    lanes_total: int
    lanes_with_problems: int
    is_whole: bool = strawberry.field(
        description="False where there are too many to look at: `placeId` shows fewer."
    )
    states: list[GateStateCount]
    problems: list[GateProblemCount]
    nodes: list[Gate]
    page_info: PageInfo

    @classmethod
    def of(cls, fleet: Fleet, page: paging.FleetPage, after: str | None) -> "GatePage":
        """Return the page for the staff of the fleet's operator."""
        states = Counter(lane.state for lane in fleet.lanes)
        problems = Counter(problem for lane in fleet.lanes for problem in lane.problems)
        cursors = [encode_id(_CURSOR, lane.lane_id) for lane in page.lanes]
        return cls(
            taken_at=fleet.taken_at,
            lanes_total=len(fleet.lanes),
            lanes_with_problems=sum(bool(lane.problems) for lane in fleet.lanes),
            is_whole=fleet.is_whole,
            states=[GateStateCount(state=one, lanes=states[one]) for one in status.LaneState],
            problems=[GateProblemCount(problem=one, lanes=problems[one]) for one in status.Problem],
            nodes=[Gate.of(lane) for lane in page.lanes],
            page_info=PageInfo.of(cursors, has_more=page.has_more, after=after),
        )


@strawberry.type
class GateQueries:
    """The reads about gates."""

    @strawberry.field(description="How your gates are, by the names of their places and their own.")
    async def gates(
        self,
        info: Info,
        place_id: strawberry.ID | None = None,
        only_problems: bool = False,  # noqa: FBT001, FBT002 - an argument of GraphQL has a name
        first: int = PAGE_SIZE,
        after: str | None = None,
    ) -> GatePage:
        """Return a page of the operator's gates; nothing of another operator's."""
        staff = info.context.staff()
        require_page_size(first)
        place = None if place_id is None else _place(place_id)
        lane_id = None if after is None else decode_id(after, kind=_CURSOR, field="after")
        fleet = await reading.read_fleet(
            info.context.parking,
            operator_id=staff.operator_id,
            place=None if place is None else str(place),
            places=staff.places,
        )
        try:
            page = paging.page_of(fleet, first, lane_id, only_problems=only_problems)
        except paging.CursorUnknownError as error:
            raise InvalidInputError("after", "a cursor of these gates") from error
        return GatePage.of(fleet, page, after)


def _place(given: strawberry.ID) -> UUID:
    # Whose it says it is does not matter: only the asking operator's gates are looked at.
    return decode_keys(given, kind="Place", count=2, field="placeId")[1]
