"""Places are given back, whoever held them."""

from contextlib import ExitStack
from uuid import UUID

import pytest

from api import socket_places
from api.socket_places import PlacesTakenError, SocketPlaces

ADA, BEN = UUID(int=1), UUID(int=2)


def test_every_place_is_given_back() -> None:
    places = SocketPlaces()
    with places.hold("203.0.113.7") as silent, places.hold("203.0.113.7") as spoken:
        spoken.acknowledge(ADA)
        assert (places.sockets, places.unacknowledged) == (2, 1)
        assert (silent.driver_id, spoken.driver_id) == (None, ADA)
    assert vars(places) == vars(SocketPlaces())


def test_one_network_does_not_keep_another_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_places, "SOCKETS_UNACKNOWLEDGED_PER_ADDRESS_MAX", 2)
    places = SocketPlaces()
    with ExitStack() as held:
        held.enter_context(places.hold("2001:db8:1:2::1"))
        second = held.enter_context(places.hold("2001:db8:1:2::2"))
        with pytest.raises(PlacesTakenError):
            held.enter_context(places.hold("2001:db8:1:2::3"))
        held.enter_context(places.hold("2001:db8:1:3::1"))
        second.acknowledge(ADA)
        held.enter_context(places.hold("2001:db8:1:2::3"))
        assert (places.sockets, places.unacknowledged) == (4, 3)


def test_a_driver_beyond_the_limit_stays_a_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_places, "SOCKETS_PER_DRIVER_MAX", 1)
    places = SocketPlaces()
    with places.hold("") as first, places.hold("") as second:
        first.acknowledge(ADA)
        with pytest.raises(PlacesTakenError):
            second.acknowledge(ADA)
        assert (second.driver_id, places.unacknowledged) == (None, 1)
        second.acknowledge(BEN)
    assert vars(places) == vars(SocketPlaces())
