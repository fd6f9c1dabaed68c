"""What a bill stores so that anybody can recompute it, and how: one pure function."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BeforeValidator, Field, field_serializer

from parking.flows.bills.bill_lines import Credit, StayFacts, StayLines, lines_of
from parking.lanes.service import observation_id_of
from parking.tariffs.model_part import Part, validated
from parking.tariffs.rules import NO_CIRCUMSTANCES, Circumstances, read_rate_table

CREDITS_MAX: Final = 50
EARLIER_BILLS_MAX: Final = 10_000
_NOTE_LENGTH_MAX: Final = 500
_AMOUNT_MINOR_MAX: Final = 1_000_000_000_000


def _read_instant(value: object) -> object:
    # Numbers and digits alone would be taken for seconds since 1970.
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ValueError("a time such as 2025-03-03T09:00:00+00:00")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a time from year 1 to 9999 in UTC") from error


_Id = Annotated[UUID, Field(strict=False)]
_Instant = Annotated[AwareDatetime, BeforeValidator(_read_instant)]
_Text = Annotated[str, Field(max_length=_NOTE_LENGTH_MAX)]


class Evidence(Part):
    """The car at a lane that a time was taken from, and the read of its plate."""

    presentation_id: _Id
    observation_id: _Id

    @classmethod
    def of(cls, presentation_id: UUID) -> Self:
        """Return what a presentation proves; it has one observation, whose id follows from it."""
        return cls(
            presentation_id=presentation_id, observation_id=observation_id_of(presentation_id)
        )


class StoredCredit(Part):
    """A credit as a basis holds it; see `Credit`."""

    reason: Annotated[str, Field(min_length=1, max_length=50)]
    amount_minor: Annotated[int, Field(ge=-_AMOUNT_MINOR_MAX, le=_AMOUNT_MINOR_MAX)]
    note: _Text = ""


class BillBasis(Part):
    """Everything that a stay's bill follows from, besides the rate table.

    Attributes:
        format: Of this form; a later one gets the next number.
        entered_at: When the stay began.
        priced_from: The entry that is priced: an earlier one where the stay continues others.
        rate_table_sha256: Of the table's canonical JSON (RFC 8785).
        paid_minor: What earlier bills of the stay were paid.
        paid_bill_ids: Those bills.
        grace_until: Until when leaving was free after a payment; None without one.
        credits: Further amounts, in their order; a correction or a waiver is one.
        exit: The car at the exit; None for a stay that was not at one.
    """

    format: Literal[1] = 1
    entered_at: _Instant
    priced_from: _Instant
    priced_until: _Instant
    rate_table_id: _Id
    rate_table_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    circumstances: Circumstances = NO_CIRCUMSTANCES
    paid_minor: Annotated[int, Field(ge=0, le=_AMOUNT_MINOR_MAX)] = 0
    paid_bill_ids: Annotated[
        tuple[_Id, ...], Field(strict=False, max_length=EARLIER_BILLS_MAX)
    ] = ()
    grace_until: _Instant | None = None
    credits: Annotated[tuple[StoredCredit, ...], Field(strict=False, max_length=CREDITS_MAX)] = ()
    entry: Evidence
    exit: Evidence | None = None

    @property
    def facts(self) -> StayFacts:
        """Return what the lines follow from."""
        return StayFacts(
            priced_from=self.priced_from,
            priced_until=self.priced_until,
            circumstances=self.circumstances,
            paid_minor=self.paid_minor,
            is_grace=self.grace_until is not None and self.priced_until <= self.grace_until,
            credits=tuple(
                Credit(item.reason, item.amount_minor, item.note) for item in self.credits
            ),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the basis as a bill and a receipt hold it."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Return the basis that `to_json` gave.

        Raises:
            InvalidInputError: names the path of the first field that does not fit.
        """
        return validated(cls, data, "basis")

    @field_serializer("circumstances")
    def _circumstances(self, value: Circumstances) -> dict[str, Any]:
        return value.to_json()

    @field_serializer("entered_at", "priced_from", "priced_until", "grace_until")
    def _instant(self, value: datetime | None) -> str | None:
        return None if value is None else value.isoformat()


def recompute(basis: BillBasis, rate_table: Mapping[str, Any]) -> StayLines:
    """Return a bill's lines and its total from nothing but its basis and its rate table.

    Issuing, checking in the database and checking a receipt offline all come through here.

    Raises:
        InvalidInputError: the table, or a time, cannot be priced.
    """
    return lines_of(read_rate_table(rate_table), basis.facts)
