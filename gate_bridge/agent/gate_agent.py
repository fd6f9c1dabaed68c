"""The agent of one lane: stays connected to a bridge, whatever happens to either."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self, cast

import orjson
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.frames import CloseCode
from websockets.typing import Subprotocol

from gate_bridge.agent.backoff import full_jitter_s
from gate_bridge.agent.barrier import BarrierPort
from gate_bridge.agent.camera import Camera, PicturesOfCar
from gate_bridge.agent.credentials import GateCredentials
from gate_bridge.agent.guards import Situation
from gate_bridge.agent.health import SelfReport
from gate_bridge.agent.journal import Journal
from gate_bridge.agent.lane_state import LaneState
from gate_bridge.agent.lane_work import LaneWork
from gate_bridge.agent.offline.lane import Loop, OfflineLane
from gate_bridge.agent.opening import Opening
from gate_bridge.agent.options import AgentOptions
from gate_bridge.agent.pushed_pictures import PushedPictures
from gate_bridge.agent.renewing import CertificateRenewal
from gate_bridge.agent.reports import Report, Reporter
from gate_bridge.agent.server_time import ServerTime
from gate_bridge.agent.session import AGENT_VERSION, BridgeSession
from gate_bridge.loops import keep_running, stop_task
from gate_bridge.wire.closing import RETRY_SLOWLY, retry_within_s
from gate_bridge.wire.limits import SUBPROTOCOLS
from gate_bridge.wire.link import LinkClosedError
from parking.kit.clock import Clock
from parking.kit.errors import ParkingError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_OPEN_TIMEOUT_S = 5.0
_CLOSE_TIMEOUT_S = 1.0
_SLOW_TRIES = 6
_REFUSED_STATUSES = frozenset({400, 401, 403, 404})


class GateAgent:
    """One lane's edge. Use it as an async context; it connects and reconnects inside.

    Args:
        barrier: The machine.
        pictures_of_car: What the camera sees of the car that stands there.
        report: Is told what happens.
        pushed: Pictures that cameras send by themselves.
    """

    def __init__(
        self,
        options: AgentOptions,
        journal: Journal,
        barrier: BarrierPort,
        pictures_of_car: PicturesOfCar,
        clock: Clock,
        report: Reporter,
        *,
        pushed: PushedPictures | None = None,
    ) -> None:
        options.check()
        self._options = options
        self._journal = journal
        self._barrier = barrier
        self._pictures_of_car = pictures_of_car
        self._report = report
        self._pushed = pushed or PushedPictures()
        self._server_time = ServerTime()
        self._stack = AsyncExitStack()
        self._work = LaneWork()
        self._offline = OfflineLane(
            options.lane_id, journal, clock, self._server_time, report, options.offline
        )
        self.state = LaneState(journal, barrier, self._server_time, self._offline.clock, report)
        self.camera = Camera(self.state, report)
        self.health = SelfReport(journal, barrier, self._server_time, clock)
        self.health.policy_version = self._offline.version
        self._renewal = self._make_renewal()

    async def __aenter__(self) -> Self:
        await self._offline.start()
        await self.state.start()
        self._stack.push_async_callback(self.state.close)
        self._begin(("signals", self.state.run))
        # After nothing new can begin, and while what the machine says is still heard.
        self._stack.push_async_callback(self._work.close)
        self._begin(
            ("look", self.state.look),
            ("connection", self._stay_connected),
            *self._offline.loops(self.state, self._barrier, self._work),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def _begin(self, *loops: Loop) -> None:
        for name, loop in loops:
            task = asyncio.create_task(keep_running(name, loop))
            self._stack.push_async_callback(stop_task, task)

    async def has_unsent_events(self) -> bool:
        """Return whether the bridge has yet to commit something."""
        return bool(await self._journal.queued(1))

    def _make_renewal(self) -> CertificateRenewal | None:
        options = self._options
        if options.certificate is None:
            return None
        return CertificateRenewal(
            GateCredentials(options.certificate, options.key, options.tls_ca),
            now=self.state.now,
            is_lane_free=lambda: self.state.car is None,
            report=self._report,
        )

    async def _stay_connected(self) -> None:
        tries = 0
        while True:
            session: BridgeSession | None = None
            failures: list[BaseException] = []
            try:
                async with self._connect() as socket:
                    session = self._session(socket)
                    await self._serve(session, socket)
            except* Exception as group:  # noqa: BLE001 - whatever ended it, the lane connects again
                failures = list(_leaves(group))
            self._offline.bridge.lost()
            _log_defects(failures)
            lasting = any(_needs_a_person(failure) for failure in failures)
            tries = 0 if session is not None and session.ready.is_set() else tries + 1
            ended = _ended(failures)
            if tries and self._renewal is not None:
                ended["error"] = self._renewal.trouble() or ended["error"]
            self._report(ended)
            wait_tries = max(tries, _SLOW_TRIES) if lasting else tries
            hint_s = max(map(hinted_pause_s, failures), default=0.0)
            await asyncio.sleep(full_jitter_s(wait_tries, self._options.reconnect_s_max, hint_s))

    async def _serve(self, session: BridgeSession, socket: ClientConnection) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(session.run())
                group.create_task(self._offline.follow(session.ready, session))
                group.create_task(self.camera.run(session, self._pictures_of_car))
                group.create_task(self.camera.run_pushed(session, self._pushed))
                if self._renewal is not None:
                    group.create_task(self._renewal.run(session))
        except asyncio.CancelledError:
            await socket.close(CloseCode.GOING_AWAY, "the agent stops")
            raise

    def _session(self, socket: ClientConnection) -> BridgeSession:
        return BridgeSession(
            socket,
            lane_id=self._options.lane_id,
            journal=self._journal,
            state=self.state,
            opening=self._opening,
            work=self._work,
            server_time=self._server_time,
            health=self.health,
            bridge=self._offline.bridge,
            on_answer=self.camera.answer,
            on_policy=self._offline.keeper.announced,
            report=self._report,
            limits=self._options.limits,
        )

    def _opening(self, situation: Callable[[], Situation]) -> Opening:
        return Opening(self._journal, self._barrier, situation, self.state)

    def _connect(self) -> connect:
        limits = self._options.limits
        return connect(
            self._options.address,
            additional_headers=self._options.headers(),
            subprotocols=[Subprotocol(version) for version in SUBPROTOCOLS],
            user_agent_header=AGENT_VERSION,
            compression=None,
            proxy=None,
            open_timeout=_OPEN_TIMEOUT_S,
            close_timeout=_CLOSE_TIMEOUT_S,
            ping_interval=limits.ping_interval_s,
            ping_timeout=limits.ping_interval_s,
            max_size=limits.text_bytes_max,
            ssl=self._options.tls(),
        )


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(cast("BaseExceptionGroup[BaseException]", error))
        else:
            yield error


def _log_defects(failures: list[BaseException]) -> None:
    expected = (ParkingError, OSError, TimeoutError, WebSocketException)
    for failure in failures:
        if not isinstance(failure, expected):
            _log.error("agent_failed", exc_info=failure)


def _needs_a_person(error: BaseException) -> bool:
    match error:
        case InvalidStatus():
            return error.response.status_code in _REFUSED_STATUSES
        case LinkClosedError():
            return error.close_code in RETRY_SLOWLY
        case _:
            return False


def hinted_pause_s(error: BaseException) -> float:
    """Return within how long the bridge wishes to be asked again; 0 where it does not say."""
    match error:
        case InvalidStatus():
            told = error.response.headers.get("Retry-After", "")
            return float(told) if told.isdecimal() else 0.0
        case LinkClosedError():
            return retry_within_s(error.reason)
        case _:
            return 0.0


def _ended(failures: list[BaseException]) -> Report:
    report: Report = {"event": "disconnected", "code": None, "error": "closed"}
    for failure in failures:
        match failure:
            case LinkClosedError():
                report |= {"code": failure.close_code, "error": str(failure)}
            case InvalidStatus():
                body = bytes(failure.response.body or b"")
                report |= {"code": failure.response.status_code, "error": _message(body)}
                break
            case _:
                report["error"] = str(failure) or type(failure).__name__
    return report


def _message(body: bytes) -> str:
    try:
        match orjson.loads(body):
            case {"error": {"message": str(message)}}:
                return message
            case _:
                return "refused"
    except orjson.JSONDecodeError:
        return body[:200].decode(errors="replace")
