"""The bridge's Valkey client: one cancellation ends a wait, and a silent server is a failure."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from gate_bridge import valkey as module
from gate_bridge.valkey import VALKEY_FAILURES, Valkey

# More turns of the loop than the longest of the commands takes.
TURNS = 40
ENDS_WITHIN_S = 5.0


@pytest.fixture
async def valkey(valkey_url: str) -> AsyncGenerator[Valkey]:
    opened = Valkey(valkey_url)
    yield opened
    await opened.close()


async def tell(valkey: Valkey) -> None:
    await valkey.publish_all({"lane": b"news"})


async def add(valkey: Valkey) -> None:
    await valkey.add("frames", {"lane": b"1"}, 10)


async def follow(valkey: Valkey) -> None:
    subscription = valkey.subscription()
    try:
        await subscription.add("lane")
        await subscription.remove("lane")
    finally:
        await subscription.close()


@pytest.mark.parametrize("command", [tell, add, follow])
async def test_one_cancellation_ends_a_loop_wherever_it_is(
    valkey: Valkey, command: Callable[[Valkey], Awaitable[None]]
) -> None:
    async def work() -> None:
        await command(valkey)
        await asyncio.Event().wait()

    await command(valkey)
    for turns in range(TURNS):
        task = asyncio.create_task(work())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        ended, _ = await asyncio.wait([task], timeout=ENDS_WITHIN_S)
        task.cancel()
        assert ended == {task}, f"cancelled after {turns} turns, it goes on"


@dataclass
class SilentServer:
    """Takes every connection and says no word, but to the first ones.

    Attributes:
        greeted: How many connections get the answers that a client waits for when it connects.
    """

    greeted: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list[asyncio.StreamWriter])

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        self.writers.append(writer)
        if len(self.writers) <= self.greeted:
            # The client tells its library's name and version.
            writer.write(b"+OK\r\n+OK\r\n")


@pytest.fixture
async def silent() -> AsyncGenerator[tuple[SilentServer, Valkey]]:
    server = SilentServer()
    listener = await asyncio.start_server(server.take, "127.0.0.1", 0)
    opened = Valkey(f"redis://127.0.0.1:{listener.sockets[0].getsockname()[1]}")
    yield server, opened
    await opened.close()
    for writer in server.writers:
        writer.close()
        await writer.wait_closed()
    listener.close()
    await listener.wait_closed()


async def test_a_silent_server_is_a_failure(
    silent: tuple[SilentServer, Valkey], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ANSWER_TIMEOUT_S", 0.02)
    _, valkey = silent
    assert await valkey.ping() is False
    for command in (tell, add, follow):
        with pytest.raises(VALKEY_FAILURES):
            await command(valkey)
    with pytest.raises(VALKEY_FAILURES):
        await valkey.read("frames", b"0-0", block_ms=1)
    with pytest.raises(VALKEY_FAILURES):
        await valkey.publish("lane", b"news")


async def test_a_subscription_does_not_wait_for_good_where_it_connects_anew(
    silent: tuple[SilentServer, Valkey], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, valkey = silent
    server.greeted = 1
    subscription = valkey.subscription()
    await subscription.add("lane")
    server.writers[0].close()
    with pytest.raises(VALKEY_FAILURES):
        await subscription.next(1.0)
    monkeypatch.setattr(module, "_ANSWER_TIMEOUT_S", 0.02)
    with pytest.raises(TimeoutError):
        await subscription.next(0.01)
    assert len(server.writers) == 2
    await subscription.close()
