"""What those who market give: documents in which ids may be those of this schema."""

from typing import Any, Final, cast
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from api.global_ids import read_id
from api.staff.campaign_types import PLACE_KIND, own_key
from parking.flows.campaigns.life import Draft
from parking.kit.errors import InvalidInputError

_NESTED_MAX: Final = 16


@strawberry.input
class CreateCampaignInput:
    """A draft."""

    name: str
    document: JSON = strawberry.field(description="As `campaignForms` says.")
    place_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only drivers of this place; null for all places."
    )


@strawberry.input
class ChangeCampaignInput:
    """A draft, written anew."""

    campaign_id: strawberry.ID
    version: int = strawberry.field(description="That you read; a newer one refuses the change.")
    name: str
    document: JSON
    place_id: strawberry.ID | None = None


@strawberry.input
class CampaignVersionInput:
    """A campaign as you read it."""

    campaign_id: strawberry.ID
    version: int = strawberry.field(description="That you read; a newer one refuses this.")


@strawberry.input
class SendBackCampaignInput:
    """What is wrong with a campaign."""

    campaign_id: strawberry.ID
    version: int
    note: str


@strawberry.input
class CampaignInput:
    """A campaign."""

    campaign_id: strawberry.ID


@strawberry.input
class SaveSegmentInput:
    """A filter and its name."""

    name: str
    filter: JSON = strawberry.field(description="As `campaignForms` says.")
    place_id: strawberry.ID | None = None
    segment_id: strawberry.ID | None = strawberry.field(
        default=None, description="The one to write anew; null for another."
    )


@strawberry.input
class TestDriverInput:
    """A driver who wants to see campaigns beforehand."""

    driver_id: strawberry.ID = strawberry.field(description="`viewer.id`, as their app shows it.")
    label: str


@strawberry.input
class RemoveTestDriverInput:
    """A test driver."""

    driver_id: strawberry.ID


@strawberry.input
class CampaignPolicyInput:
    """How often you write to one driver."""

    day_messages_max: int
    week_messages_max: int
    control_permille: int


def draft_of(
    name: str, place_id: strawberry.ID | None, document: object, operator_id: UUID
) -> Draft:
    """Return a draft as the use case takes it."""
    return Draft(name, place_of(place_id, operator_id), plain_document(document, operator_id))


def place_of(place_id: strawberry.ID | None, operator_id: UUID) -> UUID | None:
    """Return a place's own key; None for none."""
    return None if place_id is None else own_key(place_id, PLACE_KIND, "placeId", operator_id)


def plain_document(document: object, operator_id: UUID) -> dict[str, Any]:
    """Return a document with own keys where it has ids of this schema.

    Raises:
        InvalidInputError: it is no object, or nests too deep.
    """
    found = _plain(document, operator_id, 0)
    if not isinstance(found, dict):
        raise InvalidInputError("document", "an object")
    return cast("dict[str, Any]", found)


def _plain(value: object, operator_id: UUID, depth: int) -> object:
    if depth > _NESTED_MAX:
        raise InvalidInputError("document", f"parts within parts at most {_NESTED_MAX} deep")
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return {name: _plain(each, operator_id, depth + 1) for name, each in members.items()}
    if isinstance(value, list):
        return [_plain(each, operator_id, depth + 1) for each in cast("list[object]", value)]
    return _own_text(value, operator_id) if isinstance(value, str) else value


def _own_text(text: str, operator_id: UUID) -> str:
    try:
        _, keys = read_id(text)
    except ValueError:
        return text
    if not keys:
        return text
    # Of another operator: a key of nothing, which is what theirs is to this one.
    return str(keys[-1] if len(keys) == 1 or keys[0] == operator_id else keys[0])
