"""What staff decide a dispute by: the bill, the reads, the pictures, the recomputation."""

from datetime import datetime
from uuid import UUID

import strawberry

from api.global_ids import BILL_KIND, LANE_KIND, encode_id
from api.staff.pictures import picture_url
from api.types.bill import BillLine, bill_line
from api.types.issued_bill import VerificationCheck
from api.types.money import Money
from parking.disputes.rules import DECIDING_THRESHOLD, ReadFacts
from parking.flows.bills.bill_lines import read_lines
from parking.flows.disputes import dispute_view
from parking.flows.disputes.dispute_evidence import ReadView
from parking.kit import money
from parking.payments import models

strawberry.enum(
    dispute_view.MomentKind,
    name="DisputeMomentKind",
    description="What happened. More values may come.",
)


@strawberry.type(description="A picture that a lane's camera took.")
class LanePicture:
    """A picture."""

    url: str = strawberry.field(
        description="Fetch it with your token as `Authorization: Bearer …`; it is not to be kept."
    )
    content_type: str
    size_bytes: int
    captured_at: datetime


@strawberry.type(description="Another text that the reader offered.")
class ReadAlternative:
    """Another text."""

    text: str
    probability: float


@strawberry.type(description="What one car at one lane proves about the billed plate.")
class LaneRead:
    """One car at one lane."""

    lane_id: strawberry.ID
    occurred_at: datetime
    text: str | None = strawberry.field(description="What was read; null where nothing is kept.")
    confidence: float | None = strawberry.field(description="The reader's, of the whole text.")
    characters: list[float] = strawberry.field(
        description="One probability a character of `text`; empty where the reader gave none."
    )
    alternatives: list[ReadAlternative]
    distance: float | None = strawberry.field(
        description="From the text to the billed plate: 0 is the same, 1 one clear difference."
    )
    kind: str | None = strawberry.field(
        description="`exact`; `alternative`: the reader offered the plate beside another text; "
        "`corrected`: the matching took another text for the plate."
    )
    probability: float | None = strawberry.field(
        description="That this car was the billed plate, as docs/disputes.md computes it."
    )
    threshold: float | None = strawberry.field(
        description=f"What that must reach; {DECIDING_THRESHOLD} unless the model was calibrated."
    )
    method: str | None = strawberry.field(description="`anpr`: our reader; `camera`: its own.")
    source: str | None = strawberry.field(description="The weights or the camera that read it.")
    region: str | None
    frames_read: int
    pictures: list[LanePicture] = strawberry.field(description="The one that settled it first.")


@strawberry.type(description="A bill of the disputed stay.")
class DisputedBill:
    """A bill of the stay."""

    id: strawberry.ID
    version: int
    state: str
    total: Money
    lines: list[BillLine]
    issued_at: datetime
    priced_until: datetime
    paid_at: datetime | None


@strawberry.type(description="A moment of the case.")
class DisputeMoment:
    """A moment of the case."""

    at: datetime
    kind: dispute_view.MomentKind
    note: str


@strawberry.type(description="All that a dispute is decided by.")
class DisputeCase:
    """All that a dispute is decided by."""

    plate: str = strawberry.field(description="The billed plate.")
    entered_at: datetime
    left_at: datetime | None
    bill: DisputedBill = strawberry.field(description="The disputed one, as it was.")
    bills: list[DisputedBill] = strawberry.field(description="Those of the stay that count now.")
    probability: float | None = strawberry.field(
        description="That the billed plate was there: of the weakest read; null without a read."
    )
    evidence_suffices: bool | None = strawberry.field(
        description="Whether every read reaches its threshold; null without a read."
    )
    entry: LaneRead | None
    exit: LaneRead | None
    later: LaneRead | None = strawberry.field(
        description="The car that read as the plate after the stay had ended."
    )
    checks: list[VerificationCheck] = strawberry.field(
        description="The disputed bill computed again from what is stored."
    )
    timeline: list[DisputeMoment]

    @classmethod
    def of(cls, case: dispute_view.DisputeCase, public_url: str) -> "DisputeCase":
        """Return the case for staff of its operator."""
        verdict = case.evidence.verdict
        weakest = verdict.weakest
        return cls(
            plate=case.evidence.plate,
            entered_at=case.session.entered_at,
            left_at=case.session.left_at,
            bill=_bill(case.bill),
            bills=[_bill(bill) for bill in case.bills],
            probability=None if weakest is None else weakest.probability,
            evidence_suffices=None if weakest is None else not verdict.is_short,
            entry=_read(case.view.row.operator_id, case.evidence.entry, public_url),
            exit=_read(case.view.row.operator_id, case.evidence.exit, public_url),
            later=_read(case.view.row.operator_id, case.later, public_url),
            checks=[VerificationCheck.of(check) for check in case.checks],
            timeline=[
                DisputeMoment(at=moment.at, kind=moment.kind, note=moment.note)
                for moment in case.timeline
            ],
        )


def _bill(bill: models.Bill) -> DisputedBill:
    return DisputedBill(
        id=encode_id(BILL_KIND, bill.operator_id, bill.id),
        version=bill.version,
        state=str(bill.state),
        total=Money.of(money.Money(bill.total_minor, bill.currency)),
        lines=[bill_line(line, bill.currency) for line in read_lines(bill.lines)],
        issued_at=bill.issued_at,
        priced_until=bill.priced_until,
        paid_at=bill.paid_at,
    )


def _read(operator_id: UUID, view: ReadView | None, public_url: str) -> LaneRead | None:
    if view is None:
        return None
    facts: ReadFacts | None = view.facts
    evidence = view.evidence
    return LaneRead(
        lane_id=encode_id(LANE_KIND, operator_id, view.lane_id),
        occurred_at=view.occurred_at,
        text=None if facts is None else facts.text,
        confidence=None if facts is None else facts.confidence,
        characters=[] if facts is None else list(facts.characters),
        alternatives=[]
        if facts is None
        else [
            ReadAlternative(text=text, probability=probability)
            for text, probability in facts.alternatives.items()
        ],
        distance=None if facts is None else facts.distance,
        kind=None if evidence is None else str(evidence.kind),
        probability=None if evidence is None else evidence.probability,
        threshold=None if evidence is None else evidence.threshold,
        method=view.method,
        source=None if facts is None else facts.source,
        region=view.region,
        frames_read=view.frames_read,
        pictures=[
            LanePicture(
                url=picture_url(public_url, picture.id),
                content_type=picture.content_type,
                size_bytes=picture.size_bytes,
                captured_at=picture.captured_at,
            )
            for picture in view.pictures
        ],
    )
