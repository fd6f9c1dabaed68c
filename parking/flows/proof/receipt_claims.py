"""What a receipt says: enough to recompute the bill, and no more about the driver. Pure."""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from parking.flows.bills.bill_basis import BillBasis
from parking.flows.bills.bill_lines import lines_of
from parking.kit.canonical_json import fingerprint
from parking.kit.errors import InvalidInputError
from parking.kit.ids import derive_id
from parking.tariffs.model_part import Part, misfit
from parking.tariffs.rules import NO_CIRCUMSTANCES, Circumstances, RateTable

FORMAT: Final = 1
LINES_MAX: Final = 50_000
REFUNDS_MAX: Final = 1000
_TEXT_LENGTH_MAX: Final = 500
_TWO_SHOWN_FROM: Final = 7
_END_SHOWN_FROM: Final = 4
_AMOUNT_MINOR_MAX: Final = 1_000_000_000_000
_DOT: Final = "•"


def _check_line(line: dict[str, Any]) -> dict[str, Any]:
    if type(line.get("amount_minor")) is not int or not isinstance(line.get("reason"), str):
        raise misfit("an integer amount_minor and a reason")
    return line


_Text = Annotated[str, Field(max_length=_TEXT_LENGTH_MAX)]
_Amount = Annotated[int, Field(ge=0, le=_AMOUNT_MINOR_MAX)]
_Line = Annotated[dict[str, Any], AfterValidator(_check_line)]


class NamedParty(Part):
    """The operator."""

    id: _Text
    name: _Text


class NamedPlace(Part):
    """The place, and the wall clock that its times are read on."""

    id: _Text
    name: _Text
    timezone: _Text


class ReceiptBill(Part):
    """Which bill the receipt is of.

    Attributes:
        corrects_id: The version before it.
        corrected_by_id: The version that counts in its place.
    """

    id: _Text
    version: Annotated[int, Field(ge=1)]
    state: Literal["paid", "corrected"]
    issued_at: _Text
    corrects_id: _Text | None
    corrected_by_id: _Text | None


class ReceiptPayment(Part):
    """What paid the bill.

    Attributes:
        method: `mandate` for a charge without a password, `checkout` for a payment page.
        reference: Under which the provider knows it.
    """

    provider: _Text
    method: _Text
    reference: _Text
    amount_minor: _Amount
    paid_at: _Text


class ReceiptRefund(Part):
    """Money that went back, or is on its way while `refunded_at` is None."""

    reference: _Text
    amount_minor: _Amount
    refunded_at: _Text | None


class ReceiptClaims(Part):
    """The whole of it.

    Attributes:
        iss: Where the keys are published: the API's address.
        jti: The same for the same facts.
        iat: When the bill was paid, in seconds since 1970.
        plate: Its two ends where `plate_is_masked`; None for a pass.
        left_at: When the car came to the exit; None for a payment before that.
        basis: What the lines follow from; None where the bill stores none.
    """

    format: Literal[1] = FORMAT
    iss: _Text
    jti: _Text
    iat: int
    operator: NamedParty
    place: NamedPlace | None
    plate: _Text | None
    plate_is_masked: bool
    bill: ReceiptBill
    entered_at: _Text | None
    left_at: _Text | None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    lines: Annotated[tuple[_Line, ...], Field(strict=False, max_length=LINES_MAX)]
    total_minor: _Amount
    payment: ReceiptPayment | None
    refunds: Annotated[tuple[ReceiptRefund, ...], Field(strict=False, max_length=REFUNDS_MAX)] = ()
    basis: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """Return the claims as they are signed."""
        return self.model_dump(mode="json")

    def named(self) -> "ReceiptClaims":
        """Return the claims under the id that follows from all of them."""
        facts = fingerprint(self.model_copy(update={"jti": ""}).to_json())
        number = derive_id(UUID(self.bill.id), f"receipt:{facts}")
        return self.model_copy(update={"jti": str(number)})


def mask_plate(plate: str) -> str:
    """Return enough of a plate for its driver to know it, and too little to name it."""
    first = 2 if len(plate) >= _TWO_SHOWN_FROM else 1
    last = first if len(plate) >= _END_SHOWN_FROM else 0
    hidden = max(len(plate) - first - last, 2)
    return f"{plate[:first]}{_DOT * hidden}{plate[len(plate) - last :]}"


def least_basis(basis: BillBasis, table: RateTable) -> BillBasis:
    """Return the basis with only those circumstances that the lines do depend on.

    Whoever is shown the receipt has no business in knowing that its driver lives nearby, if that
    did not change the price.
    """
    wanted = lines_of(table, basis.facts).lines
    least = basis
    for circumstances in _lesser(basis.circumstances):
        tried = least.model_copy(update={"circumstances": circumstances(least.circumstances)})
        if tried.circumstances != least.circumstances and _lines(tried, table) == wanted:
            least = tried
    return least


class _Without:
    """Takes one fact away."""

    def __init__(self, part: str, of_vehicle: str | None = None) -> None:
        self._part = part
        self._of_vehicle = of_vehicle

    def __call__(self, circumstances: Circumstances) -> Circumstances:
        if self._of_vehicle is None:
            value = getattr(NO_CIRCUMSTANCES, self._part)
        else:
            usual = getattr(NO_CIRCUMSTANCES.vehicle, self._of_vehicle)
            value = circumstances.vehicle.model_copy(update={self._of_vehicle: usual})
        return circumstances.model_copy(update={self._part: value})


def _lesser(circumstances: Circumstances) -> Iterator[_Without]:
    for part in type(circumstances).model_fields:
        if part != "vehicle":
            yield _Without(part)
    for part in type(circumstances.vehicle).model_fields:
        yield _Without("vehicle", part)


def _lines(basis: BillBasis, table: RateTable) -> object:
    try:
        return lines_of(table, basis.facts).lines
    except InvalidInputError:
        return None
