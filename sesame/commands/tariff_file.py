"""Files of rate tables, and the times and amounts that the tariff commands are given and print."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from parking.kit.errors import InvalidInputError
from parking.tariffs.document import DOCUMENT_BYTES_MAX, parse_document

FILE_BYTES_MAX = DOCUMENT_BYTES_MAX


def read_document(path: Path, *, has_fractions: bool = False) -> object:
    """Return the JSON value in the file; fractions as `Decimal` where there may be some.

    Raises:
        InvalidInputError: the file cannot be read, is too large, or is no JSON.
    """
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise InvalidInputError("table", f"a readable file ({error.strerror}: {path})") from error
    return parse_document(content, name="table", has_fractions=has_fractions)


def instant_of(text: str, zone: ZoneInfo, field: str) -> datetime:
    """Return the instant; of a local time that comes twice in autumn, the first.

    Raises:
        InvalidInputError: `text`, called `field` in the message, is no time, or one that the
            clocks of `zone` skip.
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        instant = moment.replace(tzinfo=zone).astimezone(UTC)
    except (OverflowError, ValueError) as error:
        raise InvalidInputError(field, "an ISO 8601 time such as 2025-03-03T09:00") from error
    if instant.astimezone(zone).replace(tzinfo=None) != moment:
        raise InvalidInputError(field, f"a local time that exists in {zone}: clocks skip {text}")
    return instant


def local_text(moment: datetime | None, zone: ZoneInfo) -> str | None:
    """Return the instant on the place's wall clock, with its offset."""
    return None if moment is None else moment.astimezone(zone).isoformat()
