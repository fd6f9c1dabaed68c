"""Who may keep a WebSocket open: everybody together, strangers, and each driver."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, TypeVar
from uuid import UUID

from api.config import (
    SOCKETS_MAX,
    SOCKETS_PER_DRIVER_MAX,
    SOCKETS_UNACKNOWLEDGED_MAX,
    SOCKETS_UNACKNOWLEDGED_PER_ADDRESS_MAX,
)
from parking.drivers.rules import address_group

TRY_AGAIN_LATER: Final = 1013
_Key = TypeVar("_Key")


class PlacesTakenError(Exception):
    """There is no place for the socket; its message is the reason that the client reads."""


class SocketPlaces:
    """The places of one process.

    Whoever has not said who they are gets few of them: a socket costs its opener nothing, and
    silent ones must not keep drivers out.
    """

    def __init__(self) -> None:
        self.sockets = 0
        self.unacknowledged = 0
        self._by_address: Counter[str] = Counter()
        self._by_driver: Counter[UUID] = Counter()

    @contextmanager
    def hold(self, client_address: str) -> Generator["SocketPlace"]:
        """Hold a place for the length of the block.

        Raises:
            PlacesTakenError: all are held, or all that the client may hold unacknowledged.
        """
        group = address_group(client_address)
        if self.sockets >= SOCKETS_MAX or self.unacknowledged >= SOCKETS_UNACKNOWLEDGED_MAX:
            raise PlacesTakenError("too many connections; try again later")
        if self._by_address[group] >= SOCKETS_UNACKNOWLEDGED_PER_ADDRESS_MAX:
            raise PlacesTakenError("too many connections that say nothing from your address")
        self.sockets += 1
        self._count_stranger(group, 1)
        place = SocketPlace(self, group)
        try:
            yield place
        finally:
            self.sockets -= 1
            if place.driver_id is None:
                self._count_stranger(group, -1)
            else:
                _add(self._by_driver, place.driver_id, -1)

    def acknowledge(self, place: "SocketPlace", driver_id: UUID) -> None:
        """Count a stranger's place as the driver's from now on.

        Raises:
            PlacesTakenError: the driver holds SOCKETS_PER_DRIVER_MAX already.
        """
        if self._by_driver[driver_id] >= SOCKETS_PER_DRIVER_MAX:
            raise PlacesTakenError("too many connections of one driver")
        self._count_stranger(place.address_group, -1)
        _add(self._by_driver, driver_id, 1)
        place.driver_id = driver_id

    def _count_stranger(self, group: str, change: int) -> None:
        self.unacknowledged += change
        _add(self._by_address, group, change)


class SocketPlace:
    """One socket's place; a stranger's until it is acknowledged."""

    def __init__(self, places: SocketPlaces, address_group: str) -> None:
        self.address_group = address_group
        self.driver_id: UUID | None = None
        self._places = places

    def acknowledge(self, driver_id: UUID) -> None:
        """Make the place the driver's; raises as `SocketPlaces.acknowledge`."""
        self._places.acknowledge(self, driver_id)


def _add(counter: Counter[_Key], key: _Key, change: int) -> None:
    counter[key] += change
    # A counter keeps its zeros: the addresses of a year would stay in memory.
    if not counter[key]:
        del counter[key]
