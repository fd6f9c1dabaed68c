"""Balances with all that drivers owe as one account, for tests with one driver after another."""

from parking.payments.ledger import RECEIVABLE, is_receivable


def with_one_receivable(found: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """Return balances with all that drivers owe as one account."""
    summed: dict[tuple[str, str], int] = {}
    for (account, currency), amount_minor in found.items():
        key = (RECEIVABLE if is_receivable(account) else account, currency)
        summed[key] = summed.get(key, 0) + amount_minor
    return summed
