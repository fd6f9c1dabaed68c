"""A campaign as a document: everything that a second person approves, and nothing that moves."""

from datetime import timedelta
from functools import cache
from typing import Annotated, Any, Final, Literal, cast
from uuid import UUID

from pydantic import Field, TypeAdapter, model_validator

from parking.campaigns.content import Content
from parking.campaigns.filters import (
    AMOUNT_MINOR_MAX,
    TAGS,
    AllOf,
    AtPlace,
    Filter,
    Habit,
    Recency,
    clauses,
    require_bounded,
)
from parking.campaigns.parts import Part, validated
from parking.campaigns.triggers import TRIGGER_TAGS, BeforeVisit, Lapse, Trigger

MESSAGES_MAX: Final = 10_000_000
HOLDOUT_PERMILLE: Final = 100
HOLDOUT_PERMILLE_MAX: Final = 500
DAYS_MEASURED_MAX: Final = 90
HOURS_OF_USE_MAX: Final = 24 * 14
# Who lapsed is written to within so many days of it, so that a worker that stood still misses none.
_LAPSE_DAYS: Final = 7
_REASONS: Final = {
    "lapse": frozenset({"recency"}),
    "before_visit": frozenset({"habit"}),
    "on_entry": frozenset({"entry"}),
    "after_payment": frozenset({"payment"}),
}
_Id = Annotated[UUID, Field(strict=False)]


class Coupon(Part):
    """A coupon for each driver who is written to.

    Attributes:
        when_exhausted: What becomes of a driver's message once there are no more of them.
    """

    kind: Literal["coupon"]
    definition_id: _Id
    when_exhausted: Literal["send_without", "do_not_send"] = "do_not_send"


class Space(Part):
    """An offer of a space for each driver who is written to, while the pool has one."""

    kind: Literal["space"]
    pool_id: _Id
    arrives_in_minutes: Annotated[int, Field(ge=0, le=60 * 24 * 7)] = 0
    arrives_within_minutes: Annotated[int, Field(ge=15, le=60 * 24)] = 120
    when_exhausted: Literal["send_without", "do_not_send"] = "do_not_send"


class Budget(Part):
    """What the campaign may come to at most.

    Attributes:
        messages_max: Messages.
        minor_max: Money, in the currency's smallest unit; None where only messages are counted.
        message_minor: What one message may cost with what is attached, at most.
    """

    messages_max: Annotated[int, Field(ge=1, le=MESSAGES_MAX)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "CNY"
    minor_max: Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX)] | None = None
    message_minor: Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX)] = 0

    @model_validator(mode="after")
    def _require_cost(self) -> "Budget":
        if self.minor_max is not None and self.message_minor == 0:
            raise ValueError("messageMinor of 1 or more, where minorMax limits the money")
        return self

    def affordable(self, queued: int, committed_minor: int) -> int:
        """Return how many more messages both budgets allow."""
        messages = max(0, self.messages_max - queued)
        if self.minor_max is None:
            return messages
        return min(messages, max(0, self.minor_max - committed_minor) // self.message_minor)


class Measurement(Part):
    """What counts as success, and within how many days of the assignment.

    Attributes:
        spend_minor_min: With `spend`: from which amount on, in the budget's currency.
    """

    outcome: Literal["visit", "redemption", "spend"] = "visit"
    within_days: Annotated[int, Field(ge=1, le=DAYS_MEASURED_MAX)] = 14
    spend_minor_min: Annotated[int, Field(ge=1, le=AMOUNT_MINOR_MAX)] = 1


class CampaignDocument(Part):
    """Everything about a campaign that its second person approves.

    Attributes:
        useful_hours: A message that was not sent so long after its day began is not sent.
    """

    filter: Filter
    trigger: Trigger
    content: Content
    attachment: Annotated[Coupon | Space, Field(discriminator="kind")] | None = None
    holdout_permille: Annotated[int, Field(ge=0, le=HOLDOUT_PERMILLE_MAX)] = HOLDOUT_PERMILLE
    budget: Budget
    measurement: Measurement = Measurement()
    useful_hours: Annotated[int, Field(ge=1, le=HOURS_OF_USE_MAX)] = 48

    @model_validator(mode="after")
    def _require_sense(self) -> "CampaignDocument":
        if self.measurement.outcome == "redemption" and not isinstance(self.attachment, Coupon):
            raise ValueError("a coupon attached, where its redemption is measured")
        return self

    @property
    def useful(self) -> timedelta:
        """How long a message is of use."""
        return timedelta(hours=self.useful_hours)

    def audience(self, place_id: UUID | None) -> Filter:
        """Return the whole filter: the document's, the trigger's, and the campaign's place."""
        parts: list[Filter] = [self.filter]
        if place_id is not None:
            parts.append(AtPlace(kind="place", place_ids=(place_id,)))
        match self.trigger:
            case Lapse(days=days):
                parts.append(Recency(kind="recency", not_within_days=days))
                parts.append(Recency(kind="recency", within_days=days + _LAPSE_DAYS))
            case BeforeVisit() as visit:
                parts.append(
                    Habit(
                        kind="habit",
                        place_id=visit.place_id,
                        days_ahead=visit.days_ahead,
                        percent_min=visit.percent_min,
                    )
                )
            case _:
                pass
        return parts[0] if len(parts) == 1 else AllOf(kind="all", of=tuple(parts))

    def reasons(self, place_id: UUID | None) -> list[str]:
        """Return by which kinds of facts drivers were chosen, as the driver is told."""
        kinds: set[str] = {clause.kind for clause in clauses(self.filter)} - {"everybody"}
        if place_id is not None:
            kinds.add("place")
        return sorted(kinds | _REASONS.get(self.trigger.kind, frozenset()))


_ADAPTER: Final = TypeAdapter(CampaignDocument)
_TAGS: Final = TAGS | TRIGGER_TAGS | {"coupon", "space"}


def read_document(data: object) -> CampaignDocument:
    """Return the campaign that a JSON value describes.

    Raises:
        InvalidInputError: it does not fit; names the path.
    """
    if isinstance(data, dict):
        given = cast("dict[str, object]", data)
        require_bounded(given.get("filter"), "campaign.filter")
    return validated(_ADAPTER, cast("object", data), "campaign", tags=_TAGS)


def write_document(document: CampaignDocument) -> dict[str, Any]:
    """Return the document as JSON values, every default written out: what is approved is whole."""
    return _ADAPTER.dump_python(document, mode="json", by_alias=True, exclude_none=True)


@cache
def document_schema() -> dict[str, Any]:
    """Return the JSON Schema of campaigns."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Campaign",
        **_ADAPTER.json_schema(),
    }
