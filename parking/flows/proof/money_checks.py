"""Whether a bill agrees with its payments, its versions and the ledger. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from uuid import UUID

from parking.flows.bills.checks import Check, CheckName, compared, failed, missing, passed
from parking.kit.money import Money
from parking.payments.ledger import (
    RECEIVABLE,
    REVENUE,
    WRITTEN_OFF,
    account_of,
    account_of_refund,
    is_receivable,
    partner_of,
    receivable_of,
)
from parking.payments.models import (
    AttemptState,
    Bill,
    BillCorrection,
    BillState,
    LedgerTransfer,
    PaymentAttempt,
    Refund,
    RefundState,
)

_UNPAID = {
    BillState.VOID: "it was taken back unpaid",
    BillState.OWED: "its car has left, and it is owed",
    BillState.WRITTEN_OFF: "it was not paid, and was written off",
}
# Entries that change neither what is owed nor what is held, but on whose account; and those of
# what was given up or taken back, which come and go while the bill stays as it is.
_BESIDES = frozenset(
    {
        *("moved", "opened", "written_off", "reinstated", "coupon", "coupon_returned"),
        *("charged_back", "chargeback_won", "owed_again", "owed_no_more", "refund_returned"),
    }
)
# Where money was taken back, there may be several payments of one bill, and their refunds.
_PAYMENTS = frozenset({"captured", "refunded"})


def check_earlier(
    bill: Bill, paid_minor: int, named: Sequence[UUID], earlier: Mapping[UUID, Bill]
) -> Check:
    """Return whether what the bill says was paid before is what those bills took.

    Args:
        bill: The bill.
        paid_minor: As its basis has it.
        named: The earlier bills that the basis names.
        earlier: Those of them that exist.
    """
    name = CheckName.EARLIER_PAYMENTS
    expected = Money(paid_minor, bill.currency).format()
    for bill_id in named:
        other = earlier.get(bill_id)
        if other is None or other.session_id != bill.session_id:
            words = "an earlier bill that it names is none of this stay"
            return failed(name, "a bill of this stay", bill_id, words)
        # A version that replaced a paid one is owed where the payer's bank took the money back.
        if other.total_minor and other.paid_at is None and other.corrects_id is None:
            words = "an earlier bill that it names was not paid"
            return failed(name, "paid", other.state, words)
    found = Money(sum(earlier[bill_id].total_minor for bill_id in named), bill.currency).format()
    bills = "1 earlier bill was" if len(named) == 1 else f"{len(named)} earlier bills were"
    same = f"{bills} paid" if named else "nothing was paid before"
    return compared(name, expected, found, same, "the earlier bills add up to another amount")


def check_paid(bill: Bill, versions: Sequence[Bill], attempt: PaymentAttempt | None) -> Check:
    """Return whether a bill's state is what its payment says.

    Args:
        bill: The bill.
        versions: All versions of it.
        attempt: The payment that the bill names, if it exists.
    """
    name = CheckName.PAID
    if bill.paid_at is None:
        return passed(name, bill.state, _UNPAID.get(BillState(bill.state), "it is not paid"))
    if bill.paid_attempt_id is not None:
        return _check_attempt(versions, attempt)
    if not bill.total_minor:
        return passed(name, bill.state, "nothing was due")
    return missing(name, "it was paid before bills kept by which payment")


def _check_attempt(versions: Sequence[Bill], attempt: PaymentAttempt | None) -> Check:
    name = CheckName.PAID
    if attempt is None:
        return failed(name, "a payment", "none", "the payment that it names does not exist")
    if attempt.state != AttemptState.SUCCEEDED:
        words = "the payment that it names did not succeed"
        return failed(name, AttemptState.SUCCEEDED, attempt.state, words)
    took = Money(attempt.amount_minor, attempt.currency).format()
    asked = next((item for item in versions if item.id == attempt.bill_id), None)
    if asked is None:
        words = "the payment that it names was for another bill"
        return failed(name, versions[0].id, attempt.bill_id, words)
    expected = Money(asked.total_minor, asked.currency).format()
    same = f"{attempt.provider} took {took}"
    return compared(name, expected, took, same, "the payment took another amount")


def check_ledger(
    versions: Sequence[Bill],
    attempt: PaymentAttempt | None,
    refunds: Iterable[Refund],
    transfers: Iterable[LedgerTransfer],
) -> Check:
    """Return whether the ledger holds what follows from a bill, all its versions and its payment.

    Args:
        versions: Of one bill, the first one first.
        attempt: What paid it.
        refunds: Of that payment.
        transfers: What was posted for any of the versions.
    """
    currency, given = versions[0].currency, list(refunds)
    posted = [item for item in transfers if item.currency == currency]
    ignored, wanted = _BESIDES, _entries(versions, attempt, given)
    if not {"charged_back", "refund_returned"}.isdisjoint(item.cause for item in posted):
        ignored = _BESIDES | _PAYMENTS
        wanted = Counter({key: count for key, count in wanted.items() if key[0] not in ignored})
    found = Counter(
        (item.cause, _family(item.debit_account), _family(item.credit_account), item.amount_minor)
        for item in posted
        if item.cause not in ignored
    )
    if wanted == found:
        stray = _on_another_account(versions, posted)
        if stray:
            words = "what is owed stands on the account of somebody else"
            owes = receivable_of(versions[-1].driver_id)
            return failed(CheckName.LEDGER, owes, ", ".join(stray), words)
        given_up, wanted_minor = _given_up(versions, posted)
        if given_up != wanted_minor:
            words = "what was given up is not what the bill's state says"
            shown = Money(given_up, currency).format()
            return failed(CheckName.LEDGER, Money(wanted_minor, currency).format(), shown, words)
        count = wanted.total()
        words = f"{count} {'entry' if count == 1 else 'entries'} in the ledger, as they must be"
        return passed(CheckName.LEDGER, count, words)
    lacking, extra = wanted - found, found - wanted
    words = "an entry of the ledger is missing" if lacking else "the ledger has an entry too many"
    return failed(CheckName.LEDGER, _told(lacking, currency), _told(extra, currency), words)


def check_versions(
    bill: Bill, versions: Sequence[Bill], corrections: Iterable[BillCorrection]
) -> Check:
    """Return whether a bill's versions follow each other without a gap, and which one counts."""
    name = CheckName.VERSIONS
    numbers = [item.version for item in versions]
    if numbers != list(range(1, len(versions) + 1)):
        words = "a version before it is missing"
        return failed(name, "1, 2, ...", ", ".join(map(str, numbers)), words)
    for before, after in pairwise(versions):
        if before.state != BillState.CORRECTED or after.total_minor > before.total_minor:
            words = f"version {after.version} does not lower the one before it"
            return failed(name, BillState.CORRECTED, before.state, words)
    newest = versions[-1]
    if newest.state == BillState.CORRECTED:
        return failed(name, "a newer version", "none", "the version that replaced it is missing")
    total = Money(newest.total_minor, newest.currency).format()
    if newest is not bill:
        words = f"corrected: version {newest.version} counts, over {total}, bill {newest.id}"
    elif len(versions) == 1:
        words = "it was never corrected"
    else:
        why = [item.reason for item in corrections if str(bill.id) in item.bill_ids]
        words = f"version {bill.version} corrects bill {bill.corrects_id}"
        words += f": {why[-1]}" if why else ""
    return passed(name, f"version {bill.version} of {len(versions)}", words)


def _entries(
    versions: Sequence[Bill], attempt: PaymentAttempt | None, refunds: Iterable[Refund]
) -> Counter[tuple[str, str, str, int]]:
    first, newest = versions[0], versions[-1]
    earned = REVENUE
    if first.collection_id is not None:
        earned = partner_of(UUID(str(first.basis["owner_id"])))
    entries = [("issued", RECEIVABLE, earned, first.total_minor)]
    entries += [
        ("corrected", earned, RECEIVABLE, before.total_minor - after.total_minor)
        for before, after in pairwise(versions)
    ]
    if newest.state == BillState.VOID:
        entries.append(("voided", earned, RECEIVABLE, newest.total_minor))
    if attempt is not None:
        entries.append(("captured", account_of(attempt), RECEIVABLE, attempt.amount_minor))
    entries += [
        ("refunded", RECEIVABLE, account_of_refund(refund), refund.amount_minor)
        for refund in refunds
        if refund.state == RefundState.SUCCEEDED
    ]
    # Nothing is posted for nothing.
    return Counter(entry for entry in entries if entry[-1])


def _family(account: str) -> str:
    return RECEIVABLE if is_receivable(account) else account


def _on_another_account(versions: Sequence[Bill], posted: Iterable[LedgerTransfer]) -> list[str]:
    """Return the accounts of drivers that hold something of a bill that is not theirs."""
    held = Counter[str]()
    for item in posted:
        held[item.debit_account] += item.amount_minor
        held[item.credit_account] -= item.amount_minor
    owes = receivable_of(versions[-1].driver_id)
    return sorted(
        account
        for account, amount in held.items()
        # Bills of before each driver had an account were opened on it as they stood then.
        if amount and is_receivable(account) and account not in {owes, RECEIVABLE}
    )


def _given_up(versions: Sequence[Bill], posted: Iterable[LedgerTransfer]) -> tuple[int, int]:
    """Return how much of a bill is written off by the ledger, and by its state."""
    found = sum(
        item.amount_minor if item.debit_account == WRITTEN_OFF else -item.amount_minor
        for item in posted
        if WRITTEN_OFF in {item.debit_account, item.credit_account}
    )
    newest = versions[-1]
    return found, newest.total_minor if newest.state == BillState.WRITTEN_OFF else 0


def _told(entries: Counter[tuple[str, str, str, int]], currency: str) -> str:
    return "; ".join(
        f"{cause}: {debit} from {credit}, {Money(amount, currency).format()}"
        for cause, debit, credit, amount in entries
    )
