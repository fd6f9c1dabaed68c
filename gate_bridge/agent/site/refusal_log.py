"""Tells of devices that are refused, without a line for each try."""

from collections import Counter
from collections.abc import Callable
from typing import Final

import structlog

from gate_bridge.agent.site.seldom_log import SeldomLog, printable

# A device that is asked for a proof so often, and gives none, has been set up wrong.
ASKED_IN_VAIN: Final = 10
# Of an address that nobody has: enough to see the slip in it.
PATH_CHARACTERS_MAX: Final = 100

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class RefusalLog:
    """Logs the first refusal of a kind and device at once, and how many followed later.

    What it keeps is bounded by the site's devices: an unknown one has no name here.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seldom = SeldomLog(seconds)
        self._asked: Counter[str] = Counter()

    def asked(self, device_name: str, status: int, path: str, peer: str) -> None:
        """Take in that a device is asked for its proof; usual, unless none ever follows."""
        self._asked[device_name] += 1
        if self._asked[device_name] >= ASKED_IN_VAIN:
            self.note(device_name, status, path, peer)

    def proven(self, device_name: str) -> None:
        """Take in that a device has proved itself."""
        self._asked.pop(device_name, None)

    def note(self, device_name: str, status: int, path: str, peer: str) -> None:
        """Take in one refusal.

        Args:
            device_name: Empty where it is not known.
            status: Of the answer.
            path: That it sent to, without the query, which may hold a token.
            peer: Its address.
        """
        before = self._seldom.due((device_name, status))
        if before is None:
            return
        _log.warning(
            "device_refused",
            device=device_name or None,
            status=status,
            path=printable(path, PATH_CHARACTERS_MAX),
            peer=peer,
            refused_before=before,
        )
