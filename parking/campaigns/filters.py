"""Whom a campaign is for: a filter as a document, its clauses joined by and, or and not."""

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Final, Literal, cast
from uuid import UUID

from pydantic import (
    AfterValidator,
    Field,
    TypeAdapter,
    ValidationInfo,
    field_validator,
    model_validator,
)

from parking.campaigns.parts import Part, items, validated
from parking.kit.errors import InvalidInputError

DEPTH_MAX: Final = 5
CLAUSES_MAX: Final = 30
DAYS_MAX: Final = 3650
PLACES_MAX: Final = 50
VISITS_MAX: Final = 100_000
AMOUNT_MINOR_MAX: Final = 1_000_000_000_000
CATEGORY_LENGTH_MAX: Final = 40

_Days = Annotated[int, Field(ge=1, le=DAYS_MAX)]
_Count = Annotated[int, Field(ge=0, le=VISITS_MAX)]
_Amount = Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX)]
_Id = Annotated[UUID, Field(strict=False)]
_Ids = Annotated[tuple[_Id, ...], items(most=PLACES_MAX)]


def _required_printable(found: str) -> str:
    if not found.isprintable():
        raise ValueError("printable characters")
    return found


_Name = Annotated[
    str,
    Field(min_length=1, max_length=CATEGORY_LENGTH_MAX),
    AfterValidator(_required_printable),
]
_Names = Annotated[tuple[_Name, ...], items(most=20)]


def _required_range(most: int | None, least: int) -> int | None:
    if most is not None and most < least:
        raise ValueError(f"{least} or more, as the least says")
    return most


class Everybody(Part):
    """Every driver who agreed to offers."""

    kind: Literal["everybody"]


class Recency(Part):
    """How long ago the last visit was; whoever never came fits neither."""

    kind: Literal["recency"]
    within_days: _Days | None = None
    not_within_days: _Days | None = None

    @model_validator(mode="after")
    def _require_one(self) -> "Recency":
        if (self.within_days is None) == (self.not_within_days is None):
            raise ValueError("either withinDays or notWithinDays")
        return self


class Visits(Part):
    """How often they came to any of the operator's places."""

    kind: Literal["visits"]
    at_least: _Count = 0
    at_most: _Count | None = None

    @field_validator("at_most")
    @classmethod
    def _require_range(cls, most: int | None, known: ValidationInfo) -> int | None:
        return _required_range(most, known.data.get("at_least", 0))


class Spend(Part):
    """What they paid for stays, in one currency, in its smallest unit."""

    kind: Literal["spend"]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    at_least_minor: _Amount = 0
    at_most_minor: _Amount | None = None

    @field_validator("at_most_minor")
    @classmethod
    def _require_range(cls, most: int | None, known: ValidationInfo) -> int | None:
        return _required_range(most, known.data.get("at_least_minor", 0))


class AtPlace(Part):
    """That they came to one of these places."""

    kind: Literal["place"]
    place_ids: _Ids
    visits_at_least: Annotated[int, Field(ge=1, le=VISITS_MAX)] = 1
    within_days: _Days | None = None


class Vehicle(Part):
    """That they came with a vehicle of one of these classes, or with an electric one."""

    kind: Literal["vehicle"]
    kinds: Annotated[
        tuple[Literal["car", "motorcycle", "van", "truck", "bus", "other", "ev"], ...],
        items(most=7),
    ]


class HoldsPass(Part):
    """That they hold a valid pass of the operator: one of these products, if any is named."""

    kind: Literal["pass"]
    product_ids: Annotated[tuple[_Id, ...], items(least=0, most=PLACES_MAX)] = ()


class AtMerchant(Part):
    """That a merchant of one of these categories validated a stay of theirs."""

    kind: Literal["merchant"]
    categories: _Names
    within_days: _Days


class Habit(Part):
    """That they are expected at a place on a day; only of drivers who let habits be learnt."""

    kind: Literal["habit"]
    place_id: _Id
    days_ahead: Annotated[int, Field(ge=0, le=7)]
    percent_min: Annotated[int, Field(ge=1, le=100)]


class AllOf(Part):
    """That every part holds."""

    kind: Literal["all"]
    of: Annotated[tuple["Filter", ...], items(most=CLAUSES_MAX)]


class AnyOf(Part):
    """That at least one part holds."""

    kind: Literal["any"]
    of: Annotated[tuple["Filter", ...], items(most=CLAUSES_MAX)]


class NotThat(Part):
    """That a part does not hold."""

    kind: Literal["not"]
    that: "Filter"


Clause = Everybody | Recency | Visits | Spend | AtPlace | Vehicle | HoldsPass | AtMerchant | Habit
Filter = Annotated[Clause | AllOf | AnyOf | NotThat, Field(discriminator="kind")]
TAGS: Final = frozenset(
    {
        *("everybody", "recency", "visits", "spend", "place", "vehicle", "pass", "merchant"),
        *("habit", "all", "any", "not"),
    }
)
for _model in (AllOf, AnyOf, NotThat):
    _model.model_rebuild()
_ADAPTER: Final[TypeAdapter[Filter]] = TypeAdapter(Filter)


def read_filter(data: object, name: str = "filter") -> Filter:
    """Return the filter that a JSON value describes.

    Raises:
        InvalidInputError: it does not fit, or is too deep or too long; names the path.
    """
    require_bounded(data, name)
    return validated(_ADAPTER, data, name, tags=TAGS)


def require_bounded(data: object, name: str) -> None:
    """Refuse a filter that nests too deep or has too many clauses, before it is read.

    Raises:
        InvalidInputError: it does.
    """
    count = 0
    waiting: list[tuple[object, int]] = [(data, 1)]
    while waiting:
        part, depth = waiting.pop()
        count += 1
        if depth > DEPTH_MAX:
            raise InvalidInputError(name, f"parts within parts at most {DEPTH_MAX} deep")
        if count > CLAUSES_MAX:
            raise InvalidInputError(name, f"at most {CLAUSES_MAX} clauses")
        if isinstance(part, dict):
            waiting.extend((below, depth + 1) for below in _below(cast("dict[str, Any]", part)))


def clauses(found: Filter) -> Iterator[Clause]:
    """Return the clauses of a filter, in its order."""
    return (clause for _, clause in clauses_at(found, ""))


def clauses_at(found: Filter, path: str) -> Iterator[tuple[str, Clause]]:
    """Return the clauses of a filter with where each stands in it, in its order."""
    match found:
        case AllOf() | AnyOf():
            for number, part in enumerate(found.of):
                yield from clauses_at(part, f"{path}.of.{number}")
        case NotThat():
            yield from clauses_at(found.that, f"{path}.that")
        case _:
            yield path, found


@cache
def filter_schema() -> dict[str, Any]:
    """Return the JSON Schema of filters."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Segment filter",
        **_ADAPTER.json_schema(),
    }


def _below(part: dict[str, Any]) -> list[object]:
    of = part.get("of")
    parts = cast("list[object]", of) if isinstance(of, list) else []
    # One more than can be: enough to be refused, and no work.
    parts = parts[: CLAUSES_MAX + 1]
    return [*parts, part["that"]] if "that" in part else parts
