"""The time zone of a device's clock, as an installer writes it."""

import re
from datetime import UTC, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gate_bridge.agent.site.toml_table import Table

_OFFSET: Final = re.compile(r"([+-])(\d{2}):(\d{2})")
_HOURS_MAX: Final = 14


def read_zone(table: Table, key: str) -> ZoneInfo | timezone:
    """Return a zone by its name, such as `Asia/Shanghai`, or by an offset, such as `+08:00`."""
    text = table.text(key, "UTC")
    if text == "UTC":
        return UTC
    offset = _OFFSET.fullmatch(text)
    if offset is not None:
        hours, minutes = int(offset[2]), int(offset[3])
        if hours <= _HOURS_MAX and minutes < 60:  # noqa: PLR2004 - minutes of an hour
            span = timedelta(hours=hours, minutes=minutes)
            return timezone(span if offset[1] == "+" else -span)
    try:
        return ZoneInfo(text)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise table.wrong(
            key, "a zone such as Asia/Shanghai, or an offset such as +08:00"
        ) from None
