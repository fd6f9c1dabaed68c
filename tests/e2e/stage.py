"""A town of real processes to break: one place with two exits, one driver whose car pays."""

import asyncio
import os
import re
import signal
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

import httpx
from sqlalchemy import text

from gate_bridge.agent.play import street_path
from gate_bridge.agent.world import count_pulses
from parking.kit.errors import UnavailableError
from parking.payments import balances
from parking.places import service as places
from parking.places.models import Direction, IdentifiedArea
from parking.plates.frame_stream import FRAMES_STREAM
from parking.tariffs import service as tariffs
from sesame.demo.gate_agents import gate_agent
from sesame.demo.installation import DemoInstallation
from sesame.demo.lane import LaneClient, Visit
from sesame.demo.phone import Phone
from sesame.demo.town import ALTMARKT, TownLane, TownPlace
from sesame.supervisor import ProcessDownError
from tests.factories.one_receivable import with_one_receivable
from tests.servers import valkey_client

PICTURES: Final = Path("sesame/demo/pictures").absolute()
PLATE: Final = "AX417RT"
CAR: Final = (PICTURES / "paris-1.jpg", PICTURES / "paris-2.jpg")
FEE_MINOR: Final = 250
# One price for any stay, so that amounts are the same by day and by night.
RATE_TABLE: Final[dict[str, Any]] = {
    "timezone": "Europe/Berlin",
    "currency": "EUR",
    "collections": [
        {
            "name": "all day",
            "lines": [{"kind": "increment", "value": FEE_MINOR, "block": 1440, "from": 0}],
        }
    ],
}
ENTRY: Final = f"{ALTMARKT}-entry"
EXIT: Final = f"{ALTMARKT}-exit"
SECOND_EXIT: Final = f"{ALTMARKT}-exit-2"
RAW_ENTRY: Final = f"{ALTMARKT}-raw-entry"
PROCESSES: Final = ("acquirer", "fcm", "sms", "api", "gates", "recognizer", "worker")
AGENTS: Final = (ENTRY, EXIT, SECOND_EXIT)
AGENT_OPTIONS: Final = ("--reconnect-s-max", "0.5")
PUSHES: Final = ("SessionEntered", "GateOpened", "PaymentCharged", "GateOpened")
# The discard port: nobody listens.
NOWHERE: Final = "http://127.0.0.1:9/"
DEADLINE_S: Final = 30.0
LOOK_S: Final = 0.02
_LANE_CODE: Final = re.compile(r"Code (\d{6})")

ResultT = TypeVar("ResultT")


async def eventually(
    what: str | Callable[[], str],
    look: Callable[[], Awaitable[ResultT]],
    deadline_s: float = DEADLINE_S,
) -> ResultT:
    """Return what `look` finds as soon as that is something; a server that is away says nothing."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + deadline_s
    found: object = None
    while clock() < deadline:
        try:
            result = await look()
        except (UnavailableError, httpx.HTTPError) as error:
            found = error
        else:
            if result:
                return result
            found = result
        await asyncio.sleep(LOOK_S)
    named = what if isinstance(what, str) else what()
    raise AssertionError(f"{named}: not within {deadline_s:g} s; last seen: {found!r}")


@dataclass(frozen=True, slots=True)
class Before:
    """The street and the acquirer's books before an exit."""

    pulses: int
    orders: int


class Stage:
    """The town, and what a test needs to know of it."""

    def __init__(self, town: DemoInstallation, place: TownPlace, phone: Phone) -> None:
        self.town = town
        self.place = place
        self.phone = phone
        self.lanes: dict[str, TownLane] = {lane.key: lane for lane in place.lanes}
        self.more_clients: dict[str, LaneClient] = {}

    def lane(self, key: str) -> LaneClient:
        return self.more_clients[key] if key in self.more_clients else self.town.lane(key)

    async def rows(self, sql: str, **values: object) -> list[dict[str, Any]]:
        async with self.town.context.database.begin() as unit:
            result = await unit.run(text(sql), values)
            return [dict(row) for row in result.mappings()]

    async def eventually_rows(self, what: str, sql: str, **values: object) -> list[dict[str, Any]]:
        return await eventually(what, lambda: self.rows(sql, **values))

    # Processes

    def kill(self, name: str) -> None:
        """SIGKILL; the supervisor starts the child again."""
        self.town.supervisor.kill(name)

    async def kill_server(self, name: str) -> None:
        """SIGKILL for PostgreSQL or Valkey, and start it again with its data."""
        server = getattr(self.town.stack, name)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.restart)

    async def flush(self) -> None:
        """FLUSHALL."""
        with valkey_client(self.town.stack.endpoints.redis_url) as client:
            client.flushall()

    def freeze(self, name: str) -> None:
        self.town.supervisor.send(name, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        self.town.supervisor.send(name, signal.SIGCONT)

    @asynccontextmanager
    async def frozen(self, *names: str) -> AsyncGenerator[None]:
        """Stop children where they stand; those that were not killed meanwhile go on."""
        pids = {name: self.town.supervisor.pid(name) for name in names}
        for name in names:
            self.freeze(name)
        try:
            yield
        finally:
            for name, pid in pids.items():
                if self.pid(name) == pid:
                    self.thaw(name)

    def pid(self, name: str) -> int | None:
        try:
            return self.town.supervisor.pid(name)
        except ProcessDownError:
            return None

    def pids(self) -> dict[str, int | None]:
        return {name: self.pid(name) for name in (*PROCESSES, *AGENTS)}

    async def recover(self) -> None:
        """Wait until everything runs, and clear the lanes of what a failed test left there."""
        for name in (*PROCESSES, *AGENTS):
            if self.pid(name) is not None:
                self.thaw(name)
        await asyncio.gather(
            *(self.town.supervisor.wait_ready(name) for name in (*PROCESSES, *AGENTS))
        )
        for key in AGENTS:
            await self.lane(key).leave()
        await self.town.desk.play(clear=True)
        await self.town.desk.play(notice_url=f"{self.town.api_url}/callbacks/acquirer")

    async def lose_notices(self) -> None:
        """Let the acquirer's notices go nowhere: only its answers tell what became of a charge."""
        await self.town.desk.play(notice_url=NOWHERE)

    # Cars

    async def enter(self) -> UUID:
        """Drive the driver's car in, an hour ago; returns its session."""
        visit = await self.lane(ENTRY).car(CAR)
        await visit.passed()
        session_id = await self.session_of(visit)
        await self.age(session_id)
        await self.told(session_id)
        return session_id

    async def age(self, session_id: UUID) -> None:
        """Let a stay have begun an hour ago: one of less than a second costs nothing."""
        earlier = "UPDATE sessions SET entered_at = entered_at - interval '1 hour' WHERE id = :id"
        async with self.town.context.database.begin() as unit:
            await unit.run(text(earlier), {"id": session_id})

    async def told(self, session_id: UUID) -> None:
        """Wait until nobody has to be told anything more about a stay."""
        waiting: list[dict[str, Any]] = []

        async def nothing_waits() -> bool:
            waiting[:] = await self.rows(
                "SELECT type, attempts, next_at - now() AS wait FROM outbox"
                " WHERE subject_id = :id AND done_at IS NULL",
                id=session_id,
            )
            return not waiting

        await eventually(lambda: f"every event is told, but {waiting}", nothing_waits)

    async def session_of(self, visit: Visit) -> UUID:
        [row] = await self.eventually_rows(
            "a session of the presentation",
            "SELECT session_id FROM presentations WHERE id = :id AND session_id IS NOT NULL",
            id=visit.presentation_id,
        )
        return row["session_id"]

    def pulses(self) -> int:
        """Return how often the relays of both exits were pulsed, ever."""
        return sum(count_pulses(street_path(self.journal(key))) for key in (EXIT, SECOND_EXIT))

    def journal(self, key: str) -> Path:
        return self.lane_folder(self.lanes[key]) / "journal.db"

    def lane_folder(self, lane: TownLane) -> Path:
        return self.town.stack.folder.root / "lanes" / str(lane.lane_id)

    async def look(self) -> Before:
        return Before(self.pulses(), len(await self.town.desk.orders()))

    # Waiting for the middle of things

    async def attempt_stored(self, session_id: UUID) -> None:
        """Wait until a charge is on its way: stored, and not settled."""
        await self.eventually_rows(
            "a stored attempt",
            "SELECT 1 FROM payment_attempts WHERE session_id = :id AND state = 'sent'",
            id=session_id,
        )

    async def charge_booked(self, before: Before) -> None:
        """Wait until the acquirer has carried a charge out."""

        async def booked() -> bool:
            return len(await self.town.desk.orders()) == before.orders + 1

        await eventually("an order in the acquirer's books", booked)

    async def frames_stored(self, visit: Visit) -> None:
        """Wait until there are as many pictures as a read needs."""
        await self.eventually_rows(
            "two stored frames",
            "SELECT 1 FROM frames WHERE presentation_id = :id HAVING count(*) >= 2",
            id=visit.presentation_id,
        )

    def frames_queued(self) -> int:
        """Return how many frames lie before the recognisers; a frozen one takes none away."""
        with valkey_client(self.town.stack.endpoints.redis_url) as client:
            return client.xlen(FRAMES_STREAM)

    async def frames_in_flight(self, visit: Visit, queued_before: int) -> None:
        """Wait until every picture of a car is stored and queued, and no more of them come."""
        await self.frames_stored(visit)
        self.freeze(visit.lane.key)
        frames = "SELECT 1 FROM frames WHERE presentation_id = :id"

        async def all_queued() -> bool:
            stored = await self.rows(frames, id=visit.presentation_id)
            return self.frames_queued() == queued_before + len(stored)

        await eventually("every frame in the queue", all_queued)

    async def commands(self, visit: Visit) -> list[dict[str, Any]]:
        return await self.rows(
            "SELECT id, state, rejection FROM gate_commands WHERE presentation_id = :id ORDER BY"
            " issued_at, id",
            id=visit.presentation_id,
        )

    async def command_stored(self, visit: Visit) -> UUID:
        [command] = await eventually("an order to open", lambda: self.commands(visit))
        return command["id"]

    async def command_journalled(self, key: str, command_id: UUID) -> None:
        """Wait until an agent has written an order down. Its journal lets no other process read."""
        journal = self.journal(key)
        log = journal.with_name(f"{journal.name}-wal")

        async def written() -> bool:
            return str(command_id).encode() in log.read_bytes()

        await eventually("the order in the agent's journal", written)

    # What must have come of it

    async def expect_left_once(self, session_id: UUID, before: Before) -> None:
        """One charge, one pulse, a ledger that sums to zero, a car that is gone, each push once."""
        await self.expect_let_out_once(session_id, before)
        assert Counter(await self.pushes(session_id)) == Counter(PUSHES)

    async def expect_let_out_once(self, session_id: UUID, before: Before) -> None:
        """The same without the pushes."""
        await self.eventually_rows(
            "the car has left",
            "SELECT 1 FROM sessions WHERE id = :id AND left_at IS NOT NULL AND state = 'left'",
            id=session_id,
        )
        await self.eventually_rows(
            "a settled attempt",
            "SELECT 1 FROM payment_attempts WHERE session_id = :id AND state = 'succeeded'",
            id=session_id,
        )
        await self.told(session_id)
        await self.town.supervisor.wait_ready("acquirer")
        await self._expect_paid_once(session_id, before)
        inside = "SELECT 1 FROM open_sessions WHERE session_id = :id"
        assert await self.rows(inside, id=session_id) == []
        assert self.pulses() == before.pulses + 1

    async def pushes(self, session_id: UUID) -> list[str]:
        """Return the kinds of the pushes that the phone got about a stay."""
        return [
            push.kind
            for push in await self.town.pushes.pushes()
            if push.session_id == str(session_id) and push.target == self.phone.target
        ]

    async def _expect_paid_once(self, session_id: UUID, before: Before) -> None:
        attempts = await self.rows(
            "SELECT number FROM payment_attempts WHERE session_id = :id", id=session_id
        )
        orders = await self.town.desk.orders()
        assert [
            (order.number, order.kind, order.status, order.amount_minor, order.currency)
            for order in orders[before.orders :]
        ] == [(attempts[0]["number"], "charge", "succeeded", FEE_MINOR, "EUR")]
        assert len(attempts) == 1
        bills = await self.rows(
            "SELECT state, total_minor FROM bills WHERE session_id = :id", id=session_id
        )
        assert bills == [{"state": "paid", "total_minor": FEE_MINOR}]
        async with self.town.context.database.begin() as unit:
            found = await balances.balances(unit, self.place.operator_id)
        taken_minor = sum(order.amount_minor for order in orders if order.status == "succeeded")
        assert with_one_receivable(found) == {
            ("provider:acquirer", "EUR"): taken_minor,
            ("receivable", "EUR"): 0,
            ("revenue", "EUR"): -taken_minor,
        }


@asynccontextmanager
async def open_stage(data: Path) -> AsyncGenerator[Stage]:
    """Start everything, once for all tests."""
    given = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    # The phone never says that a push came: each deduction would wait minutes for its text.
    settings = {"SESAME_SMS_AFTER_MINUTES": "0"}
    async with DemoInstallation(
        data, durable=False, given=given, settings=settings, agent_options=AGENT_OPTIONS
    ) as town:
        place = town.town.place(ALTMARKT)
        async with town.phone("e2e driver") as phone:
            stage = Stage(town, place, phone)
            async with _more_lanes(stage, data):
                await _bind(stage)
                yield stage


@asynccontextmanager
async def _more_lanes(stage: Stage, data: Path) -> AsyncGenerator[None]:
    """Add a second exit, and an entry that has no agent; publish the price."""
    place = stage.place
    async with stage.town.context.database.begin() as unit:
        [row] = await stage.rows(
            "SELECT id FROM identified_areas WHERE place_id = :id", id=place.place_id
        )
        area = await unit.session.get(IdentifiedArea, (place.operator_id, row["id"]))
        assert area is not None
        for key, direction in ((SECOND_EXIT, Direction.EXIT), (RAW_ENTRY, Direction.ENTRY)):
            new = places.add_lane(unit, area, name=key, direction=direction)
            stage.lanes[key] = TownLane(
                key=key, lane_id=new.lane.id, direction=direction, token=new.device_token
            )
        await tariffs.publish(
            unit, place.operator_id, place.place_id, currency="EUR", body=RATE_TABLE
        )
    lane = stage.lanes[SECOND_EXIT]
    socket = data / SECOND_EXIT
    async with LaneClient(lane.key, socket) as client:
        stage.more_clients[lane.key] = client
        await stage.town.supervisor.start(
            gate_agent(
                lane,
                folder=stage.lane_folder(lane),
                socket=socket,
                gates_url=stage.town.gates_url,
                environment=os.environ,
                options=AGENT_OPTIONS,
            )
        )
        yield


async def _bind(stage: Stage) -> None:
    """Bind the car by the code on the entry's display, and allow payment without a password."""
    claim_id = await stage.phone.claim(PLATE)
    before = await stage.look()
    visit = await stage.lane(ENTRY).car(CAR)
    code = _LANE_CODE.search("\n".join((await visit.display())["lines"]))
    assert code is not None
    await stage.phone.confirm(claim_id, code.group(1))
    await stage.phone.authorize()
    await visit.passed()
    session_id = await stage.session_of(visit)
    await stage.age(session_id)
    leaving = await stage.lane(EXIT).car(CAR)
    await leaving.passed()
    # Whether the driver hears of the first opening depends on which comes first: it or the binding.
    await stage.expect_let_out_once(session_id, before)
