"""A bridge and the network before it: late, frozen, cut, and fond of old orders."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, Self
from uuid import UUID

import orjson
from websockets.exceptions import ConnectionClosedError
from websockets.protocol import State

from parking.kit.ids import new_id
from tests.factories.policies import ISSUED
from tests.integration.gate_story.virtual_time import OWNER, VirtualLoop

TTL_MS = 5000
REPLY_S = 6.0
FENCE_S = (0.01, 0.01, 0.5, 2.0)
SENDS_MAX = 4
ORDERS_MAX = 10
WELCOME = "Y"
EVENTS = frozenset({"Presentation", "Observation", "BarrierEvent", "OfflineDecision"})


@dataclass
class Order:
    """One command of the domain."""

    command_id: UUID
    presentation_id: str
    plate: str
    ends_at: datetime = ISSUED
    answer: str | None = None
    sends: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class Taken:
    """An order at the moment when the agent takes it from its connection."""

    socket: "StorySocket"
    command_id: UUID
    epoch: int
    ends_at: datetime
    is_late: bool


class StorySocket:
    """The agent's end of one connection; messages take their time, and keep their order."""

    def __init__(self, network: "Network") -> None:
        self._network = network
        self._inbox: asyncio.Queue[str | None] = asyncio.Queue()
        # All that the link asks of its transport.
        self.transport = SimpleNamespace(get_write_buffer_size=lambda: 0)
        self.is_closed = False
        self.epoch: int | None = None
        self.live_seq_min = 0
        self.presentation_id: str | None = None
        self.answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self.free_s = {"in": 0.0, "out": 0.0}
        self.taken: dict[str, list[Taken]] = {}

    @property
    def state(self) -> State:
        return State.CLOSED if self.is_closed else State.OPEN

    async def __aenter__(self) -> Self:
        await asyncio.sleep(0.05)
        if not self._network.is_up:
            raise OSError("no network")
        self._network.sockets.append(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()

    async def send(self, message: str) -> None:
        if self.is_closed:
            raise ConnectionClosedError(None, None)
        self._network.carry(self, "out", lambda: self._network.arrived(self, message))

    async def recv(self) -> str:
        message = None if self.is_closed else await self._inbox.get()
        if message is None:
            raise ConnectionClosedError(None, None)
        self._network.taken(self, message)
        return message

    async def close(self, code: int = 1000, reason: str = "") -> None:
        del code, reason
        self.cut()

    def deliver(self, message: str) -> None:
        """Hand a message of the bridge to the agent."""
        self._network.carry(self, "in", lambda: self._inbox.put_nowait(message))

    def cut(self) -> None:
        self.is_closed = True
        self._inbox.put_nowait(None)
        if self in self._network.sockets:
            self._network.sockets.remove(self)


class Network:
    """Carries messages, some of them late, and none while it is frozen."""

    def __init__(self, loop: VirtualLoop, pause_s: Callable[[], float]) -> None:
        self._loop = loop
        self._pause_s = pause_s
        self._held: list[tuple[str, Callable[[], None]]] = []
        self.is_up = True
        self.frozen: set[str] = set()
        self.sockets: list[StorySocket] = []
        self.arrived: Callable[[StorySocket, str], None] = lambda _socket, _message: None
        self.taken: Callable[[StorySocket, str], None] = lambda _socket, _message: None

    def carry(self, socket: StorySocket, way: str, deliver: Callable[[], None]) -> None:
        # Timers of one moment come in any order; a connection keeps it.
        at_s = max(self._loop.time() + self._pause_s(), socket.free_s[way] + 1e-6)
        socket.free_s[way] = at_s
        self._loop.call_at(at_s, self._come, way, deliver)

    def thaw(self) -> None:
        self.frozen.clear()
        held, self._held = self._held, []
        for _, deliver in held:
            deliver()

    def lose(self) -> None:
        """Lose what is held back, and every connection with it."""
        self.frozen.clear()
        self._held.clear()
        self.drop()

    def drop(self) -> None:
        for socket in list(self.sockets):
            socket.cut()

    def _come(self, way: str, deliver: Callable[[], None]) -> None:
        if way in self.frozen:
            self._held.append((way, deliver))
        else:
            deliver()


class StoryBridge:
    """Commits events once and in order, and opens for cars with a welcome plate.

    It is every bridge process: one that holds an older connection learns of a newer one's epoch
    only after a while.

    Args:
        fence_s: How long that takes.
        answered: Is told every answer to an order, as it came off the wire; None for a failure.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        network: Network,
        fence_s: Callable[[], float],
        answered: Callable[[StorySocket, str, dict[str, Any] | None], None],
    ) -> None:
        self._loop = loop
        self._network = network
        self._fence_s = fence_s
        self._answered = answered
        network.arrived = self._arrived
        self._tasks: set[asyncio.Task[None]] = set()
        self.has_database = True
        self.epoch = 0
        self.committed: list[dict[str, Any]] = []
        self.orders: dict[str, list[Order]] = {}
        self.settled: set[str] = set()
        self.current: StorySocket | None = None
        self.sent = self.answers = 0

    def now(self) -> datetime:
        return ISSUED + timedelta(seconds=self._loop.time())

    def order(self, command_id: UUID) -> Order | None:
        return next(
            (
                order
                for orders in self.orders.values()
                for order in orders
                if order.command_id == command_id
            ),
            None,
        )

    def resend(self, message: str) -> None:
        """Let an old order come again over whatever connection there is."""
        if self.current is not None:
            self.current.deliver(message)

    def resend_newest(self) -> None:
        """Let the order that was sent last come again."""
        sent = [one for orders in self.orders.values() for order in orders for one in order.sends]
        if sent:
            self.resend(sent[-1])

    @property
    def is_connected(self) -> bool:
        """Whether the newest connection is greeted and of use."""
        return self.current is not None and not self.current.is_closed

    def usurp(self) -> None:
        """Take the lane for a connection that the agent has given up meanwhile."""
        self.epoch += 1
        if self.current is not None:
            self._loop.call_later(self._fence_s(), self.current.cut)

    def _arrived(self, socket: StorySocket, message: str) -> None:
        match orjson.loads(message):
            case [2, call_id, action, payload]:
                answer = self._answer(socket, str(action), payload)
                if isinstance(answer, str):
                    socket.deliver(orjson.dumps([4, call_id, answer, "not now", {}]).decode())
                else:
                    socket.deliver(orjson.dumps([3, call_id, answer]).decode())
                if action in {"Hello", *EVENTS} and not isinstance(answer, str):
                    self._act(socket, str(action), payload)
            case [3, call_id, payload]:
                if "command_id" in payload:
                    self.answers += 1
                    self._answered(socket, str(call_id), payload)
                future = socket.answers.get(call_id)
                if future is not None and not future.done():
                    future.set_result(payload)
            case [4, call_id, *_]:
                # The outcome is not known, and the order is sent again.
                self._answered(socket, str(call_id), None)
            case _:
                raise AssertionError(message)

    def _answer(  # noqa: PLR0911 - one for each thing that is asked
        self, socket: StorySocket, action: str, payload: dict[str, Any]
    ) -> dict[str, Any] | str:
        if action == "Heartbeat":
            return {"sent_at": payload["sent_at"], "server_time": self.now()}
        if action == "FetchPolicy":
            return {
                "version": 0,
                "chunk": 0,
                "chunks": 0,
                "public_key": "",
                "signature": "",
                "data": "",
            }
        if not self.has_database:
            return "NotReady"
        if action == "Hello":
            return self._hello(socket, payload)
        assert action in EVENTS, action
        if socket.epoch != self.epoch:
            return "StaleEpoch"
        if payload["seq"] > self._last_seq + 1:
            return "NotReady"
        if payload["seq"] == self._last_seq + 1:
            assert payload["event_id"] not in [one["event_id"] for one in self.committed]
            self.committed.append({"action": action, **payload})
        return {"last_seq": self._last_seq}

    @property
    def _last_seq(self) -> int:
        return len(self.committed)

    def _hello(self, socket: StorySocket, payload: dict[str, Any]) -> dict[str, Any]:
        self.epoch += 1
        if self.current is not None and self.current is not socket:
            self._loop.call_later(self._fence_s(), self.current.cut)
        self.current, socket.epoch = socket, self.epoch
        socket.live_seq_min = max(payload["next_seq"], self._last_seq + 1)
        return {
            "session_epoch": self.epoch,
            "server_time": self.now(),
            "heartbeat_interval_s": 10.0,
            "last_seq": self._last_seq,
            "frame_bytes_max": 4194304,
        }

    def _act(self, socket: StorySocket, action: str, payload: dict[str, Any]) -> None:
        presentation_id = str(payload.get("presentation_id"))
        match action:
            case "Hello":
                standing = payload["presentation"]
                socket.presentation_id = standing and standing["presentation_id"]
                if socket.presentation_id is not None:
                    self._serve(socket, socket.presentation_id)
            case "Presentation" if payload["state"] == "occupied":
                if payload["seq"] >= socket.live_seq_min:
                    socket.presentation_id = presentation_id
            case "Presentation" if presentation_id == socket.presentation_id:
                socket.presentation_id = None
            case "OfflineDecision" if payload["choice"] == "open":
                self.settled.add(presentation_id)
            case "Observation" if not payload.get("is_backfill", False):
                if presentation_id == socket.presentation_id:
                    self._decide(socket, presentation_id, payload["plate"])
            case _:
                pass

    def _decide(self, socket: StorySocket, presentation_id: str, plate: str) -> None:
        if presentation_id in self.settled or not plate.startswith(WELCOME):
            return
        if presentation_id not in self.orders:
            self.orders[presentation_id] = [Order(new_id(self.now()), presentation_id, plate)]
            self._serve(socket, presentation_id)

    def _serve(self, socket: StorySocket, presentation_id: str) -> None:
        if presentation_id in self.orders:
            token = OWNER.set("world")
            task = self._loop.create_task(self._deliver(socket, presentation_id))
            OWNER.reset(token)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, socket: StorySocket, presentation_id: str) -> None:
        orders = self.orders[presentation_id]
        while socket.presentation_id == presentation_id and not socket.is_closed:
            order = orders[-1]
            if order.answer is None and len(order.sends) < SENDS_MAX:
                await self._send(socket, order)
            elif order.answer in {"expired", "stale_epoch", "barrier_failed"}:
                if len(orders) >= ORDERS_MAX:
                    return
                orders.append(Order(new_id(self.now()), presentation_id, order.plate))
            else:
                return
            await asyncio.sleep(0.2)

    async def _send(self, socket: StorySocket, order: Order) -> None:
        call_id = f"b{order.command_id.hex[-12:]}{len(order.sends)}"
        issued_at = self.now()
        order.ends_at = issued_at + timedelta(milliseconds=TTL_MS)
        payload = {
            "command_id": order.command_id,
            "presentation_id": order.presentation_id,
            "session_epoch": socket.epoch,
            "issued_at": issued_at,
            "ttl_ms": TTL_MS,
        }
        message = orjson.dumps([2, call_id, "OpenBarrier", payload]).decode()
        order.sends.append(message)
        self.sent += 1
        future: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        socket.answers[call_id] = future
        socket.deliver(message)
        try:
            async with asyncio.timeout(REPLY_S):
                answer = await future
        except TimeoutError:
            return
        order.answer = str(answer["reason"] or answer["status"])
