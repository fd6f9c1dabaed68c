"""Tells the service manager that this process is ready, and that its event loop still turns.

The protocol of systemd's sd_notify(3): one datagram of lines to a Unix socket. Any other
supervisor that sets `NOTIFY_SOCKET` is served the same way.
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from typing import Self

import structlog

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

BEATS_PER_DEADLINE = 3
BEAT_S_MAX = 30.0


class ServiceNotice:
    """The way to the service manager; without one, nothing happens.

    Args:
        address: Of its socket; empty for none. A leading `@` is for the abstract namespace.
        deadline_s: It restarts us when it hears nothing for so long; None where it does not watch.
    """

    def __init__(self, address: str = "", deadline_s: float | None = None) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._deadline_s = deadline_s

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """Return the way that the process' surroundings name."""
        asked = environment.get("WATCHDOG_USEC", "")
        is_for_us = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        is_watched = is_for_us and asked.isdecimal() and int(asked) > 0
        deadline_s = int(asked) / 1_000_000 if is_watched else None
        return cls(environment.get("NOTIFY_SOCKET", ""), deadline_s)

    def ready(self) -> None:
        """Tell that the service works from now on."""
        self._tell("READY=1")

    def stopping(self) -> None:
        """Tell that the service ends."""
        self._tell("STOPPING=1")

    async def run(self) -> None:
        """Beat until cancelled; a loop that stands still stops beating, and is restarted."""
        if self._deadline_s is None:
            return
        while True:
            self._tell("WATCHDOG=1")
            await asyncio.sleep(min(self._deadline_s / BEATS_PER_DEADLINE, BEAT_S_MAX))

    def _tell(self, line: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                sender.sendto(line.encode(), self._address)
        except OSError as error:
            # The service works all the same.
            _log.warning("service_manager_deaf", error=str(error))
