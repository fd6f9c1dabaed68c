"""Tells of devices that are refused, without a line for each try."""

from collections import Counter
from collections.abc import Callable
from typing import Final

import structlog

QUIET_S: Final = 60.0
# A device that is asked for a proof so often, and gives none, has been set up wrong.
ASKED_IN_VAIN: Final = 10

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class RefusalLog:
    """Logs the first refusal of a kind and device at once, and how many followed later.

    What it keeps is bounded by the site's devices: an unknown one has no name here.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._logged_s: dict[tuple[str, int], float] = {}
        self._quiet: Counter[tuple[str, int]] = Counter()
        self._asked: Counter[str] = Counter()

    def asked(self, device_name: str, status: int) -> None:
        """Take in that a device is asked for its proof; usual, unless none ever follows."""
        self._asked[device_name] += 1
        if self._asked[device_name] >= ASKED_IN_VAIN:
            self.note(device_name, status)

    def proven(self, device_name: str) -> None:
        """Take in that a device has proved itself."""
        self._asked.pop(device_name, None)

    def note(self, device_name: str, status: int) -> None:
        """Take in one refusal."""
        kind = (device_name, status)
        now_s = self._seconds()
        if now_s - self._logged_s.get(kind, -QUIET_S) < QUIET_S:
            self._quiet[kind] += 1
            return
        self._logged_s[kind] = now_s
        _log.warning(
            "device_refused",
            device=device_name or None,
            status=status,
            refused_before=self._quiet.pop(kind, 0),
        )
