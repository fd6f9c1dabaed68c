"""The double-entry ledger: what is owed, what came in, what went back. Rows are never changed.

Every account is one operator's: the owner of the row. A transfer debits one and credits another, so
that all balances of an operator and currency sum to zero by construction.

| account | its balance says |
|---|---|
| `receivable:<driver>`, `receivable:unbound` | what drivers, or cars without one, owe (debit) |
| `revenue` | what the operator earned (credit) |
| `provider:<name>` | what a payment provider holds for the operator (debit) |
| `cash_desk`, `bank` | what was taken over the counter, or came to the operator's own account |
| `partner:<operator>` | what a partner collected for us (debit), or we for it (credit) |
| `coupon_budget:<definition>` | what coupons took off bills: earned, and paid by it (debit) |
| `written_off` | what staff gave up to collect (debit) |
| `chargebacks` | what payers took back through their bank (debit) |
| `receivable` | of before each driver had an account; opening entries emptied it |
"""

from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.ids import derive_id
from parking.kit.money import Money
from parking.payments.models import AttemptKind, Bill, LedgerTransfer, PaymentAttempt, Refund

RECEIVABLE = "receivable"
REVENUE = "revenue"
WRITTEN_OFF = "written_off"
CHARGEBACKS = "chargebacks"
CASH_DESK = "cash_desk"
BANK = "bank"
_PROVIDER = "provider:"
_PARTNER = "partner:"
_COUPON_BUDGET = "coupon_budget:"
_UNBOUND = "unbound"


def receivable_of(driver_id: UUID | None) -> str:
    """Return the account of what a driver owes, or of what cars without one owe."""
    return f"{RECEIVABLE}:{driver_id or _UNBOUND}"


def partner_of(operator_id: UUID) -> str:
    """Return the account between us and another operator."""
    return f"{_PARTNER}{operator_id}"


def provider_of(name: str) -> str:
    """Return the account of what a payment provider holds."""
    return f"{_PROVIDER}{name}"


def coupon_budget_of(definition: str) -> str:
    """Return the account of what a coupon definition pays."""
    return f"{_COUPON_BUDGET}{definition}"


def is_receivable(account: str) -> bool:
    """Return whether it says what somebody owes."""
    return account == RECEIVABLE or account.startswith(f"{RECEIVABLE}:")


def is_provider(account: str) -> bool:
    """Return whether a payment provider holds it."""
    return account.startswith(_PROVIDER)


def account_of(attempt: PaymentAttempt) -> str:
    """Return where the money of an attempt is."""
    if attempt.kind in {AttemptKind.CASH, AttemptKind.PARTNER}:
        # Its provider is the account: `cash_desk`, or `partner:` and whose it is.
        return attempt.provider
    return provider_of(attempt.provider)


def account_of_refund(refund: Refund) -> str:
    """Return where the money of a refund comes from: over the counter where no provider has it."""
    is_by_hand = refund.provider == CASH_DESK or refund.provider.startswith(_PARTNER)
    return CASH_DESK if is_by_hand else provider_of(refund.provider)


async def post_issued(unit: UnitOfWork, bill: Bill, *, earned_by: str = REVENUE) -> None:
    """The driver owes the bill.

    Args:
        unit: The transaction.
        bill: The bill.
        earned_by: Whose the money is: ours, or a partner's that we collect for.
    """
    owes = receivable_of(bill.driver_id)
    await post(unit, bill, _total(bill), owes, earned_by, cause="issued", source=bill.id)


async def post_voided(unit: UnitOfWork, bill: Bill, *, earned_by: str = REVENUE) -> None:
    """The driver does not owe the bill any more: a newer one takes its place."""
    owes = receivable_of(bill.driver_id)
    await post(unit, bill, _total(bill), earned_by, owes, cause="voided", source=bill.id)


async def post_corrected(unit: UnitOfWork, version: Bill, less: Money) -> None:
    """The driver owes `less` less than by the version before; what was paid of it is owed back."""
    owes = receivable_of(version.driver_id)
    await post(unit, version, less, REVENUE, owes, cause="corrected", source=version.id)


async def post_moved(unit: UnitOfWork, bill: Bill, before: UUID | None) -> None:
    """Another driver owes the bill than `before`; the bill names the new one already."""
    counted = select(func.count()).where(
        col(LedgerTransfer.operator_id) == bill.operator_id,
        col(LedgerTransfer.bill_id) == bill.id,
        col(LedgerTransfer.cause) == "moved",
    )
    # A plate may come and go more than once: each move is an entry of its own.
    moves = (await unit.session.exec(counted)).one()
    now, was = receivable_of(bill.driver_id), receivable_of(before)
    source = derive_id(bill.id, f"moved:{moves}")
    await post(unit, bill, _total(bill), now, was, cause="moved", source=source)


async def post_paid(unit: UnitOfWork, bill: Bill, attempt: PaymentAttempt) -> None:
    """The provider, the desk or a partner took the bill's amount for us."""
    owes = receivable_of(bill.driver_id)
    await post(
        unit, bill, _total(bill), account_of(attempt), owes, cause="captured", source=attempt.id
    )


async def post_refunded(unit: UnitOfWork, refund: Refund) -> None:
    """The provider gave the amount back for us."""
    amount = Money(refund.amount_minor, refund.currency)
    owes = receivable_of(refund.driver_id)
    paid_from = account_of_refund(refund)
    await post(unit, refund, amount, owes, paid_from, cause="refunded", source=refund.id)


async def post_written_off(unit: UnitOfWork, bill: Bill, *, source: UUID) -> None:
    """Nobody tries to collect the bill any more."""
    owes = receivable_of(bill.driver_id)
    await post(unit, bill, _total(bill), WRITTEN_OFF, owes, cause="written_off", source=source)


async def post_reinstated(unit: UnitOfWork, bill: Bill, *, source: UUID) -> None:
    """What was written off is owed again: it is being paid, corrected or taken back after all."""
    owes = receivable_of(bill.driver_id)
    await post(unit, bill, _total(bill), owes, WRITTEN_OFF, cause="reinstated", source=source)


async def post_coupon(
    unit: UnitOfWork, bill: Bill, amount: Money, *, definition: str, source: UUID
) -> None:
    """A budget pays what a coupon takes off: the operator earned it, and the driver owes less."""
    budget = coupon_budget_of(definition)
    await post(unit, bill, amount, budget, REVENUE, cause="coupon", source=source)


async def post_coupon_returned(
    unit: UnitOfWork, bill: Bill, amount: Money, *, definition: str, source: UUID
) -> None:
    """A bill takes less off, or was given back: so much of the budget was not spent after all."""
    budget = coupon_budget_of(definition)
    await post(unit, bill, amount, REVENUE, budget, cause="coupon_returned", source=source)


async def post_charged_back(
    unit: UnitOfWork, bill: Bill, attempt: PaymentAttempt, amount: Money, *, source: UUID
) -> None:
    """The payer's bank took the money back from the provider.

    Args:
        unit: The transaction.
        bill: What it had paid.
        attempt: The payment.
        amount: At most what the payment still held.
        source: Names the chargeback; the same one is posted once.
    """
    taken_from = account_of(attempt)
    await post(unit, bill, amount, CHARGEBACKS, taken_from, cause="charged_back", source=source)


async def post_chargeback_won(
    unit: UnitOfWork, bill: Bill, attempt: PaymentAttempt, amount: Money, *, source: UUID
) -> None:
    """The bank gave the money of a chargeback back to the provider."""
    given_to = account_of(attempt)
    await post(unit, bill, amount, given_to, CHARGEBACKS, cause="chargeback_won", source=source)


async def post_owed_again(unit: UnitOfWork, version: Bill, amount: Money, *, source: UUID) -> None:
    """The driver owes again what the payer's bank took back.

    Args:
        unit: The transaction.
        version: The bill's version that is owed.
        amount: What was taken back.
        source: Names the chargeback.
    """
    owes = receivable_of(version.driver_id)
    await post(unit, version, amount, owes, CHARGEBACKS, cause="owed_again", source=source)


async def post_owed_no_more(
    unit: UnitOfWork, version: Bill, amount: Money, *, source: UUID
) -> None:
    """The money of a chargeback is back: the driver owes nothing for it any more."""
    owes = receivable_of(version.driver_id)
    await post(unit, version, amount, CHARGEBACKS, owes, cause="owed_no_more", source=source)


async def post_refund_returned(unit: UnitOfWork, refund: Refund) -> None:
    """A refund that had succeeded did not reach the payer: its amount is ours again, and owed."""
    amount = Money(refund.amount_minor, refund.currency)
    owes = receivable_of(refund.driver_id)
    paid_from = account_of_refund(refund)
    await post(unit, refund, amount, paid_from, owes, cause="refund_returned", source=refund.id)


async def post_settled(
    unit: UnitOfWork, operator_id: UUID, partner_id: UUID, amount: Money, *, source: UUID
) -> None:
    """A partner paid what it had collected: both sides of it, in both operators' books."""
    for owner, debit, credit in (
        (operator_id, BANK, partner_of(partner_id)),
        (partner_id, partner_of(operator_id), BANK),
    ):
        await _insert(
            unit,
            {
                "operator_id": owner,
                "bill_id": source,
                "debit_account": debit,
                "credit_account": credit,
                "amount_minor": amount.amount_minor,
                "currency": amount.currency,
                "cause": "settled",
            },
            source=source,
        )


async def post(
    unit: UnitOfWork,
    subject: Bill | Refund,
    amount: Money,
    debit: str,
    credit: str,
    *,
    cause: str,
    source: UUID,
) -> None:
    """Move an amount from the credit to the debit account, once for each cause and source.

    A trigger refuses the same cause with other sides or another amount.
    """
    if not amount:
        return
    await _insert(
        unit,
        {
            "operator_id": subject.operator_id,
            "bill_id": subject.bill_id if isinstance(subject, Refund) else subject.id,
            "debit_account": debit,
            "credit_account": credit,
            "amount_minor": amount.amount_minor,
            "currency": amount.currency,
            "cause": cause,
        },
        source=source,
    )


async def _insert(unit: UnitOfWork, values: dict[str, Any], *, source: UUID) -> None:
    # The id derives from the cause: posting twice is posting once, and a trigger refuses to take
    # another posting for the same one.
    transfer_id = derive_id(source, f"ledger:{values['cause']}")
    await unit.insert_once(LedgerTransfer, {"id": transfer_id, "posted_at": unit.now(), **values})


def _total(bill: Bill) -> Money:
    return Money(bill.total_minor, bill.currency)
