"""Operators that collect for each other, as their staff agree on it and settle it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from api.acting import Given, outcome_of
from api.config import PAGE_SIZE
from api.global_ids import BILL_KIND, decode_id, encode_id
from api.idempotency import by_staff, keyed
from api.request import Info
from api.types.money import Money, MoneyInput, MoneySum, required_money
from api.types.page import PageInfo, require_page_size
from parking.flows.payments import partner_view
from parking.flows.payments.partner_view import CollectionView, PartnershipView, SettlementView
from parking.payments.partner_models import CollectionState, PartnershipState
from parking.staff.rules import StaffIdentity

OPERATOR_KIND = "Operator"
_CURSOR = "CollectionCursor"

strawberry.enum(PartnershipState, name="PartnershipState")
strawberry.enum(
    CollectionState,
    name="CollectionState",
    description="CLAIMED: being paid. COLLECTED: the collector has the money, and the bill is "
    "paid. RELEASED: nothing was taken, and the bill is owed as before.",
)


@strawberry.type(description="An agreement with another operator to collect for each other.")
class Partnership:
    """An agreement."""

    partner_id: strawberry.ID
    partner_name: str
    state: PartnershipState
    is_ours: bool = strawberry.field(description="Whether you proposed it.")
    proposed_by: str | None = strawberry.field(description="Your colleague; null for theirs.")
    proposed_at: datetime
    accepted_at: datetime | None
    ended_at: datetime | None
    owed_to_us: list[MoneySum] = strawberry.field(
        description="What the partner holds for you; negative for what you hold for it."
    )

    @classmethod
    def of(cls, view: PartnershipView) -> "Partnership":
        """Return the agreement for one of the two."""
        return cls(
            partner_id=encode_id(OPERATOR_KIND, view.partner_id),
            partner_name=view.partner_name,
            state=view.state,
            is_ours=view.is_ours,
            proposed_by=view.proposed_by if view.is_ours else None,
            proposed_at=view.proposed_at,
            accepted_at=view.accepted_at,
            ended_at=view.ended_at,
            owed_to_us=[MoneySum.of(one) for one in view.owed_to_us],
        )


@strawberry.type(description="A bill that one partner collected for the other.")
class PartnerCollected:
    """A collected bill."""

    bill_id: strawberry.ID = strawberry.field(description="Yours of the two bills.")
    is_ours: bool = strawberry.field(description="Whether you collected it.")
    partner_name: str
    amount: Money
    state: CollectionState
    claimed_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, view: CollectionView, staff: StaffIdentity) -> "PartnerCollected":
        """Return the collection for one of the two."""
        return cls(
            bill_id=encode_id(BILL_KIND, staff.operator_id, view.bill_id),
            is_ours=view.is_ours,
            partner_name=view.partner_name,
            amount=Money.of(view.amount),
            state=view.state,
            claimed_at=view.claimed_at,
            finished_at=view.finished_at,
        )


@strawberry.type(description="A page of collected bills, the newest first.")
class PartnerCollectedPage:
    """A page of collected bills."""

    nodes: list[PartnerCollected]
    page_info: PageInfo


@strawberry.type(description="Money between two partners, as the one who received it says.")
class PartnerSettlement:
    """A settlement."""

    is_ours: bool = strawberry.field(description="Whether you received it.")
    partner_name: str
    amount: Money
    reference: str
    received_by: str | None = strawberry.field(description="Your colleague; null for theirs.")
    received_at: datetime

    @classmethod
    def of(cls, view: SettlementView) -> "PartnerSettlement":
        """Return the settlement for one of the two."""
        return cls(
            is_ours=view.is_ours,
            partner_name=view.partner_name,
            amount=Money.of(view.amount),
            reference=view.reference,
            received_by=view.received_by if view.is_ours else None,
            received_at=view.received_at,
        )


@strawberry.type(description="The agreement as it stands now.")
class PartnershipChanged:
    """The agreement stands so."""

    partnership: Partnership


@strawberry.type(description="It stands in both operators' books.")
class PartnerSettled:
    """The settlement is posted."""

    settlement: PartnerSettlement


@strawberry.input
class PartnerInput:
    """Which operator."""

    partner_id: strawberry.ID


@strawberry.input
class SettlePartnerInput:
    """What a partner paid to you."""

    partner_id: strawberry.ID
    amount: MoneyInput
    settlement_key: str = strawberry.field(
        description="Yours, to name this payment: sending it again posts it once."
    )
    reference: str = strawberry.field(description="What your bank statement says.")


@keyed(by_staff, at_once=True)
async def propose_partnership(
    info: Info, given: Annotated[PartnerInput, Given]
) -> PartnershipChanged:
    """Propose an agreement."""
    staff, partner_id = _parties(info, given.partner_id)
    view = await partner_view.propose(
        info.context.parking, staff.operator_id, partner_id, by=staff.recorded_name
    )
    return PartnershipChanged(partnership=Partnership.of(view))


@keyed(by_staff, at_once=True)
async def accept_partnership(
    info: Info, given: Annotated[PartnerInput, Given]
) -> PartnershipChanged:
    """Agree to a proposal."""
    staff, partner_id = _parties(info, given.partner_id)
    view = await partner_view.accept(
        info.context.parking, staff.operator_id, partner_id, by=staff.recorded_name
    )
    return PartnershipChanged(partnership=Partnership.of(view))


@keyed(by_staff, at_once=True)
async def end_partnership(info: Info, given: Annotated[PartnerInput, Given]) -> PartnershipChanged:
    """End an agreement."""
    staff, partner_id = _parties(info, given.partner_id)
    view = await partner_view.end(
        info.context.parking, staff.operator_id, partner_id, by=staff.recorded_name
    )
    return PartnershipChanged(partnership=Partnership.of(view))


@keyed(by_staff, at_once=True)
async def settle_partner(info: Info, given: Annotated[SettlePartnerInput, Given]) -> PartnerSettled:
    """Post what a partner paid."""
    staff, partner_id = _parties(info, given.partner_id)
    view = await partner_view.settle(
        info.context.parking,
        staff.operator_id,
        partner_id,
        required_money(given.amount, field="amount"),
        key=given.settlement_key,
        reference=given.reference,
        by=staff.recorded_name,
    )
    return PartnerSettled(settlement=PartnerSettlement.of(view))


@strawberry.type
class PartnerQueries:
    """The reads about partners."""

    @strawberry.field(description="Your own id, for whoever is to propose a partnership to you.")
    async def operator_id(self, info: Info) -> strawberry.ID:
        """Return the operator's id."""
        return encode_id(OPERATOR_KIND, info.context.staff().operator_id)

    @strawberry.field(description="Your partnerships with what is to be settled, the newest first.")
    async def partnerships(self, info: Info) -> list[Partnership]:
        """Return the partnerships."""
        staff = info.context.staff()
        views = await partner_view.list_partnerships(info.context.parking, staff.operator_id)
        return [Partnership.of(view) for view in views]

    @strawberry.field(description="What you collected for partners, and they for you.")
    async def partner_collections(
        self, info: Info, first: int = PAGE_SIZE, after: str | None = None
    ) -> PartnerCollectedPage:
        """Return a page of collected bills."""
        staff = info.context.staff()
        require_page_size(first)
        before = None if after is None else decode_id(after, kind=_CURSOR, field="after")
        views = await partner_view.page_collections(
            info.context.parking,
            staff.operator_id,
            # One more than asked for tells whether there is a next page.
            first=first + 1,
            before=before,
        )
        shown = views[:first]
        return PartnerCollectedPage(
            nodes=[PartnerCollected.of(view, staff) for view in shown],
            page_info=PageInfo.of(
                [encode_id(_CURSOR, view.id) for view in shown],
                has_more=len(views) > first,
                after=after,
            ),
        )

    @strawberry.field(description="What partners paid to you, and you to them; at most 100.")
    async def partner_settlements(self, info: Info) -> list[PartnerSettlement]:
        """Return the settlements."""
        staff = info.context.staff()
        views = await partner_view.list_settlements(info.context.parking, staff.operator_id)
        return [PartnerSettlement.of(view) for view in views]


@strawberry.type
class PartnerMutations:
    """The writes about partners."""

    propose_partnership = strawberry.mutation(
        propose_partnership,
        graphql_type=outcome_of(PartnershipChanged, "ProposePartnershipResult"),
        description="Ask another operator to collect for each other. Repeating it changes nothing.",
    )
    accept_partnership = strawberry.mutation(
        accept_partnership,
        graphql_type=outcome_of(PartnershipChanged, "AcceptPartnershipResult"),
        description="Agree to what another operator proposed. Repeating it changes nothing.",
    )
    end_partnership = strawberry.mutation(
        end_partnership,
        graphql_type=outcome_of(PartnershipChanged, "EndPartnershipResult"),
        description="End a partnership, or refuse a proposal. What was collected is still settled.",
    )
    settle_partner = strawberry.mutation(
        settle_partner,
        graphql_type=outcome_of(PartnerSettled, "SettlePartnerResult"),
        description="Write down what a partner paid to you, at most what it holds for you. It is "
        "posted in both operators' books, once for each key.",
    )


def _parties(info: Info, partner_id: strawberry.ID) -> tuple[StaffIdentity, UUID]:
    staff = info.context.staff()
    return staff, decode_id(partner_id, kind=OPERATOR_KIND, field="partnerId")
