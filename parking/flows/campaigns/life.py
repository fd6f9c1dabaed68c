"""A campaign's life: written, submitted, approved by a second person, run, paused, ended.

Whoever changes a draft is one of its authors from then on; none of them may approve it. The
database holds the same, and that nothing runs but the document that was approved.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from parking.campaigns import repository
from parking.campaigns.document import read_document, write_document
from parking.campaigns.errors import (
    AudienceTooSmallError,
    CampaignChangedError,
    CampaignStateError,
    CampaignUnknownError,
    NameTakenError,
    OwnCampaignError,
)
from parking.campaigns.models import Campaign, CampaignState
from parking.campaigns.triggers import Schedule, first_run_at
from parking.flows.campaigns.attaching import require_attachable
from parking.flows.campaigns.counting import COUNTED_MIN, count_each
from parking.flows.campaigns.expecting import require_answerable
from parking.flows.campaigns.responsible import require_own_parts, require_place
from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import new_id
from parking.staff import acting
from parking.staff.rules import StaffIdentity

NAME_LENGTH_MAX: Final = 120
NOTE_LENGTH_MAX: Final = 500
AUTHORS_MAX: Final = 50
# One statement, so that what is approved is what the database holds and nothing that came between.
_APPROVE: Final = text("""
    UPDATE campaigns SET approved_digest = md5(document::text)
    WHERE operator_id = :operator_id AND id = :id
""")
_STOPPABLE: Final = (CampaignState.RUNNING, CampaignState.PAUSED)


@dataclass(frozen=True, slots=True)
class Draft:
    """What an author writes.

    Attributes:
        place_id: Of which place it is; None for all of the operator's.
        document: As `parking.campaigns.document` reads it.
    """

    name: str
    place_id: UUID | None
    document: dict[str, Any]


async def write_draft(context: ParkingContext, staff: StaffIdentity, draft: Draft) -> Campaign:
    """Keep a new draft.

    Raises:
        InvalidInputError: name, place or document does not fit; names the path.
        NameTakenError: another campaign has the name.
    """
    async with context.database.begin() as unit:
        return await add_draft(unit, staff, draft)


async def add_draft(unit: UnitOfWork, staff: StaffIdentity, draft: Draft) -> Campaign:
    """Keep a new draft in a transaction; raises as `write_draft` does."""
    document = await _checked_document(unit, staff, draft)
    name = checked_name(draft.name)
    await _require_free_name(unit, staff.operator_id, name, None)
    now = unit.now()
    campaign = Campaign(
        operator_id=staff.operator_id,
        id=new_id(now),
        name=name,
        place_id=draft.place_id,
        state=CampaignState.DRAFT,
        document=document,
        authors=[staff.recorded_name],
        salt=new_id(now),
        created_at=now,
    )
    unit.session.add(campaign)
    return campaign


async def change_draft(
    context: ParkingContext, staff: StaffIdentity, campaign_id: UUID, version: int, draft: Draft
) -> Campaign:
    """Write a draft, or a submitted campaign, anew: it is a draft then, and yours as well.

    Raises:
        CampaignUnknownError: there is none that you see.
        CampaignChangedError: somebody changed it since `version`.
        CampaignStateError: it ran already.
        InvalidInputError, NameTakenError: as with `write_draft`.
    """
    async with context.database.begin() as unit:
        campaign = await _lock(unit, staff, campaign_id, version)
        _require_state(campaign, CampaignState.DRAFT, CampaignState.SUBMITTED)
        document = await _checked_document(unit, staff, draft)
        name = checked_name(draft.name)
        await _require_free_name(unit, staff.operator_id, name, campaign.id)
        acting.note_change(before=campaign.document, after=document)
        campaign.name, campaign.place_id, campaign.document = name, draft.place_id, document
        campaign.authors = _with(campaign.authors, staff)
        campaign.state, campaign.submitted_by, campaign.submitted_at = (
            CampaignState.DRAFT,
            None,
            None,
        )
        campaign.version += 1
    return campaign


async def submit(
    context: ParkingContext, staff: StaffIdentity, campaign_id: UUID, version: int
) -> Campaign:
    """Ask for a second person's approval; whoever asks is one of the authors.

    Raises:
        CampaignUnknownError, CampaignChangedError, CampaignStateError: as with `change_draft`.
    """
    async with context.database.begin() as unit:
        campaign = await _lock(unit, staff, campaign_id, version)
        _require_state(campaign, CampaignState.DRAFT)
        campaign.state, campaign.refusal_note = CampaignState.SUBMITTED, None
        campaign.submitted_by, campaign.submitted_at = staff.recorded_name, unit.now()
        campaign.authors = _with(campaign.authors, staff)
        campaign.version += 1
    return campaign


async def approve(
    context: ParkingContext, staff: StaffIdentity, campaign_id: UUID, version: int
) -> Campaign:
    """Approve what was submitted; it runs from now on, as its trigger says.

    Raises:
        OwnCampaignError: you had a hand in it.
        InvalidInputError: its last day is over.
        AudienceTooSmallError: its filter means hardly anybody.
        CampaignUnknownError, CampaignChangedError, CampaignStateError: as with `change_draft`.
    """
    async with context.database.begin() as unit:
        campaign = await _lock(unit, staff, campaign_id, version)
        _require_state(campaign, CampaignState.SUBMITTED)
        if staff.recorded_name in campaign.authors:
            raise OwnCampaignError
        await _require_many(unit, campaign)
        now = unit.now()
        await unit.run(_APPROVE, {"operator_id": campaign.operator_id, "id": campaign.id})
        campaign.state = CampaignState.RUNNING
        campaign.approved_by, campaign.approved_at = staff.recorded_name, now
        campaign.next_run_at = _first_run_at(campaign, now)
        campaign.version += 1
        acting.note_change(before=CampaignState.SUBMITTED, after=CampaignState.RUNNING)
    return campaign


async def send_back(
    context: ParkingContext, staff: StaffIdentity, campaign_id: UUID, version: int, note: str
) -> Campaign:
    """Refuse what was submitted, and say why; it is a draft again.

    Raises:
        CampaignUnknownError, CampaignChangedError, CampaignStateError: as with `change_draft`.
    """
    if not 0 < len(note.strip()) <= NOTE_LENGTH_MAX:
        raise InvalidInputError("note", f"1 to {NOTE_LENGTH_MAX} characters")
    async with context.database.begin() as unit:
        campaign = await _lock(unit, staff, campaign_id, version)
        _require_state(campaign, CampaignState.SUBMITTED)
        campaign.state, campaign.refusal_note = CampaignState.DRAFT, note.strip()
        campaign.submitted_by, campaign.submitted_at = None, None
        campaign.version += 1
    return campaign


async def pause(context: ParkingContext, staff: StaffIdentity, campaign_id: UUID) -> Campaign:
    """Hold a running campaign where it is: nothing is queued or sent. Again changes nothing.

    Raises:
        CampaignUnknownError, CampaignStateError: as with `change_draft`.
    """
    async with context.database.begin() as unit:
        campaign = await _lock(unit, staff, campaign_id, None)
        _require_state(campaign, *_STOPPABLE)
        if campaign.state is CampaignState.RUNNING:
            campaign.state = CampaignState.PAUSED
            campaign.version += 1
    return campaign


async def resume(context: ParkingContext, staff: StaffIdentity, campaign_id: UUID) -> Campaign:
    """Let a paused campaign go on from where it stood. Again changes nothing.

    Raises:
        CampaignUnknownError, CampaignStateError: as with `change_draft`.
    """
    async with context.database.begin() as unit:
        campaign = await _lock(unit, staff, campaign_id, None)
        _require_state(campaign, *_STOPPABLE)
        if campaign.state is CampaignState.PAUSED:
            campaign.state = CampaignState.RUNNING
            campaign.version += 1
    return campaign


async def end(context: ParkingContext, staff: StaffIdentity, campaign_id: UUID) -> Campaign:
    """End a campaign for good: what is queued is not sent. A draft is discarded.

    Raises:
        CampaignUnknownError, CampaignStateError: as with `change_draft`.
    """
    async with context.database.begin() as unit:
        campaign = await _lock(unit, staff, campaign_id, None)
        if campaign.state in (CampaignState.DRAFT, CampaignState.SUBMITTED):
            campaign.state = CampaignState.DISCARDED
        else:
            _require_state(campaign, *_STOPPABLE)
            campaign.state = CampaignState.ENDED
        campaign.ended_at, campaign.ended_because = unit.now(), staff.recorded_name
        campaign.next_run_at = None
        campaign.version += 1
    return campaign


async def find_seen(unit: UnitOfWork, staff: StaffIdentity, campaign_id: UUID) -> Campaign:
    """Return a campaign that a member sees.

    Raises:
        CampaignUnknownError: there is none.
    """
    found = await repository.find_campaign(unit, staff.operator_id, campaign_id)
    if found is None or not staff.sees(found.place_id):
        raise CampaignUnknownError
    return found


def checked_name(name: str) -> str:
    """Return the name of a campaign or segment as it is kept.

    Raises:
        InvalidInputError: it is empty, too long, or holds what cannot be printed.
    """
    found = name.strip()
    if not 0 < len(found) <= NAME_LENGTH_MAX or not found.isprintable():
        raise InvalidInputError("name", f"1 to {NAME_LENGTH_MAX} printable characters")
    return found


async def _checked_document(unit: UnitOfWork, staff: StaffIdentity, draft: Draft) -> dict[str, Any]:
    document = read_document(draft.document)
    require_answerable(document.audience(None))
    await require_place(unit, staff, draft.place_id)
    await require_own_parts(unit, staff, document)
    await require_attachable(unit, staff.operator_id, document)
    return write_document(document)


async def _lock(
    unit: UnitOfWork, staff: StaffIdentity, campaign_id: UUID, version: int | None
) -> Campaign:
    campaign = await repository.lock_campaign(unit, staff.operator_id, campaign_id)
    if campaign is None or not staff.sees(campaign.place_id):
        raise CampaignUnknownError
    if version is not None and version != campaign.version:
        raise CampaignChangedError(campaign.version)
    return campaign


def _require_state(campaign: Campaign, *needed: CampaignState) -> None:
    if campaign.state not in needed:
        raise CampaignStateError(campaign.state, " or ".join(needed))


async def _require_many(unit: UnitOfWork, campaign: Campaign) -> None:
    """Refuse a filter that singles people out: what came of it would be about them."""
    document = read_document(campaign.document)
    _, found, *_ = await count_each(unit, campaign.operator_id, campaign.place_id, document.filter)
    if found.drivers < COUNTED_MIN:
        raise AudienceTooSmallError(COUNTED_MIN)


def _first_run_at(campaign: Campaign, now: datetime) -> datetime | None:
    trigger = read_document(campaign.document).trigger
    first = first_run_at(trigger, now)
    if first is None and isinstance(trigger, Schedule):
        # It would end before anybody heard of it, and look as if it had been sent.
        raise InvalidInputError("campaign.trigger.lastDay", "a day with a run still to come")
    return first


def _with(authors: list[str], staff: StaffIdentity) -> list[str]:
    if staff.recorded_name in authors:
        return authors
    if len(authors) >= AUTHORS_MAX:
        raise InvalidInputError("authors", f"at most {AUTHORS_MAX} people at one campaign")
    return [*authors, staff.recorded_name]


async def _require_free_name(
    unit: UnitOfWork, operator_id: UUID, name: str, campaign_id: UUID | None
) -> None:
    # Two at once meet the constraint, which is a conflict; one after another is told in words.
    statement = select(Campaign.id).where(
        col(Campaign.operator_id) == operator_id, col(Campaign.name) == name
    )
    found = (await unit.session.exec(statement)).one_or_none()
    if found is not None and found != campaign_id:
        raise NameTakenError
