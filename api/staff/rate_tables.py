"""The operator's rate tables: look at one, try it, publish it, see which is in force when."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Final, cast

import orjson
import strawberry
from strawberry.scalars import JSON

from api.acting import Given, outcome_of
from api.global_ids import decode_keys
from api.idempotency import by_staff, keyed
from api.quotes import PLACE, circumstances_of
from api.request import Info
from api.types.money import Money
from api.types.tariff import QuotedVehicleInput, QuoteLine
from parking.flows import rate_tables
from parking.kit import money
from parking.kit.errors import InvalidInputError
from parking.tariffs.lint.findings import Finding, WorkedStay
from parking.tariffs.rules import RateTable, price, read_rate_table
from parking.tariffs.versions import VersionInForce

VERSIONS_LISTED: Final = 20
QUOTED_DAYS_MAX: Final = 31
_BODY: Final = "body"


@strawberry.type(description="A version of a place's rate table. It never changes.")
class RateTableVersion:
    """A version of a place's rate table."""

    version: int
    effective_at: datetime
    ends_at: datetime | None = strawberry.field(
        description="When the next version takes over; null while none does."
    )
    is_in_force: bool = strawberry.field(description="Whether it applies to who enters now.")
    is_replaced: bool = strawberry.field(
        description="A higher version begins at the same instant, so that this one never applies."
    )
    body: JSON

    @classmethod
    def of(cls, found: VersionInForce, at: datetime) -> "RateTableVersion":
        """Return the version for its operator's staff."""
        return cls(
            version=found.version.version,
            effective_at=found.version.effective_at,
            ends_at=found.ends_at,
            is_in_force=found.is_in_force(at),
            is_replaced=found.is_replaced,
            body=JSON(found.version.body),
        )


@strawberry.type(description="A stay and what it costs.")
class ShownStay:
    """A stay and what it costs."""

    entered_at: datetime
    left_at: datetime
    amount: Money


@strawberry.type(description="One thing that the author of a rate table should know.")
class RateTableFinding:
    """One finding."""

    severity: str = strawberry.field(description="`error`, `warning` or `note`.")
    code: str = strawberry.field(description="Stable; more may come.")
    path: str = strawberry.field(description="Where in the rate table, such as `caps.0.amount`.")
    words: str
    stays: list[ShownStay] = strawberry.field(description="Stays that show it; may be empty.")

    @classmethod
    def of(cls, finding: Finding, currency: str) -> "RateTableFinding":
        """Return the finding for staff."""
        return cls(
            severity=finding.severity,
            code=finding.code,
            path=finding.path,
            words=finding.words,
            stays=[_shown(stay, currency) for stay in finding.stays],
        )


@strawberry.type(description="What a stay would cost by a rate table that is not published.")
class TriedPrice:
    """What a stay would cost."""

    total: Money
    lines: list[QuoteLine]
    next_change_at: datetime | None
    variant: str


@strawberry.type(description="The rate table is published.")
class RateTablePublished:
    """The rate table is published."""

    version: int
    effective_at: datetime
    findings: list[RateTableFinding]


@strawberry.input
class PublishRateTableInput:
    """What to publish, where and from when on."""

    place_id: strawberry.ID
    body: JSON = strawberry.field(description="The rate table, as the command line reads it.")
    effective_at: datetime | None = strawberry.field(
        default=None, description="Null for now; only a place's first one may begin in the past."
    )
    errors_accepted: bool = strawberry.field(
        default=False, description="True to publish in spite of errors that a look at it finds."
    )


@keyed(by_staff, at_once=True)
async def publish_rate_table(
    info: Info, given: Annotated[PublishRateTableInput, Given]
) -> RateTablePublished:
    """Publish a rate table."""
    staff = info.context.staff()
    operator_id, place_id = decode_keys(given.place_id, kind=PLACE, count=2, field="placeId")
    if operator_id != staff.operator_id:
        raise InvalidInputError("placeId", "the id of a place of yours")
    body = _checked_body(given.body)
    published = await rate_tables.publish(
        info.context.parking,
        staff.operator_id,
        place_id,
        body=body,
        effective_at=_aware(given.effective_at),
        errors_accepted=given.errors_accepted,
    )
    currency = read_rate_table(body).currency
    return RateTablePublished(
        version=published.version.version,
        effective_at=published.version.effective_at,
        findings=[RateTableFinding.of(each, currency) for each in published.findings],
    )


@strawberry.type
class RateTableQueries:
    """The reads about rate tables."""

    @strawberry.field(description="The newest versions of a place's rate table, newest first.")
    async def rate_tables(
        self, info: Info, place_id: strawberry.ID, first: int = VERSIONS_LISTED
    ) -> list[RateTableVersion]:
        """Return a place's versions."""
        staff = info.context.staff()
        operator_id, key = decode_keys(place_id, kind=PLACE, count=2, field="placeId")
        if operator_id != staff.operator_id:
            raise InvalidInputError("placeId", "the id of a place of yours")
        context = info.context.parking
        found = await rate_tables.list_versions(context, operator_id, key, first=first)
        now = context.clock.now()
        return [RateTableVersion.of(each, now) for each in found]

    @strawberry.field(
        description="What is wrong with a rate table, the worst first; nothing is stored."
    )
    async def lint_rate_table(self, info: Info, body: JSON) -> list[RateTableFinding]:
        """Return what a look at a rate table finds."""
        info.context.staff()
        table = _table(body)
        findings = await rate_tables.look_at(info.context.parking, table)
        return [RateTableFinding.of(each, table.currency) for each in findings]

    @strawberry.field(description="What a stay would cost by a rate table; nothing is stored.")
    async def quote_rate_table(
        self,
        info: Info,
        body: JSON,
        entered_at: datetime,
        left_at: datetime,
        vehicle: QuotedVehicleInput | None = None,
    ) -> TriedPrice:
        """Return what a stay would cost."""
        info.context.staff()
        table = _table(body)
        _require_stay(entered_at, left_at)
        given = circumstances_of(vehicle)
        # Anybody's table may take long: other requests do not wait for it.
        priced = await asyncio.to_thread(price, table, entered_at, left_at, given)
        return TriedPrice(
            total=Money.of(priced.total),
            lines=[QuoteLine.of(line, table.currency) for line in priced.lines],
            next_change_at=priced.next_change_at,
            variant=priced.variant,
        )


@strawberry.type
class RateTableMutations:
    """The writes about rate tables."""

    publish_rate_table = strawberry.mutation(
        publish_rate_table,
        graphql_type=outcome_of(RateTablePublished, "PublishRateTableResult"),
        description="Publish the next version of a place's rate table. Stays that have begun keep "
        "theirs. Repeating it with the same body and date returns the same version.",
    )


def _table(body: JSON) -> RateTable:
    return read_rate_table(_checked_body(body))


def _checked_body(body: JSON) -> dict[str, Any]:
    """Return the rate table as it came; the request's own limit has bounded its size."""
    # The scalar's type says nothing about the value.
    value = cast("object", body)
    if not isinstance(value, dict):
        raise InvalidInputError(_BODY, "one rate table")
    checked = cast("dict[str, Any]", value)
    try:
        # Numbers that no database keeps, and nesting that nobody reads, end here.
        orjson.dumps(checked)
    except (TypeError, RecursionError) as error:
        raise InvalidInputError(_BODY, "JSON with plain numbers and little nesting") from error
    return checked


def _require_stay(entered_at: datetime, left_at: datetime) -> None:
    if entered_at.utcoffset() is None or left_at.utcoffset() is None:
        raise InvalidInputError("entered_at", "times with a UTC offset")
    if (left_at - entered_at).days >= QUOTED_DAYS_MAX:
        raise InvalidInputError("left_at", f"a stay of less than {QUOTED_DAYS_MAX} days")


def _aware(moment: datetime | None) -> datetime | None:
    if moment is not None and moment.utcoffset() is None:
        raise InvalidInputError("effective_at", "a time with a UTC offset")
    try:
        return None if moment is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise InvalidInputError("effective_at", "a time from year 1 to 9999 in UTC") from error


def _shown(stay: WorkedStay, currency: str) -> ShownStay:
    amount = Money.of(money.Money(stay.amount_minor, currency))
    return ShownStay(entered_at=stay.entered_at, left_at=stay.left_at, amount=amount)
