"""A rate table as an APDS v4 RateTable, where APDS has words for all that it says.

The model is that of ISO/TS 5206-1: a RateTable holds RateLineCollections, a collection one
currency, a maximum and a time of reset, and RateLines with durations from the start of the stay.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from parking.kit.canonical_json import canonical
from parking.kit.errors import InvalidInputError
from parking.tariffs.apds.values import amount_number, duration_text
from parking.tariffs.rate_line import RateLine, RateLineCollection
from parking.tariffs.rate_table import RateTable

RESET_AT_MIDNIGHT: Final = "00:00:00"
# ISO 639 for a text whose language is not said: ours does not say it.
LANGUAGE: Final = "und"

# What must be as it is by default, and what APDS lacks for anything else.
_PLAIN_FIELDS: Final = {
    "tick": "APDS does not say how the time of a stay is counted",
    "grace": "APDS has no time that is absorbed",
    "free_first": "APDS has no time that is deducted",
    "reentry_merge": "APDS has no stays that continue others",
    "grace_after_payment": "APDS does not say how long a payment lasts",
    "straddle": "APDS does not say what a block does at the edge of a window",
    "holidays": "APDS keeps calendars outside of rate tables",
    "packages": "APDS has no price for a stay that enters and leaves in given hours",
    "variants": "APDS ties eligibility to rights, outside of rate tables: export each alone",
    "allowances": "APDS has no balances of free time",
    "validations": "APDS says only whether validations are accepted",
}
_PLAIN_COLLECTION_FIELDS: Final = {
    "days": "APDS ties days to rights, outside of rate tables",
    "window": "APDS ties hours to rights, outside of rate tables",
    "clock": "APDS counts the time of the stay",
    "cap": "APDS has no maximum for each occurrence of a window",
    "join_days": "APDS does not cut a stay at midnight but for `resetTime`",
}


def to_apds(table: RateTable, *, valid_from: datetime | None = None) -> dict[str, Any]:
    """Return the table as an APDS RateTable, as JSON values.

    Args:
        table: The rate table.
        valid_from: What `validityStart` says; left out without it.

    Raises:
        InvalidInputError: names the path of what APDS cannot say.
    """
    _require_plain(table)
    collection = next(iter(table.collections))
    written: dict[str, Any] = {
        "id": str(uuid5(NAMESPACE_URL, canonical(table.model_dump(mode="json")).decode())),
        "version": table.version or 1,
        "rateTableName": [{"language": LANGUAGE, "string": table.name}],
        "availability": "public",
        "rateLineCollections": [
            {
                "collectionSequence": 1,
                "applicableCurrency": table.currency,
                "relativeTimes": True,
                **_maximum(table),
                "rateLines": list(_lines(collection, table.currency)),
            }
        ],
    }
    if valid_from is not None:
        written["validityStart"] = valid_from.isoformat()
    return written


def _require_plain(table: RateTable) -> None:
    _require_defaults(table, _PLAIN_FIELDS, "rate_table")
    if len(table.collections) > 1:
        raise InvalidInputError(
            "rate_table.collections",
            "one: APDS does not say which of several collections counts when",
        )
    collection = next(iter(table.collections))
    _require_defaults(collection, _PLAIN_COLLECTION_FIELDS, "rate_table.collections.0")
    if table.ladder_reset == "rolling":
        raise InvalidInputError(
            "rate_table.ladder_reset", "session or calendar_day: APDS resets at a time of day only"
        )


def _require_defaults(
    part: RateTable | RateLineCollection, reasons: dict[str, str], path: str
) -> None:
    for name, field in type(part).model_fields.items():
        written = field.alias or name
        if written in reasons and getattr(part, name) != field.get_default():
            raise InvalidInputError(f"{path}.{written}", f"nothing else: {reasons[written]}")


def _maximum(table: RateTable) -> dict[str, Any]:
    """Return the reset and the cap, which APDS knows for the day or for the stay."""
    reset = {"resetTime": RESET_AT_MIDNIGHT} if table.ladder_reset == "calendar_day" else {}
    if not table.caps:
        return reset
    if len(table.caps) > 1:
        raise InvalidInputError("rate_table.caps.1", "none: APDS has one maximum a collection")
    cap = next(iter(table.caps))
    fits = cap.per == table.ladder_reset and cap.minutes is None and cap.collection is None
    if not fits or cap.once:
        raise InvalidInputError(
            "rate_table.caps.0",
            f"a cap per {table.ladder_reset}, always: APDS has one reset for lines and maximum, "
            "and no rolling period",
        )
    return reset | {"maxValueCollection": amount_number(cap.amount_minor, table.currency)}


def _lines(collection: RateLineCollection, currency: str) -> Iterator[dict[str, Any]]:
    for index, line in enumerate(collection.lines):
        written = {"sequence": index + 1, **_line(line, index, currency)}
        if collection.name:
            # A collection has no name of its own: its lines carry it.
            written["description"] = [{"language": LANGUAGE, "string": collection.name}]
        yield written


def _line(line: RateLine, index: int, currency: str) -> dict[str, Any]:
    path = f"rate_table.collections.0.lines.{index}"
    value = {"value": amount_number(line.amount_minor, currency)}
    span = {"durationStart": duration_text(line.from_minutes)}
    if line.to_minutes is not None:
        span["durationEnd"] = duration_text(line.to_minutes)
    if line.kind == "increment":
        period = duration_text(line.block_minutes or 0)
        return {"rateLineType": "incrementingRate", "incrementPeriod": period, **span, **value}
    if line.kind == "per_second":
        raise InvalidInputError(f"{path}.kind", "no per_second: APDS has no proportion of a period")
    if line.kind == "flat" and not line.amount_minor:
        raise InvalidInputError(f"{path}.kind", "free: APDS does not tell a flat 0 from it")
    if not line.from_minutes and line.to_minutes is None:
        return {"rateLineType": "flatRate", **value}
    return {"rateLineType": "flatRateTier", **span, **value}
