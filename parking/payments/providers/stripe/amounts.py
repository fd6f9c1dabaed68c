"""Our minor units and Stripe's: the same number for most currencies, and not for all.

Stripe's documented rules: amounts are in the currency's smallest unit; krona and shilling keep two
digits that must be zero; amounts with three digits must end in zero.
"""

from parking.kit.money import Money, minor_digits

_NO_DIGITS = frozenset(
    "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split()  # noqa: SIM905 - a table
)
_THREE_DIGITS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
# Sent with two digits, which have been zero ever since the currency lost them.
_WHOLE_IN_HUNDREDTHS = frozenset({"ISK", "UGX"})


def to_stripe(amount: Money) -> int | None:
    """Return the amount as Stripe takes it; None where Stripe cannot take this very amount."""
    ours, theirs = minor_digits(amount.currency), _digits(amount.currency)
    value, rest = divmod(amount.amount_minor * 10**theirs, 10**ours)
    if rest or value % _step(amount.currency):
        return None
    return value


def from_stripe(value: int, currency: str) -> Money | None:
    """Return Stripe's amount in our minor units; None where ours cannot say it.

    Args:
        value: As Stripe says it.
        currency: In Stripe's small letters, or in capitals.
    """
    code = currency.upper()
    minor, rest = divmod(value * 10 ** minor_digits(code), 10 ** _digits(code))
    return None if rest else Money(minor, code)


def _digits(currency: str) -> int:
    if currency in _NO_DIGITS:
        return 0
    return 3 if currency in _THREE_DIGITS else 2


def _step(currency: str) -> int:
    if currency in _WHOLE_IN_HUNDREDTHS:
        return 100
    return 10 if currency in _THREE_DIGITS else 1
