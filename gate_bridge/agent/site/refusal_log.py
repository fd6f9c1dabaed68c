"""Tells of devices that are refused, without a line for each try."""

from collections import Counter
from collections.abc import Callable
from typing import Final

import structlog

QUIET_S: Final = 60.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class RefusalLog:
    """Logs the first refusal of a kind and device at once, and how many followed later.

    What it keeps is bounded by the site's devices: an unknown one has no name here.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._logged_s: dict[tuple[str, int], float] = {}
        self._quiet: Counter[tuple[str, int]] = Counter()

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
