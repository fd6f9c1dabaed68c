"""A lane of the town, driven over the control socket of its agent's process."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Final, Self

from parking.kit.errors import ParkingError

Report = dict[str, Any]

REPORTS_MAX: Final = 2000
LINE_BYTES_MAX: Final = 64 * 1024
ANSWER_TIMEOUT_S: Final = 10.0
CONNECT_TIMEOUT_S: Final = 20.0
RETRY_S: Final = 0.05
ARM_LOOKS_MAX: Final = 200
STATUS_TRIES_MAX: Final = 5
_ANSWERS: Final = frozenset({"ok", "error", "status"})


class LaneRefusedError(ParkingError):
    """The agent did not carry out what it was told."""

    code: ClassVar[str] = "LANE_REFUSED"


class LaneSilentError(ParkingError):
    """Something did not happen at the lane in time; the message says what did."""

    code: ClassVar[str] = "LANE_SILENT"


class LaneGoneError(LaneSilentError):
    """The agent's process ended before it answered; whether it did as told is not known."""

    code: ClassVar[str] = "LANE_GONE"
    retryable: ClassVar[bool] = True


class LaneClient:
    """One lane's camera, loops, barrier and display; reconnects when the agent was killed.

    Attributes:
        busy: Held by whoever has a car at the lane.
        reports: What the agent reported, oldest first.
    """

    def __init__(
        self, key: str, socket: Path, on_report: Callable[[str, Report], None] | None = None
    ) -> None:
        self.key = key
        self.busy = asyncio.Lock()
        self.reports: deque[Report] = deque(maxlen=REPORTS_MAX)
        self._socket = socket
        self._on_report = on_report
        self._changed = asyncio.Condition()
        self._orders = asyncio.Lock()
        self._answer: asyncio.Future[Report] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._connected = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._reading = asyncio.create_task(self._keep_reading(), name=f"lane {self.key}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})

    async def car(self, pictures: Sequence[Path]) -> "Visit":
        """Let a car come that the camera sees as these pictures, in turn.

        Raises:
            LaneRefusedError: a car stands there, or a picture cannot be read.
        """
        before = await self.status()
        answer = await self.tell({"car": [str(path.absolute()) for path in pictures]})
        return Visit(self, str(answer["presentation_id"]), int(before["pulses"]))

    async def visit(self) -> "Visit | None":
        """Return the visit of the car that stands there now, if one does."""
        status = await self.status()
        if status["presentation_id"] is None:
            return None
        return Visit(self, status["presentation_id"], int(status["pulses"]))

    async def leave(self) -> None:
        """Let the car back out; without one nothing happens."""
        if (await self.status())["presentation_id"] is not None:
            await self.tell({"leave": True})

    async def status(self) -> Report:
        """Return `presentation_id`, `arm` and `pulses`."""
        for _ in range(STATUS_TRIES_MAX - 1):
            try:
                return await self.tell({"status": True})
            except LaneGoneError:
                # Asking again does no harm, and a killed agent comes back.
                continue
        return await self.tell({"status": True})

    async def tell(self, order: Report) -> Report:
        """Send one control line and return the agent's answer.

        Raises:
            LaneRefusedError: it did not carry it out.
            LaneSilentError: it does not answer, or was killed meanwhile.
        """
        async with self._orders:
            answer = await self._exchange(order)
        if answer["event"] == "error":
            raise LaneRefusedError(f"{self.key}: {answer['error']}")
        return answer

    async def wait(self, wanted: Callable[[Report], bool], what: str, timeout_s: float) -> Report:
        """Return the first report that is wanted, an earlier one too.

        Raises:
            LaneSilentError: none came in time.
        """
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                while True:
                    for report in self.reports:
                        if wanted(report):
                            return report
                    await self._changed.wait()
        except TimeoutError:
            seen = ", ".join(_told(report) for report in list(self.reports)[-8:])
            message = f"{self.key}: no {what} within {timeout_s:g} s; last were: {seen}"
            raise LaneSilentError(message) from None

    async def _exchange(self, order: Report) -> Report:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._connected.wait()
            self._answer = asyncio.get_running_loop().create_future()
            if self._writer is not None:
                self._writer.write(json.dumps(order).encode() + b"\n")
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await self._answer
        except TimeoutError:
            raise LaneSilentError(f"{self.key}: the agent does not answer") from None
        except ConnectionError as error:
            raise LaneGoneError(f"{self.key}: the agent went away") from error
        finally:
            self._answer = None

    async def _keep_reading(self) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(
                    self._socket, limit=LINE_BYTES_MAX
                )
            except OSError:
                # The agent is not up yet, or was killed and comes back.
                await asyncio.sleep(RETRY_S)
                continue
            self._writer = writer
            self._connected.set()
            try:
                while line := await reader.readline():
                    await self.take(json.loads(line))
            except (OSError, ValueError):
                # A killed agent's last line may be cut.
                pass
            finally:
                self._writer = None
                self._connected.clear()
                self._drop_answer()
                writer.close()
            await asyncio.sleep(RETRY_S)

    async def take(self, report: Report) -> None:
        """Take in what the agent reports."""
        if report["event"] in _ANSWERS:
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(report)
            return
        async with self._changed:
            self.reports.append(report)
            self._changed.notify_all()
        if self._on_report is not None:
            self._on_report(self.key, report)

    def _drop_answer(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("the agent went away"))


def _told(report: Report) -> str:
    words = [str(report["event"]), *report.get("lines", ())]
    words += [str(report[name]) for name in ("kind", "status", "reason") if report.get(name)]
    return " ".join(words)


class Visit:
    """One car at one lane, from the loop's rise to its fall."""

    def __init__(self, lane: LaneClient, presentation_id: str, pulses_before: int) -> None:
        self.lane = lane
        self.presentation_id = presentation_id
        self._pulses_before = pulses_before

    async def display(self, *, timeout_s: float = 15.0) -> Report:
        """Return the first text that the lane showed this car: `lines` and `qr`."""
        return await self._wait("display", timeout_s)

    async def order(self, *, status: str = "accepted", timeout_s: float = 15.0) -> Report:
        """Return the first order to open that ended so: `accepted` or `rejected`."""
        return await self._wait("order", timeout_s, status=status)

    async def barrier(self, kind: str, *, timeout_s: float = 15.0) -> Report:
        """Return the first barrier event of this kind for this car."""
        return await self._wait("barrier", timeout_s, kind=kind)

    async def passed(self, *, timeout_s: float = 20.0) -> None:
        """Wait until the car drove through and the arm is down again.

        Raises:
            LaneSilentError: it stands there still.
        """
        await self._wait("cleared", timeout_s)
        for _ in range(ARM_LOOKS_MAX):
            if (await self.lane.status())["arm"] == "down":
                return
            await asyncio.sleep(RETRY_S)
        raise LaneSilentError(f"{self.lane.key}: the arm does not come down")

    async def pulses(self) -> int:
        """Return how often the relay was pulsed since this car came."""
        return int((await self.lane.status())["pulses"]) - self._pulses_before

    def orders(self) -> list[Report]:
        """Return the agent's answers to every order to open for this car, so far."""
        return [report for report in self.lane.reports if self._is_mine(report, "order")]

    def _is_mine(self, report: Report, event: str, **fields: str) -> bool:
        return (
            report["event"] == event
            and report.get("presentation_id") == self.presentation_id
            and all(report.get(name) == value for name, value in fields.items())
        )

    async def _wait(self, event: str, timeout_s: float, **fields: str) -> Report:
        what = " ".join([event, *fields.values()])
        return await self.lane.wait(
            lambda report: self._is_mine(report, event, **fields), what, timeout_s
        )
