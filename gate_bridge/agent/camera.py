"""Sends pictures of the car on the loop until the bridge has its answer."""

import asyncio
from collections.abc import Callable
from uuid import UUID

from gate_bridge.agent.errors import PictureError, StreamSilentError
from gate_bridge.agent.journal import CurrentCar
from gate_bridge.agent.lane_state import LaneState
from gate_bridge.agent.pictures import FRAMES_PER_S, Picture, PictureSource
from gate_bridge.agent.pushed_pictures import PushedPictures
from gate_bridge.agent.reports import Reporter
from gate_bridge.agent.session import BridgeSession
from gate_bridge.wire.actions import Frame
from gate_bridge.wire.errors import CallRefusedError
from parking.kit.ids import new_id

FRAMES_PER_CONNECTION_MAX = 50
REFUSED_PICTURES_MAX = 5

PicturesOfCar = Callable[[], PictureSource | None]
"""Opens the camera on the car that stands on the loop; None where nothing is to be seen."""


class Camera:
    """The camera of one lane.

    After a reconnect it starts again: a bridge that was killed may have lost what it had read.
    """

    def __init__(self, state: LaneState, report: Reporter) -> None:
        self._state = state
        self._report = report
        self._answered: UUID | None = None

    def answer(self, presentation_id: UUID | None) -> None:
        """Stop sending pictures of this car."""
        if presentation_id is not None:
            self._answered = presentation_id

    async def run(self, session: BridgeSession, pictures_of_car: PicturesOfCar) -> None:
        """Send pictures of every car over one connection, until cancelled."""
        self._answered = None
        await session.ready.wait()
        while True:
            self._state.car_changed.clear()
            car = self._state.car
            if car is not None and not self._done(car):
                # The bridge takes pictures only of a presentation that it knows.
                await session.reported(car.event_id)
                source = pictures_of_car()
                if source is not None:
                    await self._show(session, car, source)
            await self._state.car_changed.wait()

    async def run_pushed(self, session: BridgeSession, pushed: PushedPictures) -> None:
        """Send what cameras pushed of the car on the loop, until cancelled.

        Also after the answer: it is the evidence of what the camera read.
        """
        await session.ready.wait()
        while True:
            await pushed.wait()
            car = self._state.car
            picture = None if car is None else pushed.take(car.presentation_id)
            if car is None or picture is None:
                continue
            await session.reported(car.event_id)
            try:
                await self._send(session, car, picture)
            except CallRefusedError as error:
                self._report_refused(picture, error)
            except PictureError as error:
                self._report({"event": "picture_unusable", "error": str(error)})

    async def _show(self, session: BridgeSession, car: CurrentCar, source: PictureSource) -> None:
        try:
            await self._send_all(session, car, source)
        except PictureError as error:
            self._report({"event": "picture_unusable", "error": str(error)})
        finally:
            await source.close()

    async def _send_all(
        self, session: BridgeSession, car: CurrentCar, source: PictureSource
    ) -> None:
        refused, is_silent = 0, False
        loop = asyncio.get_running_loop()
        for _ in range(FRAMES_PER_CONNECTION_MAX):
            next_at_s = loop.time() + 1 / FRAMES_PER_S
            try:
                picture = await source.next()
            except StreamSilentError as error:
                # It has waited for one already, and may have the next picture any moment.
                if not is_silent:
                    self._report({"event": "picture_unusable", "error": str(error)})
                is_silent = True
                if self._done(car):
                    return
                continue
            if picture is None or self._done(car):
                return
            try:
                await self._send(session, car, picture)
            except CallRefusedError as error:
                refused += 0 if error.transient else 1
                self._report_refused(picture, error)
                if refused >= REFUSED_PICTURES_MAX or self._done(car):
                    return
            await asyncio.sleep(max(0.0, next_at_s - loop.time()))

    async def _send(self, session: BridgeSession, car: CurrentCar, picture: Picture) -> None:
        if len(picture.image) > session.frame_bytes_max:
            raise PictureError(f"{picture.name}: at most {session.frame_bytes_max} bytes")
        now = self._state.now()
        frame = Frame(
            frame_id=new_id(now),
            presentation_id=car.presentation_id,
            captured_at=now,
            content_type=picture.content_type,
        )
        await session.send_frame(frame, picture.image)

    def _done(self, car: CurrentCar) -> bool:
        return self._state.car != car or self._answered == car.presentation_id

    def _report_refused(self, picture: Picture, error: CallRefusedError) -> None:
        self._report(
            {
                "event": "picture_refused",
                "picture": picture.name,
                "code": error.wire_code,
                "error": error.description,
                "field": error.details.get("field"),
            }
        )
