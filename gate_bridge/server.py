"""The bridge process: its listener and its loops."""

import asyncio
import logging
import os
import re
import secrets
import socket
import ssl
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

from gate_bridge.admission import Admission, GateSocket, choose_version
from gate_bridge.certificate_watch import CertificateWatch
from gate_bridge.connection import GateConnection
from gate_bridge.connection_tools import ConnectionTools
from gate_bridge.fleet import FleetHealth
from gate_bridge.frame_queue import FrameQueue
from gate_bridge.handshakes import Handshakes, guarded
from gate_bridge.identity_port import GateIdentity
from gate_bridge.lane_budgets import LaneBudgets
from gate_bridge.liveness import Liveness
from gate_bridge.loops import Loop, keep_running, stop_task
from gate_bridge.metrics import BridgeMetrics
from gate_bridge.options import BridgeOptions
from gate_bridge.pokes import LanePokes
from gate_bridge.policy_rounds import PolicyRounds
from gate_bridge.port import LaneService
from gate_bridge.presentation import LaneTools
from gate_bridge.probes import Probes
from gate_bridge.readiness import DomainWatch
from gate_bridge.registry import LaneRegistry
from gate_bridge.retry import call_once
from gate_bridge.signs import Signs
from gate_bridge.timings import TimingsListener, log_timings
from gate_bridge.tls import listener_tls
from gate_bridge.turns import Turns
from gate_bridge.valkey import Valkey
from gate_bridge.wire.closing import GateCloseCode, restart_reason
from gate_bridge.wire.limits import SUBPROTOCOLS
from parking.events.pokes import GATES_CHANNEL
from parking.kit.clock import Clock
from parking.kit.errors import InvalidInputError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_BACKLOG = 4096
_OPEN_TIMEOUT_S = 15.0
_CLOSE_TIMEOUT_S = 2.0
_TRUSTED_TIMEOUT_S = 10.0
_WRITE_BYTES_MAX = 2**16
_MESSAGES_QUEUED_MAX = 4
# Of the ten connections to the database that a bridge has: cars need the others.
_GREETINGS_AT_ONCE = 5
_GREETINGS_WAITING_MAX = 400
# Less than an agent waits: the rest are told to come again, before they give up.
_GREETING_WAIT_S_MAX = 3.0
_DRAIN_S = 5.0


class GateBridge:
    """One bridge process; another one beside it takes other lanes, or the same after a failure.

    Use it as an async context: it listens inside and closes its connections with 1012 at the end.
    """

    def __init__(
        self,
        service: LaneService,
        redis_url: str,
        options: BridgeOptions,
        clock: Clock,
        on_timings: TimingsListener = log_timings,
        identity: GateIdentity | None = None,
    ) -> None:
        options.check()
        if options.tls_cert is not None and identity is None:
            raise InvalidInputError("identity", "who knows the gates' certificates, with TLS")
        self._identity = None if options.tls_cert is None else identity
        self._watch: CertificateWatch | None = None
        self.name = _process_name()
        self._options = options
        self._valkey = Valkey(redis_url)
        self._frames = FrameQueue(self._valkey, self.name)
        self._pokes = LanePokes(self._valkey, self.name)
        registry = LaneRegistry()
        metrics = BridgeMetrics(lambda: len(registry))
        self._fleet = FleetHealth(service, self.name, clock, metrics)
        self._signs = Signs(service, registry.all, options.sign_look_s)
        self._domain = DomainWatch(service, options.ready_look_s)
        self._metrics = metrics
        self._handshakes: Handshakes | None = None
        self._probes = Probes(service, self._valkey, metrics)
        greetings = Turns(_GREETINGS_AT_ONCE, _GREETINGS_WAITING_MAX, _GREETING_WAIT_S_MAX)
        self._admission = Admission(service, self._probes, greetings, self._identity)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: Server | None = None
        self._probe_server: Server | None = None
        self._stack = AsyncExitStack()
        wire = options.wire
        self._liveness = Liveness(wire.ping_interval_s, self._spawn)
        self._policies = PolicyRounds(service, wire, options.reading.service_timeout_s, self._spawn)
        self._tools = ConnectionTools(
            bridge=self.name,
            clock=clock,
            limits=wire,
            registry=registry,
            pokes=self._pokes,
            lane_tools=LaneTools(service, self._frames, options.reading, on_timings),
            frame_budgets=LaneBudgets(wire.frame_bytes_per_s, wire.frame_bytes_burst),
            fleet=self._fleet,
            metrics=metrics,
            spawn=self._spawn,
            greetings=greetings,
            policy_budgets=LaneBudgets(wire.policy_parts_per_s, wire.policy_parts_burst),
            policy_rounds=self._policies,
            liveness=self._liveness,
            domain=self._domain,
            look_at_signs=self._signs.look,
            identity=self._identity,
        )
        if self._identity is not None:
            self._watch = CertificateWatch(self._identity, clock, options.certificate_look_s)
            self._pokes.listen_to(GATES_CHANNEL, lambda _epoch: self._look_at_certificates())

    @property
    def port(self) -> int:
        """Return the port that the bridge listens on."""
        if self._server is None:
            raise RuntimeError("the bridge does not listen yet")
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def probe_port(self) -> int:
        """Return the port that answers probes alone."""
        if self._probe_server is None:
            raise RuntimeError("the bridge does not listen for probes")
        return int(self._probe_server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        # Undone step by step when the port is taken: the process must end, not wait for its loops.
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self._valkey.close)
            loops: dict[str, Loop] = {
                "frames": self._frames.run,
                "pokes": self._pokes.deliver,
                "news": self._pokes.tell,
                "fleet": self._fleet.run,
                "signs": self._signs.run,
                "policies": self._policies.run,
                "liveness": self._liveness.run,
                "domain": self._domain.run,
            }
            if self._watch is not None:
                loops["certificates"] = self._watch.run
            # Undone after the connections have ended: their ends are told, too.
            undo.push_async_callback(self._fleet.last_words)
            for name, loop in loops.items():
                task = asyncio.create_task(keep_running(name, loop))
                undo.push_async_callback(stop_task, task)
            undo.push_async_callback(self._drain)
            self._server = await self._listen()
            undo.push_async_callback(self._close_connections)
            if self._options.probe_port is not None:
                self._probe_server = await self._listen_for_probes(self._options.probe_port)
                undo.push_async_callback(_close, self._probe_server)
            self._stack = undo.pop_all()
        _log.info("gate_bridge_listens", host=self._options.host, port=self.port, name=self.name)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _listen(self) -> Server:
        wire = self._options.wire
        context = await self._tls()
        if context is not None:
            self._handshakes = Handshakes(context, self._metrics.handshakes_refused)
            self._metrics.handshakes.set_function(self._handshakes.__len__)
        return await serve(
            self._handle,
            self._options.host,
            self._options.port,
            subprotocols=[Subprotocol(version) for version in SUBPROTOCOLS],
            select_subprotocol=choose_version,
            # Pictures are compressed already, and compression costs 40 kB a connection.
            compression=None,
            process_request=self._admission.process_request,
            server_header=None,
            create_connection=(
                GateSocket if self._handshakes is None else guarded(self._handshakes)
            ),
            open_timeout=_OPEN_TIMEOUT_S,
            # See `Liveness`.
            ping_interval=None,
            close_timeout=_CLOSE_TIMEOUT_S,
            max_size=wire.message_bytes_max,
            max_queue=_MESSAGES_QUEUED_MAX,
            write_limit=_WRITE_BYTES_MAX,
            logger=_quiet_logger(),
            backlog=_BACKLOG,
        )

    async def _listen_for_probes(self, port: int) -> Server:
        return await serve(
            _never,
            self._options.probe_host,
            port,
            process_request=self._probes.process_request,
            server_header=None,
            open_timeout=_OPEN_TIMEOUT_S,
            logger=_quiet_logger(),
        )

    async def _tls(self) -> ssl.SSLContext | None:
        certificate, key, identity = self._options.tls_cert, self._options.tls_key, self._identity
        if certificate is None or key is None or identity is None:
            return None
        trusted = await call_once(identity.trusted, _TRUSTED_TIMEOUT_S)
        return listener_tls(certificate, key, trusted)

    async def _handle(self, connection: ServerConnection) -> None:
        if not isinstance(connection, GateSocket) or connection.lane is None:
            raise TypeError("a connection came past the admission")
        shown = connection.shown
        gate = GateConnection(connection, connection.lane, self._tools, shown)
        try:
            if shown is None or self._watch is None:
                await gate.serve()
            else:
                with self._watch.over(gate, shown):
                    await gate.serve()
        except Exception:  # noqa: BLE001 - one connection's defect; the others go on
            _log.exception("gate_connection_failed", lane_id=str(connection.lane.lane_id))

    def _look_at_certificates(self) -> None:
        if self._watch is not None:
            self._watch.wake()

    def _spawn(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("gate_task_failed", exc_info=error)

    async def _close_connections(self) -> None:
        if self._server is not None:
            reason = restart_reason(len(self._tools.registry))
            if self._handshakes is not None:
                await self._handshakes.close()
            self._server.close(code=GateCloseCode.RESTART, reason=reason)
            await self._server.wait_closed()

    async def _drain(self) -> None:
        """Let decisions that are under way commit; the edge gets them after its reconnect."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=_DRAIN_S)
        for task in list(self._tasks):
            await stop_task(task)


async def _close(server: Server) -> None:
    server.close()
    await server.wait_closed()


async def _never(connection: ServerConnection) -> None:
    raise TypeError(f"a probe became the connection {connection.id}")


def _process_name() -> str:
    """Return a name that no other process has or had: it is part of Valkey keys."""
    host = re.sub(r"[^0-9A-Za-z.-]", "-", socket.gethostname())[:32]
    return f"{host}-{os.getpid()}-{secrets.token_hex(4)}"


def _quiet_logger() -> logging.Logger:
    """Return a logger for the library without its line for every refused handshake."""
    logger = logging.getLogger("gate_bridge.websockets")
    logger.setLevel(logging.CRITICAL)
    return logger
