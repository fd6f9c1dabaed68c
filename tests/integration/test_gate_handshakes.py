"""TLS handshakes that never end, by the dozen, over real sockets: gates still come in."""

import asyncio
import random
import socket
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvloop
from prometheus_client import CollectorRegistry, Counter
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from gate_bridge.handshakes import Handshakes, guarded, network_of
from gate_bridge.tls import listener_tls
from tests.factories.tls_files import Authority
from tests.integration.gate_stage import eventually

AT_ONCE = 8
GATES = 60
TRIES_MAX = 400
HERE, ELSEWHERE = "127.0.0.1", "127.0.0.2"
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Door:
    """A listener, and what its clients need."""

    handshakes: Handshakes
    refused: Counter
    port: int
    client: ssl.SSLContext

    def refusals(self) -> float:
        [metric] = self.refused.collect()
        return metric.samples[0].value

    async def mute(self, address: str = HERE) -> Streams:
        """Connect and say nothing."""
        return await asyncio.open_connection(HERE, self.port, local_addr=(address, 0))

    async def gate(self, address: str = HERE) -> str:
        """Connect as a gate does, once."""
        url = f"wss://{HERE}:{self.port}"
        async with connect(url, ssl=self.client, local_addr=(address, 0), proxy=None) as socket:
            return str(await socket.recv())

    async def gate_until_in(self) -> str:
        """Connect as an agent does, which tries again at random."""
        for _ in range(TRIES_MAX):
            try:
                return await self.gate()
            except (OSError, EOFError):
                await asyncio.sleep(random.uniform(0, 0.05))  # noqa: S311 - as an agent does
        raise AssertionError("never came in")


@asynccontextmanager
async def open_door(folder: Path, at_once: int = AT_ONCE) -> AsyncGenerator[Door]:
    authority = Authority(folder, "authority")
    certificate, key = authority.issue("bridge")
    context = listener_tls(certificate, key, authority.file.read_text())
    client = ssl.create_default_context(cafile=authority.file)
    client.load_cert_chain(*authority.issue("gate"))
    refused = Counter("refused", "Closed.", registry=CollectorRegistry())
    handshakes = Handshakes(context, refused, at_once)

    async def greet(connection: ServerConnection) -> None:
        await connection.send("welcome")
        await connection.wait_closed()

    async with serve(greet, HERE, 0, create_connection=guarded(handshakes)) as server:
        port = int(server.sockets[0].getsockname()[1])
        try:
            yield Door(handshakes, refused, port, client)
        finally:
            await handshakes.close()


@asynccontextmanager
async def mutes(door: Door, count: int, address: str = HERE) -> AsyncGenerator[list[Streams]]:
    streams = [await door.mute(address) for _ in range(count)]
    try:
        yield streams
    finally:
        for _, writer in streams:
            writer.transport.abort()
        for reader, _ in streams:
            await is_closed(reader)


async def is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(5):
            return await reader.read(1) == b""
    except ConnectionError:
        return True


async def no_more_than_so_many_say_nothing(folder: Path) -> None:
    async with open_door(folder) as door, mutes(door, AT_ONCE) as first:
        await eventually(lambda: len(door.handshakes) == AT_ONCE)
        async with mutes(door, 5) as more:
            assert all([await is_closed(reader) for reader, _ in more])
        assert (len(door.handshakes), door.refusals()) == (AT_ONCE, 5)
        with pytest.raises((OSError, EOFError)):
            await door.gate()
        # Somebody else is let in, for one of those who hold all the places.
        assert await door.gate(ELSEWHERE) == "welcome"
        assert await is_closed(first[0][0])
        assert door.refusals() == 7


async def a_place_is_free_again_whoever_gives_up(folder: Path) -> None:
    async with open_door(folder) as door:
        async with mutes(door, AT_ONCE) as first:
            await eventually(lambda: len(door.handshakes) == AT_ONCE)
            first[0][1].write(b"GET / HTTP/1.1\r\n\r\n")
            first[1][1].close()
            await eventually(lambda: len(door.handshakes) == AT_ONCE - 2)
        await eventually(lambda: len(door.handshakes) == 0)
        assert await door.gate() == "welcome"
        assert (len(door.handshakes), door.refusals()) == (0, 0)


async def all_gates_come_back_at_once(folder: Path) -> None:
    async with open_door(folder) as door, mutes(door, AT_ONCE - 1, ELSEWHERE):
        came = await asyncio.gather(*(door.gate_until_in() for _ in range(GATES)))
        assert came == ["welcome"] * GATES
        assert door.refusals() > 0


async def a_place_is_given_up_in_the_turn_in_which_it_was_taken(folder: Path) -> None:
    async with open_door(folder) as door:
        addresses = [*[HERE] * AT_ONCE, ELSEWHERE]
        # Without a turn of the loop in between: it finds all of them waiting at once.
        sockets = [
            socket.create_connection((HERE, door.port), timeout=5, source_address=(address, 0))
            for address in addresses
        ]
        await eventually(lambda: (len(door.handshakes), door.refusals()) == (AT_ONCE, 1))
        streams = [await asyncio.open_connection(sock=each) for each in sockets]
        assert await is_closed(streams[0][0])
        assert (len(door.handshakes), door.refusals()) == (AT_ONCE, 1)
        for _, writer in streams:
            writer.transport.abort()
        for reader, _ in streams:
            await is_closed(reader)


async def it_ends_with_handshakes_under_way(folder: Path) -> None:
    async with open_door(folder) as door:
        streams = [await door.mute() for _ in range(3)]
        await eventually(lambda: len(door.handshakes) == 3)
    assert len(door.handshakes) == 0
    for reader, writer in streams:
        assert await is_closed(reader)
        writer.close()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    "story",
    [
        no_more_than_so_many_say_nothing,
        a_place_is_free_again_whoever_gives_up,
        a_place_is_given_up_in_the_turn_in_which_it_was_taken,
        all_gates_come_back_at_once,
        it_ends_with_handshakes_under_way,
    ],
    ids=lambda story: story.__name__,
)
def test_with_real_sockets(
    loop: str, story: Callable[[Path], "asyncio.Future[None]"], tmp_path: Path
) -> None:
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(story(tmp_path))  # pyright: ignore[reportArgumentType] - a coroutine


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("", "somewhere", False),
    ],
)
def test_what_counts_as_one_address(one: str, other: str, *, is_same: bool) -> None:
    assert (network_of(one) == network_of(other)) is is_same
