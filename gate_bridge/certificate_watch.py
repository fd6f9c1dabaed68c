"""Ends the connections of gates whose certificates were revoked, or have expired.

A revocation list alone would not: it is read at the next handshake, and a gate stays connected for
weeks. A poke makes the look quick; without Valkey the look comes by itself.
"""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Protocol

import structlog

from gate_bridge.identity_port import GateIdentity
from gate_bridge.retry import call_once
from parking.events.outage import Outage
from parking.gates.shown import ShownCertificate
from parking.kit.clock import Clock

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

LOOK_TIMEOUT_S: Final = 10.0


class CertifiedConnection(Protocol):
    """A connection that stands on a certificate."""

    def refuse_certificate(self) -> None:
        """Close: the certificate is no longer accepted."""
        ...


class CertificateWatch:
    """Looks at the certificates of one bridge process's connections.

    Args:
        look_s: Time between two looks that nobody asked for.
    """

    def __init__(self, identity: GateIdentity, clock: Clock, look_s: float) -> None:
        self._identity = identity
        self._clock = clock
        self._look_s = look_s
        self._connections: dict[CertifiedConnection, ShownCertificate] = {}
        self._wanted = asyncio.Event()
        self._outage = Outage("certificates of gates")

    @contextmanager
    def over(self, connection: CertifiedConnection, shown: ShownCertificate) -> Generator[None]:
        """Watch a connection for the length of a block."""
        self._connections[connection] = shown
        try:
            yield
        finally:
            del self._connections[connection]

    def wake(self) -> None:
        """Look now."""
        self._wanted.set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._look_s):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            await self._look()

    async def _look(self) -> None:
        shown = set(self._connections.values())
        if not shown:
            return
        now = self._clock.now()
        current = {one for one in shown if now < one.not_after}
        try:
            current &= await call_once(lambda: self._identity.standing(current), LOOK_TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - a database that is away must not shut the gates
            self._outage.failed(error)
        else:
            self._outage.ended()
        for connection, certificate in list(self._connections.items()):
            # One that connected meanwhile was looked at by the admission.
            if certificate in shown and certificate not in current:
                _log.warning("gate_shut_out", lane_id=str(certificate.lane_id))
                connection.refuse_certificate()
