"""A rate table from an APDS v4 RateTable; what ours cannot say is refused, never dropped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, cast

from parking.kit.errors import InvalidInputError
from parking.tariffs.apds.values import amount_minor_of, minutes_of
from parking.tariffs.rate_table import RateTable, read_rate_table

Tiers = Literal["added", "total"]
_MIDNIGHTS: Final = frozenset({"00:00", "00:00:00", "00:00:00Z"})
# They name and describe, and change no price: the report says that they are left out.
_LEFT_OUT: Final = {
    "table": {"id", "className", "rateTableID", "rateType", "rateResponsibleParty"}
    | {"additionalInformation", "lastUpdated", "validation"},
    "collection": {"id", "version", "rateLineCollectionType", "taxRate", "taxValue"},
    "line": {"id", "version", "rateLineTax"},
}
_KNOWN: Final = {
    "table": {"version", "rateTableName", "validityStart", "availability", "activeTimes"}
    | {"rateLineCollections"},
    "collection": {"collectionSequence", "applicableCurrency", "relativeTimes", "taxIncluded"}
    | {"maxValueCollection", "resetTime", "validStart", "rateLines"},
    "line": {"sequence", "rateLineType", "value", "durationStart", "durationEnd"}
    | {"incrementPeriod", "usageCondition", "description"},
}
_USES: Final = {"flatRate": {"once"}, "flatRateTier": {"once"}, "incrementingRate": {"unlimited"}}


@dataclass(slots=True)
class ReadTable:
    """A table that was read.

    Attributes:
        body: The rate table as JSON; checked.
        effective_at: What the document says of the beginning; None if nothing.
        left_out: Paths of what only describes and is not kept.
    """

    body: dict[str, Any]
    effective_at: datetime | None
    left_out: list[str] = field(default_factory=list[str])

    @property
    def table(self) -> RateTable:
        """The rate table."""
        return read_rate_table(self.body)


def from_apds(data: object, *, timezone: str, tiers: Tiers | None = None) -> ReadTable:
    """Return the rate table that an APDS RateTable describes.

    Args:
        data: The JSON value; numbers may be `Decimal`, to be exact.
        timezone: The place's: APDS keeps it with the place.
        tiers: Whether the values of flat tiers add up, or each is the total up to it. APDS does
            not say; needed where a table has more than one.

    Raises:
        InvalidInputError: names the path of what is wrong, or what our rate tables cannot say.
    """
    left_out: list[str] = []
    given = _object(data, "", "table", left_out)
    _refuse_other(given, "availability", {"public"}, "public: ours says nothing of who may park")
    if given.get("activeTimes"):
        raise InvalidInputError("activeTimes", "nothing: ours keeps hours in its collections")
    collections = _list(given.get("rateLineCollections"), "rateLineCollections")
    if len(collections) != 1:
        raise InvalidInputError(
            "rateLineCollections", "one: APDS does not say which of several counts when"
        )
    path = "rateLineCollections.0"
    collection = _object(collections[0], path, "collection", left_out)
    begins = given.get("validityStart") or collection.get("validStart")
    body = {"timezone": timezone, **_head(given), **_collection(collection, path, tiers, left_out)}
    read = ReadTable(body, _moment(begins, "validityStart"), left_out)
    _ = read.table
    return read


def _head(given: Mapping[str, object]) -> dict[str, Any]:
    version = given.get("version")
    if not isinstance(version, int) or isinstance(version, bool):
        raise InvalidInputError("version", "a positive integer")
    name = _text(given.get("rateTableName"), "rateTableName")
    return {"version": version} | ({"name": name} if name else {})


def _collection(
    given: Mapping[str, object], path: str, tiers: Tiers | None, left_out: list[str]
) -> dict[str, Any]:
    currency = given.get("applicableCurrency")
    if not isinstance(currency, str):
        raise InvalidInputError(f"{path}.applicableCurrency", "a currency such as EUR")
    for name, reason in (
        ("relativeTimes", "durations from the start of the stay; ours has no absolute ones"),
        ("taxIncluded", "amounts with tax, as drivers pay them"),
    ):
        if given.get(name, True) is not True:
            raise InvalidInputError(f"{path}.{name}", f"true: {reason}")
    reset = given.get("resetTime")
    if reset is not None and reset not in _MIDNIGHTS:
        raise InvalidInputError(f"{path}.resetTime", "00:00:00: ours resets at midnight")
    per = "session" if reset is None else "calendar_day"
    table: dict[str, Any] = {"currency": currency}
    if reset is not None:
        table["ladder_reset"] = per
    if given.get("maxValueCollection") is not None:
        path_max = f"{path}.maxValueCollection"
        amount = amount_minor_of(given["maxValueCollection"], currency, path_max)
        table["caps"] = [{"per": per, "amount": amount}]
    return table | {"collections": [_lines(given, path, currency, tiers, left_out)]}


def _lines(
    given: Mapping[str, object],
    path: str,
    currency: str,
    tiers: Tiers | None,
    left_out: list[str],
) -> dict[str, Any]:
    entries = _list(given.get("rateLines"), f"{path}.rateLines")
    parts = [
        _object(entry, f"{path}.rateLines.{index}", "line", left_out)
        for index, entry in enumerate(entries)
    ]
    order = sorted(range(len(parts)), key=lambda index: _sequence(parts[index], index))
    lines = [_line(parts[index], f"{path}.rateLines.{index}", currency) for index in order]
    _add_up(lines, f"{path}.rateLines", tiers)
    names = [_text(part.get("description"), f"{path}.description") for part in parts]
    collection: dict[str, Any] = {"lines": lines}
    if len(set(names)) == 1 and names[0]:
        collection["name"] = names[0]
    else:
        left_out += [f"{path}.rateLines.{at}.description" for at, name in enumerate(names) if name]
    return collection


def _line(given: Mapping[str, object], path: str, currency: str) -> dict[str, Any]:
    kind = given.get("rateLineType")
    if not isinstance(kind, str) or kind not in _USES:
        raise InvalidInputError(f"{path}.rateLineType", f"one of {', '.join(_USES)}")
    use = given.get("usageCondition")
    if use is not None and use not in _USES[kind]:
        expected = f"{', '.join(_USES[kind])}: ours has no other use of a line of this type"
        raise InvalidInputError(f"{path}.usageCondition", expected)
    line: dict[str, Any] = {"from": _duration(given, "durationStart", path) or 0}
    end = _duration(given, "durationEnd", path)
    if end is not None:
        line["to"] = end
    value = amount_minor_of(given.get("value"), currency, f"{path}.value")
    if kind == "incrementingRate":
        block = _duration(given, "incrementPeriod", path)
        if block is None:
            raise InvalidInputError(f"{path}.incrementPeriod", "the period that `value` is for")
        return line | {"kind": "increment", "block": block, "value": value}
    if given.get("incrementPeriod") is not None:
        raise InvalidInputError(f"{path}.incrementPeriod", "nothing for a flat rate")
    if kind == "flatRate" and (line["from"] or end is not None):
        raise InvalidInputError(f"{path}.rateLineType", "flatRateTier for a line with durations")
    return line | ({"kind": "flat", "value": value} if value else {"kind": "free"})


def _add_up(lines: Sequence[dict[str, Any]], path: str, tiers: Tiers | None) -> None:
    """Make the values of flat tiers add up, as ours do."""
    flats = [line for line in lines if line["kind"] == "flat"]
    if len(flats) <= 1 or tiers == "added":
        return
    if tiers is None:
        raise InvalidInputError(
            "tiers", "added or total: APDS does not say whether the values of flat tiers add up"
        )
    if len(flats) != len([line for line in lines if line["kind"] != "free"]):
        raise InvalidInputError(path, "flat tiers only, where each is the total up to it")
    before = 0
    for line in sorted(flats, key=lambda line: line["from"]):
        total = line["value"]
        if total < before:
            raise InvalidInputError(path, "tiers that rise, where each is the total up to it")
        line["value"], before = total - before, total


def _duration(given: Mapping[str, object], name: str, path: str) -> int | None:
    text = given.get(name)
    return None if text is None else minutes_of(text, f"{path}.{name}")


def _sequence(given: Mapping[str, object], index: int) -> int:
    sequence = given.get("sequence", index)
    if not isinstance(sequence, int) or isinstance(sequence, bool):
        raise InvalidInputError("rateLineCollections.0.rateLines.sequence", "an integer")
    return sequence


def _object(data: object, path: str, kind: str, left_out: list[str]) -> Mapping[str, object]:
    """Return an object of the standard; fields that would be lost are refused by name."""
    if not isinstance(data, Mapping):
        raise InvalidInputError(path or "document", f"a {kind} of APDS")
    given = cast("Mapping[str, object]", data)
    prefix = f"{path}." if path else ""
    for name, value in given.items():
        if name in _LEFT_OUT[kind]:
            left_out.append(f"{prefix}{name}")
        elif name not in _KNOWN[kind] and value not in (None, [], {}):
            raise InvalidInputError(
                f"{prefix}{name[:100]}", "no such field: our rate tables cannot say it"
            )
    return given


def _list(data: object, path: str) -> list[object]:
    if not isinstance(data, list) or not data:
        raise InvalidInputError(path, "a list that is not empty")
    return cast("list[object]", data)


def _text(data: object, path: str) -> str:
    """Return a text, which is written as such, or for each language as an entry or a field."""
    if data is None or isinstance(data, str):
        return data or ""
    texts: list[object] = []
    if isinstance(data, Mapping):
        texts = list(cast("Mapping[str, object]", data).values())
    elif isinstance(data, list):
        for each in cast("list[object]", data):
            is_object = isinstance(each, Mapping)
            texts.append(cast("Mapping[str, object]", each).get("string") if is_object else each)
    if len(texts) != 1 or not isinstance(texts[0], str):
        raise InvalidInputError(path, "a text in one language")
    return texts[0]


def _refuse_other(given: Mapping[str, object], name: str, allowed: set[str], expected: str) -> None:
    if given.get(name) is not None and given[name] not in allowed:
        raise InvalidInputError(name, expected)


def _moment(text: object, path: str) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise InvalidInputError(path, "an ISO 8601 time") from error
    if moment.utcoffset() is None:
        raise InvalidInputError(path, "a time with a UTC offset")
    return moment
