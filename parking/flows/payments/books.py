"""The ledger as an operator's staff read it; who a driver is, is not theirs to know."""

import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.kit.crypto import SealBrokenError, Vault
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.payments import balances, bill_history, ledger, repository
from parking.payments.errors import BillUnknownError

CURSOR_LENGTH_MAX: Final = 400
_CURSOR: Final = "balance_cursor"
_NAME_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class BalanceView:
    """What an account holds, debits positive; `cursor` leads to those behind it."""

    account: str
    balance: Money
    cursor: str


@dataclass(frozen=True, slots=True)
class PostingView:
    """Money moved from the credited to the debited account."""

    debit_account: str
    credit_account: str
    amount: Money
    cause: str
    posted_at: datetime


async def page_balances(
    context: ParkingContext,
    operator_id: UUID,
    *,
    first: int,
    after: str | None,
    until: datetime | None,
) -> list[BalanceView]:
    """Return a page of an operator's balances, as they were at a time or are now.

    Raises:
        InvalidInputError: the cursor is none of ours.
    """
    behind = None if after is None else _read_cursor(context.vault, after)
    async with context.database.begin() as unit:
        found = await balances.page_balances(
            unit, operator_id, first=first, after=behind, until=until
        )
    return [
        BalanceView(
            _shown(context.vault, operator_id, one.account),
            one.balance,
            _cursor(context.vault, one.account, one.balance.currency),
        )
        for one in found
    ]


async def postings_of_bill(
    context: ParkingContext, operator_id: UUID, bill_id: UUID
) -> list[PostingView]:
    """Return what was posted for all versions of a bill, the oldest first.

    Raises:
        BillUnknownError: the operator has no such bill.
    """
    async with context.database.begin() as unit:
        bill = await repository.find_bill(unit, operator_id, bill_id)
        if bill is None:
            raise BillUnknownError("billId: expected one of yours")
        versions = await bill_history.find_versions(unit, bill)
        rows = await balances.find_transfers(unit, operator_id, [one.id for one in versions])
    return [
        PostingView(
            _shown(context.vault, operator_id, row.debit_account),
            _shown(context.vault, operator_id, row.credit_account),
            Money(row.amount_minor, row.currency),
            row.cause,
            row.posted_at,
        )
        for row in rows
    ]


def _shown(vault: Vault, operator_id: UUID, account: str) -> str:
    """Return an account's name; a driver's is another one at every operator."""
    known = {ledger.RECEIVABLE, ledger.receivable_of(None)}
    if not ledger.is_receivable(account) or account in known:
        return account
    name = vault.digest("ledger_account", f"{operator_id}|{account}")[:_NAME_BYTES].hex()
    return f"{ledger.RECEIVABLE}:{name}"


def _cursor(vault: Vault, account: str, currency: str) -> str:
    return vault.seal(f"{currency} {account}", context=_CURSOR).hex()


def _read_cursor(vault: Vault, text: str) -> tuple[str, str]:
    try:
        sealed = binascii.unhexlify(text[:CURSOR_LENGTH_MAX])
        currency, _, account = vault.open(sealed, context=_CURSOR).partition(" ")
    except (SealBrokenError, ValueError) as error:
        raise InvalidInputError("after", "a cursor of this list") from error
    return account, currency
