"""What staff give and get about disputes."""

from datetime import datetime
from enum import Enum

import strawberry

from api.global_ids import encode_id
from api.staff.dispute_case import DisputeCase
from api.types.dispute import DISPUTE_KIND
from api.types.money import Money
from api.types.page import PageInfo
from parking.disputes import models
from parking.disputes.rules import WORDS_LENGTH_MAX
from parking.flows.disputes.dispute_decision import ACCEPT_FULL, CORRECT, REJECT, Remedy
from parking.flows.disputes.dispute_view import DisputeView
from parking.kit.errors import InvalidInputError
from parking.tariffs.model_part import validated
from parking.tariffs.rules import Vehicle

WAIVED_LINES_MAX = 100


@strawberry.enum(
    description="ACCEPT_FULL: the stay, or the contested line, costs nothing. CORRECT: the stay is "
    "priced again. REJECT: the bill stands."
)
class DisputeDecision(Enum):
    """What staff decide."""

    ACCEPT_FULL = ACCEPT_FULL
    CORRECT = CORRECT
    REJECT = REJECT


@strawberry.type(description="A dispute in the staff's list.")
class DisputeSummary:
    """A dispute in a list."""

    id: strawberry.ID
    state: models.DisputeState
    reason: models.DisputeReason
    line_index: int | None
    comment: str
    words: str | None
    place_name: str | None
    opened_by_system: bool
    staff_cause: str | None = strawberry.field(
        description="Why a person must decide: `reason`, `no_evidence`, `evidence_suffices`, "
        "`paid_by_hand`, `decided_before`, `too_many`, `no_pictures`, `too_soon`, `not_possible`; "
        "null where the system refunded it, or is about to. More may come."
    )
    is_being_decided: bool
    is_review_due: bool = strawberry.field(
        description="The system found a misread: look at both cars, then call `reviewDispute`."
    )
    refunded: Money | None
    opened_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    reviewed_by: str | None

    @classmethod
    def of(cls, view: DisputeView) -> "DisputeSummary":
        """Return the dispute for staff; it does not say whose it is."""
        row = view.row
        return cls(
            id=encode_id(DISPUTE_KIND, row.id),
            state=models.DisputeState(row.state),
            reason=models.DisputeReason(row.reason),
            line_index=row.line_index,
            comment=view.comment,
            words=view.words,
            place_name=view.place_name,
            opened_by_system=row.opened_by == models.Opener.SYSTEM,
            staff_cause=row.staff_cause,
            is_being_decided=view.is_being_decided,
            is_review_due=row.is_review_due,
            refunded=None if view.refunded is None else Money.of(view.refunded),
            opened_at=row.opened_at,
            decided_at=row.decided_at,
            decided_by=row.decided_by,
            reviewed_by=row.reviewed_by,
        )


@strawberry.type(description="A page of disputes, newest first.")
class DisputePage:
    """A page of disputes."""

    nodes: list[DisputeSummary]
    page_info: PageInfo


@strawberry.type(description="One dispute with all that it is decided by.")
class DisputeFile:
    """One dispute with all that it is decided by."""

    summary: DisputeSummary
    case: DisputeCase


@strawberry.type(description="What a decision would cost; nothing was done.")
class DisputePreview:
    """What a decision would cost."""

    before: Money = strawberry.field(description="What the stay's bills say now.")
    after: Money = strawberry.field(description="What they would say.")
    refund: Money = strawberry.field(description="What would go back to how it was paid.")


@strawberry.type(description="The dispute is decided, or will be as soon as a payment has ended.")
class DisputeResolved:
    """The dispute is decided."""

    dispute: DisputeSummary


@strawberry.type(description="Somebody has looked at the misread that the system found.")
class DisputeReviewed:
    """Somebody has looked at it."""

    dispute: DisputeSummary


@strawberry.input
class DisputeVehicleInput:
    """What the vehicle is."""

    vehicle_class: str = "car"
    is_ev: bool = False
    is_resident: bool = False


@strawberry.input(description="What to correct; leave out what was right.")
class DisputeCorrectionInput:
    """What to correct."""

    entered_at: datetime | None = None
    left_at: datetime | None = None
    vehicle: DisputeVehicleInput | None = None
    waived_lines: list[int] | None = strawberry.field(
        default=None, description="Lines of the disputed bill, from 0, that cost nothing."
    )


@strawberry.input
class PreviewDisputeInput:
    """What one would decide."""

    dispute_id: strawberry.ID
    decision: DisputeDecision
    correction: DisputeCorrectionInput | None = strawberry.field(
        default=None, description="With CORRECT, and only then."
    )


@strawberry.input
class ResolveDisputeInput(PreviewDisputeInput):
    """What is decided, and what the driver reads."""

    words: str = strawberry.field(
        description=f"What the driver reads, at most {WORDS_LENGTH_MAX} characters."
    )


@strawberry.input
class ReviewDisputeInput:
    """Which dispute."""

    dispute_id: strawberry.ID


def remedy_of(given: PreviewDisputeInput) -> Remedy | None:
    """Return what staff correct; None where the decision corrects nothing.

    Raises:
        InvalidInputError: it does not go with the decision, or is unusable.
    """
    correction = given.correction
    if (given.decision is DisputeDecision.CORRECT) != (correction is not None):
        raise InvalidInputError("correction", "what to correct, with CORRECT only")
    if correction is None:
        return None
    waived = correction.waived_lines or []
    if len(waived) > WAIVED_LINES_MAX:
        raise InvalidInputError("correction.waivedLines", f"at most {WAIVED_LINES_MAX} lines")
    remedy = Remedy(
        entered_at=_aware(correction.entered_at, "correction.enteredAt"),
        left_at=_aware(correction.left_at, "correction.leftAt"),
        vehicle=_vehicle(correction.vehicle),
        waived_lines=tuple(sorted(set(waived))),
    )
    if remedy == Remedy():
        raise InvalidInputError("correction", "at least one thing to correct")
    return remedy


def _aware(at: datetime | None, field: str) -> datetime | None:
    if at is not None and at.tzinfo is None:
        raise InvalidInputError(field, "a time with its zone, such as 2026-03-29T09:00:00Z")
    return at


def _vehicle(given: DisputeVehicleInput | None) -> Vehicle | None:
    if given is None:
        return None
    facts = {
        "vehicle_class": given.vehicle_class,
        "is_ev": given.is_ev,
        "is_resident": given.is_resident,
    }
    return validated(Vehicle, facts, "correction.vehicle")
