"""Pokes: their form, where they go, and the bounded queue of one listener."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from parking.events.envelope import Event
from parking.events.listener import PENDING_POKES_MAX, BusClosedError, Listener
from parking.events.pokes import RESYNC, Poke, channels_of, lane_channel, poke_of, session_channel
from parking.kit.ids import new_id

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OWNER = UUID(int=1)
SUBJECT = UUID(int=2)


def _event(event_type: str = "SessionEntered", **payload: object) -> Event:
    return Event(new_id(AT), event_type, OWNER, SUBJECT, AT, payload, version=3)


def test_a_poke_survives_the_wire() -> None:
    poke = poke_of(_event())
    assert Poke.from_json(poke.to_json()) == poke
    assert poke.version == 3


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{}", b'{"event_id": "x"}', b"\xff"])
def test_what_is_no_poke_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Poke.from_json(body)


def test_a_version_that_is_no_number_is_refused() -> None:
    body = poke_of(_event()).to_json().replace(b'"version": 3', b'"version": "3"')
    with pytest.raises(ValueError, match="version"):
        Poke.from_json(body)


def test_an_event_goes_to_session_driver_and_named_channels() -> None:
    lane_id, driver_id = UUID(int=5), UUID(int=6)
    event = _event(driver_id=str(driver_id), channels=[lane_channel(lane_id)] * 2)
    assert channels_of(event) == (
        session_channel(SUBJECT),
        f"sesame:{{driver:{driver_id}}}",
        lane_channel(lane_id),
    )


@pytest.mark.parametrize("channels", [None, "sesame:{x}", [1], ["other"], ["sesame:{a}{b}"]])
def test_a_malformed_channel_is_left_out(channels: object) -> None:
    assert channels_of(_event("DriverClosed", channels=channels)) == ()


def test_a_flood_of_channels_is_cut() -> None:
    event = _event("X", channels=[f"sesame:{{lane:{number}}}" for number in range(100)])
    assert len(channels_of(event)) == 8


async def test_pokes_come_in_order_and_a_repeated_one_once() -> None:
    listener = Listener()
    first, second = Poke(uuid4(), "A"), Poke(uuid4(), "B")
    for poke in (first, second, first):
        listener.push(poke)
    assert [await listener.next(), await listener.next()] == [first, second]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(listener.next(), 0.01)


async def test_a_slow_reader_gets_one_resync_instead_of_a_flood() -> None:
    listener = Listener()
    for _ in range(PENDING_POKES_MAX * 3):
        listener.push(Poke(uuid4(), "A"))
    assert await listener.next() is RESYNC
    last = Poke(uuid4(), "B")
    listener.push(last)
    assert await listener.next() == last


async def test_a_cancelled_wait_loses_nothing() -> None:
    listener = Listener()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(listener.next(), 0.01)
    poke = Poke(uuid4(), "A")
    listener.push(poke)
    assert await listener.next() == poke


async def test_closing_wakes_the_reader() -> None:
    listener = Listener()
    waiting = asyncio.create_task(listener.next())
    await asyncio.sleep(0)
    listener.close()
    with pytest.raises(BusClosedError):
        await waiting
    assert [poke async for poke in listener] == []
