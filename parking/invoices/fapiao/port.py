"""What Sesame asks of a service that has fapiao (数电票) issued, and what it may answer."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class FapiaoStatus(StrEnum):
    """What the service says of an application; ISSUED and FAILED are definitive.

    NOT_FOUND: it has never heard of the number. UNKNOWN: nothing was heard that may be believed.
    """

    APPLIED = "applied"
    ISSUED = "issued"
    FAILED = "failed"
    NOT_FOUND = "not_found"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FapiaoLine:
    """One line; every amount is positive, also on a red fapiao."""

    name: str
    vat_basis_points: int
    net_minor: int
    vat_minor: int
    gross_minor: int


@dataclass(frozen=True, slots=True)
class FapiaoApplication:
    """What a fapiao is to say.

    Attributes:
        number: Ours; the same number is applied for once, however often it is sent.
        title: 抬头, whom it is made out to.
        title_tax_number: Of a company; None for a person.
        email: Where the service sends the document, if anywhere.
        red_of: Our number of the blue fapiao that a red one (红字) takes from; None for a blue one.
        reason: Why it is red; empty for a blue one.
    """

    number: str
    seller_name: str
    seller_tax_number: str
    title: str
    title_tax_number: str | None
    email: str | None
    currency: str
    lines: tuple[FapiaoLine, ...]
    red_of: str | None = None
    reason: str = ""

    @property
    def gross_minor(self) -> int:
        """What the lines add up to."""
        return sum(line.gross_minor for line in self.lines)


@dataclass(frozen=True, slots=True)
class FapiaoResult:
    """What became of an application.

    Attributes:
        fapiao_number: The tax office's, once issued.
        pdf_url: Where the document is, once issued.
        failure_code: Why not, or why nothing is known.
    """

    number: str
    status: FapiaoStatus
    fapiao_number: str | None = None
    pdf_url: str | None = None
    issued_at: datetime | None = None
    failure_code: str | None = None


class FapiaoService(Protocol):
    """A service that has fapiao issued.

    No method raises for a lost connection or a bad answer: the result is then UNKNOWN, and the
    caller asks again under the same number.
    """

    async def apply(self, application: FapiaoApplication) -> FapiaoResult:
        """Apply once; the same number again returns what became of it."""
        ...

    async def query(self, number: str) -> FapiaoResult:
        """Return what became of an application."""
        ...

    async def aclose(self) -> None:
        """Give back what the service holds."""
        ...
