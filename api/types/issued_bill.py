"""Issued bills, what checking one finds, and receipts."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from api.global_ids import BILL_KIND, Node, encode_id
from api.request import Info
from api.types.bill import BillLine, bill_line
from api.types.money import Money
from api.types.place import Place
from parking.flows.bills.checks import Check, Verification
from parking.flows.proof import bill_view
from parking.flows.proof.bill_view import IssuedBillView
from parking.flows.proof.receipts import IssuedReceipt
from parking.payments import models

strawberry.enum(
    models.BillState,
    name="BillState",
    description="ISSUED: due now. OWED: may be paid after departure. PAID. CORRECTED: a newer "
    "version counts. VOID: a newer bill took its place before anybody paid. WRITTEN_OFF: nobody "
    "tries to collect it any more; it may still be paid. More may come.",
)


@strawberry.type(description="The answer to one question about a bill.")
class VerificationCheck:
    """One answer."""

    name: str = strawberry.field(
        description="Stable word, such as `lines`, `entry_time` or `ledger`; more may come."
    )
    ok: bool | None = strawberry.field(
        description="Null where it could not be asked: `words` say what is missing."
    )
    expected: str
    found: str
    words: str = strawberry.field(description="The answer in English.")

    @classmethod
    def of(cls, check: Check) -> "VerificationCheck":
        """Return the answer for a client."""
        return cls(
            name=str(check.name),
            ok=check.ok,
            expected=check.expected,
            found=check.found,
            words=check.words,
        )


@strawberry.type(description="A bill, recomputed and compared with everything that is stored.")
class BillVerification:
    """What was found."""

    bill_id: strawberry.ID
    verified: bool = strawberry.field(description="True if no answer was no.")
    first_problem: VerificationCheck | None
    checks: list[VerificationCheck]

    @classmethod
    def of(cls, bill_id: strawberry.ID, found: Verification) -> "BillVerification":
        """Return what was found for a client."""
        problem = found.first_problem
        return cls(
            bill_id=bill_id,
            verified=found.is_verified,
            first_problem=None if problem is None else VerificationCheck.of(problem),
            checks=[VerificationCheck.of(check) for check in found.checks],
        )


@strawberry.type(description="A signed receipt: anybody can check it with the published keys.")
class BillReceipt:
    """A signed receipt."""

    number: strawberry.ID = strawberry.field(description="The same as long as nothing changes.")
    jws: str = strawberry.field(description="Compact JWS, EdDSA with Ed25519.")
    rate_table: JSON | None = strawberry.field(
        description="What it was priced with; its hash stands in the receipt. Null for a pass."
    )
    keys_url: str = strawberry.field(description="Where the keys are published.")

    @classmethod
    def of(cls, issued: IssuedReceipt) -> "BillReceipt":
        """Return the receipt for a client."""
        table = None if issued.rate_table is None else JSON(dict(issued.rate_table))
        return cls(
            number=strawberry.ID(issued.number),
            jws=issued.jws,
            rate_table=table,
            keys_url=issued.keys_url,
        )


@strawberry.type
class IssuedBillFacts(Node):
    """What drivers and staff see alike."""

    operator_key: strawberry.Private[UUID]
    key: strawberry.Private[UUID]
    session_id: strawberry.ID | None = strawberry.field(description="Null for a pass.")
    place: Place | None
    state: models.BillState
    version: int = strawberry.field(description="1, and one more with each correction.")
    corrects_id: strawberry.ID | None = strawberry.field(description="The version before it.")
    corrected_by_id: strawberry.ID | None = strawberry.field(
        description="The version that counts in its place; null for the one that counts."
    )
    total: Money
    lines: list[BillLine]
    issued_at: datetime
    priced_until: datetime
    paid_at: datetime | None

    @classmethod
    def of(cls, view: IssuedBillView) -> Self:
        """Return the bill for a client."""
        currency, owner = view.total.currency, view.operator_id
        session_id = view.session_id
        return cls(
            id=encode_id(BILL_KIND, owner, view.id),
            operator_key=owner,
            key=view.id,
            session_id=None if session_id is None else encode_id("Session", session_id),
            place=None if view.place is None else Place.of(view.place),
            state=view.state,
            version=view.version,
            corrects_id=_bill_id(owner, view.corrects_id),
            corrected_by_id=_bill_id(owner, view.corrected_by_id),
            total=Money.of(view.total),
            lines=[bill_line(line, currency) for line in view.lines],
            issued_at=view.issued_at,
            priced_until=view.priced_until,
            paid_at=view.paid_at,
        )


@strawberry.type(
    description="A bill that was issued. What it says never changes: a correction is a new version."
)
class IssuedBill(IssuedBillFacts):
    """A driver's bill."""

    @strawberry.field(description="Null while it is not paid. The file is at /receipts/{id}.")
    async def receipt(
        self,
        info: Info,
        *,
        with_plate: Annotated[
            bool,
            strawberry.argument(
                description="The plate in full: for yourself. Else only its two ends."
            ),
        ] = False,
    ) -> BillReceipt | None:
        """Return the signed receipt."""
        if self.paid_at is None:
            return None
        info.context.count_receipt()
        issued = await bill_view.own_receipt(
            info.context.parking,
            await info.context.driver_id(),
            self.operator_key,
            self.key,
            with_plate=with_plate,
        )
        return None if issued is None else BillReceipt.of(issued)


@strawberry.type(description="A bill in a list, with its place in it.")
class IssuedBillEdge:
    """A bill in a list."""

    cursor: str = strawberry.field(description="Give it as `after` to go on behind this bill.")
    node: IssuedBill


def _bill_id(operator_id: UUID, bill_id: UUID | None) -> strawberry.ID | None:
    return None if bill_id is None else encode_id(BILL_KIND, operator_id, bill_id)
