"""Pokes over a real Valkey, also one that goes away."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from parking.events.bus import RESYNC, Bus, Poke, open_valkey
from parking.events.listener import BusClosedError
from parking.events.pokes import RELAY_CHANNEL, session_channel
from sesame.embedded.server import Server
from sesame.embedded.stack import Stack

WAIT_S = 10


@pytest.fixture
async def redis(valkey_url: str) -> AsyncGenerator[Redis]:
    client = open_valkey(valkey_url)
    yield client
    await client.aclose()


@pytest.fixture
async def bus(redis: Redis) -> AsyncGenerator[Bus]:
    bus = Bus(redis)
    yield bus
    await bus.close()


async def test_every_listener_of_a_channel_is_poked_and_no_other(bus: Bus) -> None:
    channel, other = session_channel(uuid4()), session_channel(uuid4())
    poke = Poke(uuid4(), "BillDue", 4)
    async with (
        asyncio.timeout(WAIT_S),
        bus.listen(channel) as first,
        bus.listen(channel) as second,
        bus.listen(other) as third,
    ):
        assert await bus.publish([(channel, poke)])
        assert await first.next() == poke
        assert await second.next() == poke
        reading = asyncio.create_task(third.next())
        # The connection keeps the order: when the second poke is there, the first went elsewhere.
        second_poke = Poke(uuid4(), "BillDue", 5)
        await bus.publish([(other, second_poke)])
        assert await reading == second_poke


async def test_listeners_share_one_connection(bus: Bus, redis: Redis) -> None:
    channels = [session_channel(uuid4()) for _ in range(50)]
    async with asyncio.timeout(WAIT_S), AsyncExitStack() as stack:
        listeners = [await stack.enter_async_context(bus.listen(channel)) for channel in channels]
        pokes = [(channel, Poke(uuid4(), "BillDue")) for channel in channels]
        await bus.publish(pokes)
        assert [await listener.next() for listener in listeners] == [poke for _, poke in pokes]
        commands: Any = redis
        assert len(await commands.client_list(_type="pubsub")) == 1


async def test_publishing_waits_for_a_connection_of_the_pool(bus: Bus) -> None:
    channel = session_channel(uuid4())
    sent = await asyncio.gather(
        *(bus.publish([(channel, Poke(uuid4(), "BillDue"))]) for _ in range(200))
    )
    assert all(sent)


async def test_leaving_and_coming_back_keeps_the_channel(bus: Bus) -> None:
    channel = session_channel(uuid4())
    async with asyncio.timeout(WAIT_S):
        for _ in range(100):
            async with bus.listen(channel):
                pass
        async with bus.listen(channel) as listener:
            poke = Poke(uuid4(), "SessionEnded")
            await bus.publish([(channel, poke)])
            assert await listener.next() == poke


async def test_a_body_that_is_no_poke_changes_nothing(bus: Bus, redis: Redis) -> None:
    channel = session_channel(uuid4())
    async with asyncio.timeout(WAIT_S), bus.listen(channel) as listener:
        commands: Any = redis
        await commands.publish(channel, "garbage")
        poke = Poke(uuid4(), "BillDue")
        await bus.publish([(channel, poke)])
        assert await listener.next() == poke


async def test_many_wake_ups_are_few_messages(bus: Bus) -> None:
    async with asyncio.timeout(WAIT_S), bus.listen(RELAY_CHANNEL) as listener:
        for _ in range(1000):
            await bus.wake_relay()
        assert (await listener.next()).__class__ is Poke


async def test_closing_ends_the_listeners(redis: Redis) -> None:
    bus = Bus(redis)
    async with asyncio.timeout(WAIT_S), bus.listen(session_channel(uuid4())) as listener:
        await bus.close()
        with pytest.raises(BusClosedError):
            await listener.next()


@pytest.fixture
def valkey(stack: Stack, valkey_url: str) -> Iterator[Server]:
    server = stack.valkey
    yield server
    server.restart()


async def test_after_a_lost_connection_a_resync_comes_and_then_pokes(
    bus: Bus, valkey: Server
) -> None:
    channel = session_channel(uuid4())
    async with asyncio.timeout(WAIT_S), bus.listen(channel) as listener:
        valkey.kill()
        assert not await bus.publish([(channel, Poke(uuid4(), "Lost"))])
        await bus.wake_relay()
        valkey.restart()
        assert await listener.next() is RESYNC
        poke = Poke(uuid4(), "SessionEnded")
        assert await bus.publish([(channel, poke)])
        assert await listener.next() == poke


async def test_listening_while_valkey_is_away_gives_a_resync_later(
    bus: Bus, valkey: Server
) -> None:
    valkey.kill()
    async with asyncio.timeout(WAIT_S), bus.listen(session_channel(uuid4())) as listener:
        valkey.restart()
        assert await listener.next() is RESYNC
