"""Money as an integer number of the currency's smallest unit."""

from dataclasses import dataclass
from typing import Self

# ISO 4217: currencies whose smallest unit is not a hundredth. All others have two digits.
_EXPONENTS = {"BHD": 3, "CLP": 0, "ISK": 0, "JPY": 0, "KRW": 0, "KWD": 3, "TND": 3, "VND": 0}
_CODE_LENGTH = 3


def minor_digits(currency: str) -> int:
    """Return how many decimal digits the currency's major unit has."""
    return _EXPONENTS.get(currency, 2)


def divide_half_up(amount_minor: int, divisor: int) -> int:
    """Return the quotient in whole minor units, half a unit rounded up; exact, without floats.

    Args:
        amount_minor: Not negative.
        divisor: Positive.
    """
    return (2 * amount_minor + divisor) // (2 * divisor)


class CurrencyMismatchError(ValueError):
    """Two currencies met in one sum: a defect of the caller, never a refusal to a user."""

    def __init__(self, left: str, right: str) -> None:
        super().__init__(f"currency: {left} and {right} do not add up")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in integer minor units (fen, cent, yen) and its ISO 4217 code."""

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount_minor) is not int:
            raise TypeError("amount_minor: expected an int")
        code = self.currency
        if len(code) != _CODE_LENGTH or not code.isascii() or not code.isupper():
            raise ValueError("currency: expected an ISO 4217 code such as CNY")

    @classmethod
    def zero(cls, currency: str) -> Self:
        """Return nothing, in `currency`."""
        return cls(0, currency)

    def __add__(self, other: Self) -> Self:
        self._require_same(other)
        return type(self)(self.amount_minor + other.amount_minor, self.currency)

    def __sub__(self, other: Self) -> Self:
        self._require_same(other)
        return type(self)(self.amount_minor - other.amount_minor, self.currency)

    def __lt__(self, other: Self) -> bool:
        self._require_same(other)
        return self.amount_minor < other.amount_minor

    def __bool__(self) -> bool:
        return self.amount_minor != 0

    def format(self) -> str:
        """Return the amount for a display, such as `12.50 CNY`."""
        digits = minor_digits(self.currency)
        sign = "-" if self.amount_minor < 0 else ""
        whole, part = divmod(abs(self.amount_minor), 10**digits)
        fraction = f".{part:0{digits}d}" if digits else ""
        return f"{sign}{whole}{fraction} {self.currency}"

    def _require_same(self, other: Self) -> None:
        if self.currency != other.currency:
            raise CurrencyMismatchError(self.currency, other.currency)
