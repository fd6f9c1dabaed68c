"""A lane of a site without a bridge: real store, desk and journal; a barrier that does as told."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import orjson

from gate_bridge.agent.barrier import ArmPosition, Feedback, LoopChange
from gate_bridge.agent.journal import Journal
from gate_bridge.agent.lane_state import LaneState
from gate_bridge.agent.machines.contacts import ContactUse
from gate_bridge.agent.machines.relay import Permit
from gate_bridge.agent.pushed_pictures import PushedPictures
from gate_bridge.agent.reports import Report
from gate_bridge.agent.server_time import ServerTime
from gate_bridge.agent.site.camera_watch import CameraWatch
from gate_bridge.agent.site.car_watch import LoopWatch
from gate_bridge.agent.site.contact_words import InputMeaning
from gate_bridge.agent.site.device_line import DeviceLine
from gate_bridge.agent.site.intake import Intake, Seat
from gate_bridge.agent.site.lane_desk import LaneDesk
from gate_bridge.agent.site.message_store import MessageStore
from gate_bridge.agent.site.reply_relay import ReplyRelay
from gate_bridge.agent.site.settings import SiteDevice
from gate_bridge.drivers.port import (
    Arm,
    CameraRead,
    DeviceMessage,
    DevicePicture,
    DeviceReply,
    DeviceSettings,
    DeviceSignal,
    Heading,
    InputSignal,
    KeepAlive,
    NotAnprError,
)
from gate_bridge.loops import stop_task
from parking.kit.clock import Clock, SystemClock
from parking.kit.errors import InvalidInputError

CAMERA = "camera"


class PlainDriver:
    """A made-up maker: what it sends is JSON that names the signals' fields."""

    def __init__(self, *, reply_opens: bool = False) -> None:
        self.name = "plain"
        self.reply_opens = reply_opens

    def signals(self, message: DeviceMessage, settings: DeviceSettings) -> list[DeviceSignal]:
        del settings
        match orjson.loads(message.body):
            case {"plate": plate, **rest}:
                captured_at = rest.get("captured_at")
                return [
                    CameraRead(
                        plate=plate,
                        confidence=rest.get("confidence", 0.95),
                        captured_at=message.received_at
                        if captured_at is None
                        else datetime.fromisoformat(captured_at),
                        heading=Heading(rest.get("heading", "unknown")),
                        read_id=rest.get("read_id"),
                        is_backfill=rest.get("is_backfill", False),
                        pictures=(DevicePicture(b"\xff\xd8picture", "image/jpeg"),),
                    )
                ]
            case {"input": number, "is_on": is_on}:
                return [InputSignal(number=number, is_on=is_on)]
            case {"time": time}:
                return [KeepAlive(device_time=datetime.fromisoformat(time))]
            case {"defect": _}:
                raise ZeroDivisionError
            case {"motion": _}:
                raise NotAnprError("motion")
            case _:
                raise InvalidInputError("body", "a plate")

    def reply(
        self, message: DeviceMessage, settings: DeviceSettings, *, opens: bool
    ) -> DeviceReply:
        del message, settings, opens
        return DeviceReply()


class FakeMachine:
    """A lane's machine whose loop does as it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self._is_occupied = False
        self._feedback: asyncio.Queue[Feedback] = asyncio.Queue(100)

    def contact(self, use: ContactUse, *, is_on: bool) -> None:
        self.told.append(f"{use.value} {is_on}")
        if use is ContactUse.LOOP:
            self.car_on_loop(is_on=is_on)

    def car_on_loop(self, *, is_on: bool) -> None:
        if self._is_occupied != is_on:
            self._is_occupied = is_on
            change = LoopChange.OCCUPIED if is_on else LoopChange.CLEARED
            self._feedback.put_nowait(Feedback(change))

    def arm_moved(self, arm: Arm) -> None:
        self.told.append(f"arm {arm.value}")

    async def pulse(self, command_id: UUID, deadline_s: float) -> None:
        raise NotImplementedError

    def position(self) -> ArmPosition:
        return ArmPosition.DOWN

    def loop_occupied(self) -> bool:
        return self._is_occupied

    async def next_feedback(self) -> Feedback:
        return await self._feedback.get()


@dataclass(slots=True)
class LaneStage:
    """What a test works with."""

    intake: Intake
    store: MessageStore
    journal: Journal
    state: LaneState
    desk: LaneDesk
    machine: FakeMachine
    line: DeviceLine
    relay: ReplyRelay
    pushed: PushedPictures
    clock: Clock
    reports: list[Report] = field(default_factory=list[Report])

    async def keep(self, **body: object) -> UUID:
        """Let the device send without waiting for what follows."""
        message = DeviceMessage(
            target="/", headers={}, body=orjson.dumps(body), received_at=self.clock.now()
        )
        return await self.intake.keep(CAMERA, message)

    async def send(self, **body: object) -> bool:
        """Let the device send, and wait until it is acted on."""
        opens = await self.intake.act(await self.keep(**body))
        await self.intake.close()
        return opens

    async def events(self) -> list[dict[str, object]]:
        """What waits in the lane's journal for the bridge."""
        return [
            {"action": event.action, **orjson.loads(event.body)}
            for event in await self.journal.queued(100)
        ]

    async def told(self) -> list[str]:
        """The journal in short words."""
        return [
            f"late {event['plate']}"
            if event.get("is_backfill")
            else str(event.get("plate") or event.get("state") or event.get("kind"))
            for event in await self.events()
        ]

    def order(self, status: str = "accepted") -> None:
        """Let the agent report that the barrier was opened for the car that is there."""
        car = self.state.car
        assert car is not None
        self.desk.hear(
            {"event": "order", "status": status, "presentation_id": str(car.presentation_id)}
        )


def permit() -> Permit:
    return Permit(uuid4(), deadline_s=1.0, steady=lambda: 0.0, objection=lambda: None)


@asynccontextmanager
async def lane_stage(
    folder: Path,
    *,
    has_loop: bool = False,
    reply_opens: bool = False,
    clock: Clock | None = None,
    reply_window_s: float = 60.0,
    sees_rear: bool = False,
    machine: FakeMachine | None = None,
) -> AsyncGenerator[LaneStage]:
    clock = clock or SystemClock()
    store = await MessageStore.open(folder / "messages.sqlite")
    journal = await Journal.open(folder / "lane.sqlite")
    machine = machine or FakeMachine()
    pushed, relay = PushedPictures(), ReplyRelay()
    reports: list[Report] = []
    server_time = ServerTime()

    def report(record: Report) -> None:
        reports.append(record)
        desk.hear(record)

    state = LaneState(journal, machine, server_time, clock, report)
    ahead = await store.clocks()
    settings = DeviceSettings(name=CAMERA, zone=ZoneInfo("UTC"))
    device = SiteDevice(settings=settings, lane_id=UUID(int=1), driver="plain", sees_rear=sees_rear)
    line = DeviceLine(device, PlainDriver(reply_opens=reply_opens), ahead.get(CAMERA))
    desk = LaneDesk(
        LoopWatch() if has_loop else CameraWatch(),
        state,
        machine,
        pushed,
        has_loop=has_loop,
        relay=relay if reply_opens else None,
        count=lambda _, what: line.health.counts.update([what]),
        steady=server_time.steady,
    )
    intake = Intake(store, {CAMERA: line}, clock, reply_window_s)
    inputs = {1: InputMeaning(ContactUse.LOOP, is_inverted=False)}
    seat = Seat(desk, machine, inputs, "entry")
    await intake.restore_inputs(CAMERA, seat)
    intake.seat(CAMERA, seat)
    await state.start()
    desk.begin()
    tasks = [asyncio.create_task(state.run()), asyncio.create_task(desk.run())]
    try:
        yield LaneStage(
            intake, store, journal, state, desk, machine, line, relay, pushed, clock, reports
        )
    finally:
        await intake.close()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await stop_task(task)
        await journal.close()
        await store.close()
