"""A bridge with a domain in memory, a recogniser that says what it is told, and lanes to play."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast
from uuid import UUID

import orjson
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from gate_bridge.agent.options import AgentOptions
from gate_bridge.agent.pictures import CarPictures
from gate_bridge.agent.play import SimulatedLane, play_lane
from gate_bridge.agent.simulation import Motion
from gate_bridge.fake_lane_service import FakeLaneService
from gate_bridge.options import BridgeOptions
from gate_bridge.server import GateBridge
from gate_bridge.timings import PresentationTimings
from gate_bridge.wire.limits import SUBPROTOCOL
from parking.flows.lane_types import Direction, Lane
from parking.kit.clock import Clock, SystemClock
from parking.kit.ids import id_time, new_id
from parking.plates.frame_stream import FRAMES_STREAM, FrameReply, FrameRequest
from parking.plates.reads import PlateRead

Entries = list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]

TOKEN = "device-token"
PLATE = "沪A12345"
# The smallest bytes that pass for a complete JPEG; nobody decodes them here.
PICTURE = b"\xff\xd8\xff\xe0picture\xff\xd9"


def fresh_id() -> UUID:
    return new_id(SystemClock().now())


def make_lane() -> Lane:
    return Lane(fresh_id(), fresh_id(), fresh_id(), fresh_id(), Direction.EXIT, "exit 1")


class ValkeyClient(Protocol):
    """What tests do to Valkey; redis-py's own annotations cannot be followed strictly."""

    async def flushall(self) -> bool: ...
    async def execute_command(self, *words: str) -> object: ...
    async def publish(self, channel: str, message: bytes) -> int: ...


@asynccontextmanager
async def valkey_tools(url: str) -> AsyncGenerator[ValkeyClient]:
    client = Redis.from_url(url)  # pyright: ignore[reportUnknownMemberType] - untyped kwargs
    try:
        yield cast("ValkeyClient", client)
    finally:
        await client.aclose()


async def eventually(condition: Callable[[], bool], looks_max: int = 1000) -> None:
    """Wait until something is so; the bound only ends a test that would hang."""
    for _ in range(looks_max):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not become so")


@dataclass
class Recognizer:
    """Answers every frame with the same read once it is switched on."""

    redis: "Redis"
    on: asyncio.Event = field(default_factory=asyncio.Event)
    agreed: bool = True
    read: PlateRead | None = field(default_factory=lambda: PlateRead(text=PLATE, confidence=0.99))
    seen: list[UUID] = field(default_factory=list[UUID])

    async def run(self) -> None:
        redis: Any = self.redis
        cursor = b"0-0"
        while True:
            await self.on.wait()
            answer: Entries = await redis.xread({FRAMES_STREAM: cursor}, count=16, block=50)
            if not self.on.is_set():
                continue
            for entry_id, fields in answer[0][1] if answer else []:
                cursor = entry_id
                request = FrameRequest.from_fields(fields)
                self.seen.append(request.frame_id)
                await redis.xadd(request.reply_to, self._reply(request).to_fields())

    def _reply(self, request: FrameRequest) -> FrameReply:
        return FrameReply(
            lane_id=request.lane_id,
            presentation_id=request.presentation_id,
            frame_id=request.frame_id,
            vote=self.read,
            agreed=self.agreed and self.read is not None,
            error=None,
            timings_ms={"decode": 1.0, "detect": 2.0, "read": 3.0},
            model="told",
        )


@dataclass
class Stage:
    """Everything a test of the bridge touches."""

    bridge: GateBridge
    service: FakeLaneService
    recognizer: Recognizer
    lane: Lane
    folder: Path
    timings: list[PresentationTimings]
    reports: list[dict[str, object]] = field(default_factory=list[dict[str, object]])

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.bridge.port}"

    @property
    def path(self) -> str:
        return f"{self.url}/gates/{self.lane.lane_id}"

    def agent_options(self) -> AgentOptions:
        return AgentOptions(
            url=self.url, lane_id=self.lane.lane_id, token=TOKEN, reconnect_s_max=0.2
        )

    def picture(self) -> CarPictures:
        path = self.folder / "car.jpg"
        path.write_bytes(PICTURE)
        return CarPictures(photos=(path,))

    def reported(self, event: str) -> list[dict[str, object]]:
        return [report for report in self.reports if report["event"] == event]

    @asynccontextmanager
    async def play(self, motion: Motion | None = None) -> AsyncGenerator[SimulatedLane]:
        journal = self.folder / "journal.sqlite"
        async with play_lane(
            self.agent_options(), journal, SystemClock(), self.reports.append, motion
        ) as lane:
            yield lane

    @asynccontextmanager
    async def connect(self, token: str = TOKEN) -> AsyncGenerator["RawAgent"]:
        async with connect(
            self.path,
            additional_headers={"Authorization": f"Bearer {token}"},
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
            proxy=None,
            max_size=None,
        ) as socket:
            yield RawAgent(socket, self.lane.lane_id)


@dataclass
class RawAgent:
    """A client that sends exactly what it is told."""

    socket: ClientConnection
    lane_id: UUID

    async def send(self, message: object) -> None:
        await self.socket.send(orjson.dumps(message).decode())

    async def receive(self) -> list[Any]:
        async with asyncio.timeout(5):
            return orjson.loads(await self.socket.recv())

    async def call(self, action: str, payload: dict[str, Any]) -> list[Any]:
        await self.send([2, action, action, payload])
        return await self.receive()

    async def frame(self, header: dict[str, Any], image: bytes) -> list[Any]:
        await self.socket.send(orjson.dumps([2, "f", "Frame", header]) + b"\n" + image)
        return await self.receive()

    async def hello(self, next_seq: int = 1, presentation_id: UUID | None = None) -> dict[str, Any]:
        answer = await self.call("Hello", self.hello_payload(next_seq, presentation_id))
        assert answer[0] == 3, answer
        return answer[2]

    def hello_payload(
        self, next_seq: int = 1, presentation_id: UUID | None = None
    ) -> dict[str, Any]:
        occupied_at = None if presentation_id is None else id_time(presentation_id).isoformat()
        current = {"presentation_id": str(presentation_id), "occupied_at": occupied_at}
        return {
            "agent_version": "raw",
            "lane_id": str(self.lane_id),
            "presentation": None if presentation_id is None else current,
            "next_seq": next_seq,
        }

    async def start(self, seq: int) -> UUID:
        """Let a car come; return its presentation."""
        presentation_id = fresh_id()
        assert await self.present(seq, presentation_id) == [3, "Presentation", {"last_seq": seq}]
        return presentation_id

    async def frame_of(self, presentation_id: UUID) -> None:
        """Send a good picture."""
        header = frame_header(presentation_id)
        answer = await self.frame(header, PICTURE)
        assert answer == [3, "f", {"frame_id": header["frame_id"]}]

    async def present(self, seq: int, presentation_id: UUID, state: str = "occupied") -> list[Any]:
        return await self.call("Presentation", presentation(seq, presentation_id, state))

    async def closed(self) -> int | None:
        async with asyncio.timeout(10):
            await self.socket.wait_closed()
        return self.socket.close_code


def presentation(seq: int, presentation_id: UUID, state: str = "occupied") -> dict[str, Any]:
    return {
        "event_id": str(fresh_id()),
        "seq": seq,
        "presentation_id": str(presentation_id),
        "state": state,
        "occurred_at": SystemClock().now().isoformat(),
    }


def observation(seq: int, presentation_id: UUID) -> dict[str, Any]:
    return {
        "event_id": str(fresh_id()),
        "seq": seq,
        "presentation_id": str(presentation_id),
        "plate": PLATE,
        "confidence": 0.97,
        "captured_at": SystemClock().now().isoformat(),
        "source": "camera-1",
    }


def barrier_event(seq: int) -> dict[str, Any]:
    return {
        "event_id": str(fresh_id()),
        "seq": seq,
        "presentation_id": None,
        "command_id": None,
        "kind": "manual_open",
        "occurred_at": SystemClock().now().isoformat(),
        "operator": "Lee",
        "reason": "ambulance",
    }


def frame_header(presentation_id: UUID) -> dict[str, Any]:
    return {
        "frame_id": str(fresh_id()),
        "presentation_id": str(presentation_id),
        "captured_at": SystemClock().now().isoformat(),
        "content_type": "image/jpeg",
    }


@asynccontextmanager
async def open_stage(
    redis_url: str,
    folder: Path,
    options: BridgeOptions | None = None,
    clock: Clock | None = None,
) -> AsyncGenerator[Stage]:
    """Run a bridge with one known lane."""
    lane = make_lane()
    clock = clock or SystemClock()
    service = FakeLaneService(clock)
    service.add_lane(lane, TOKEN)
    timings: list[PresentationTimings] = []
    redis = Redis.from_url(redis_url)  # pyright: ignore[reportUnknownMemberType] - untyped kwargs
    recognizer = Recognizer(redis)
    recognizer.on.set()
    reading = asyncio.create_task(recognizer.run())
    bridge = GateBridge(service, redis_url, options or BridgeOptions(), clock, timings.append)
    try:
        async with bridge:
            yield Stage(bridge, service, recognizer, lane, folder, timings)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await redis.aclose()
