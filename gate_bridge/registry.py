"""The connections of one bridge process, one for each lane."""

from typing import Protocol
from uuid import UUID

from parking.flows.lane_types import Lane


class RegisteredConnection(Protocol):
    """What the registry knows of a connection."""

    @property
    def lane_id(self) -> UUID:
        """Return the lane."""
        ...

    @property
    def session_epoch(self) -> int:
        """Return the epoch that the domain gave this connection."""
        ...

    def supersede(self) -> None:
        """Close: a newer connection of the lane exists."""
        ...

    @property
    def lane(self) -> Lane:
        """Return the lane as it proved itself."""
        ...

    async def show_sign(self, *, is_full: bool) -> None:
        """Let the lane's display say whether there is room."""
        ...


class LaneRegistry:
    """Keeps the newest connection of every lane and fences the older ones."""

    def __init__(self) -> None:
        self._by_lane: dict[UUID, RegisteredConnection] = {}

    def __len__(self) -> int:
        return len(self._by_lane)

    def all(self) -> list[RegisteredConnection]:
        """Return the newest connection of every lane."""
        return list(self._by_lane.values())

    def add(self, connection: RegisteredConnection) -> bool:
        """Register a connection and close the older of two; return whether it is the newest."""
        other = self._by_lane.get(connection.lane_id)
        if other is not None and other.session_epoch > connection.session_epoch:
            connection.supersede()
            return False
        self._by_lane[connection.lane_id] = connection
        if other is not None:
            other.supersede()
        return True

    def remove(self, connection: RegisteredConnection) -> None:
        """Forget a connection that ended, unless a newer one took its place."""
        if self._by_lane.get(connection.lane_id) is connection:
            del self._by_lane[connection.lane_id]
