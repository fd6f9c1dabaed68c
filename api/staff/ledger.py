"""The operator's ledger."""

from datetime import datetime
from typing import Annotated

import strawberry

from api.config import PAGE_SIZE
from api.global_ids import BILL_KIND, decode_keys
from api.request import Info
from api.types.money import Money, MoneySum
from api.types.page import PageInfo, require_page_size
from parking.flows.payments import books
from parking.flows.payments.books import PostingView
from parking.kit.errors import InvalidInputError


@strawberry.type(description="What an account holds; debits are positive.")
class AccountBalance:
    """What an account holds."""

    account: str = strawberry.field(
        description="Such as `revenue`, `provider:stripe`, `partner:` and the partner's id, or "
        "`receivable:` and a driver's name of this ledger, which says nothing elsewhere."
    )
    balance: MoneySum


@strawberry.type(description="A page of balances, in the order of their accounts.")
class AccountBalancePage:
    """A page of balances."""

    nodes: list[AccountBalance]
    page_info: PageInfo


@strawberry.type(description="Money moved from the credited to the debited account.")
class Posting:
    """A posting."""

    debit_account: str
    credit_account: str
    amount: Money
    cause: str
    posted_at: datetime

    @classmethod
    def of(cls, view: PostingView) -> "Posting":
        """Return the posting for its operator's staff."""
        return cls(
            debit_account=view.debit_account,
            credit_account=view.credit_account,
            amount=Money.of(view.amount),
            cause=view.cause,
            posted_at=view.posted_at,
        )


@strawberry.type
class LedgerQueries:
    """The reads of the ledger."""

    @strawberry.field(description="Your ledger's balances; their sum is nothing, always.")
    async def balances(
        self,
        info: Info,
        at: Annotated[
            datetime | None, strawberry.argument(description="As they were then.")
        ] = None,
        first: int = PAGE_SIZE,
        after: str | None = None,
    ) -> AccountBalancePage:
        """Return a page of balances."""
        staff = info.context.staff()
        require_page_size(first)
        found = await books.page_balances(
            info.context.parking,
            staff.operator_id,
            # One more than asked for tells whether there is a next page.
            first=first + 1,
            after=after,
            until=_checked_time(at),
        )
        shown = found[:first]
        return AccountBalancePage(
            nodes=[
                AccountBalance(account=one.account, balance=MoneySum.of(one.balance))
                for one in shown
            ],
            page_info=PageInfo.of(
                [one.cursor for one in shown],
                has_more=len(found) > first,
                after=after,
            ),
        )

    @strawberry.field(description="What was posted for a bill, all versions of it, in order.")
    async def postings(self, info: Info, bill_id: strawberry.ID) -> list[Posting]:
        """Return a bill's postings; none of another operator's bill."""
        staff = info.context.staff()
        operator_id, key = decode_keys(bill_id, kind=BILL_KIND, count=2, field="billId")
        if operator_id != staff.operator_id:
            return []
        views = await books.postings_of_bill(info.context.parking, operator_id, key)
        return [Posting.of(view) for view in views]


def _checked_time(at: datetime | None) -> datetime | None:
    if at is not None and at.tzinfo is None:
        raise InvalidInputError("at", "a time with its zone")
    return at
