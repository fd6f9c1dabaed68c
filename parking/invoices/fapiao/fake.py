"""A fapiao service in memory, that does what a test tells it to."""

from dataclasses import dataclass, replace
from typing import Final

from parking.invoices.fapiao.port import FapiaoApplication, FapiaoResult, FapiaoStatus
from parking.kit.clock import Clock

NUMBER_CONFLICT: Final = "number_conflict"
RED_UNKNOWN: Final = "red_of_unknown"
RED_TOO_MUCH: Final = "red_too_much"
_FIRST_FAPIAO_NUMBER: Final = 26_000_000_000_000_000_000


@dataclass(slots=True)
class BookEntry:
    """An application, and what became of it."""

    application: FapiaoApplication
    result: FapiaoResult


class FakeFapiaoService:
    """Keeps applications until `issue` or `fail` is called, or issues each at its first query.

    Attributes:
        issues_on_query: Issue whatever is asked about.
        is_down: Answer nothing that may be believed; applications do not arrive.
        loses_answers: Take applications, and answer nothing that may be believed.
    """

    def __init__(self, clock: Clock, *, pdf_base_url: str = "https://fapiao.example/pdf") -> None:
        self._clock = clock
        self._pdf_base_url = pdf_base_url
        self.books: dict[str, BookEntry] = {}
        self.issues_on_query = False
        self.is_down = False
        self.loses_answers = False

    async def apply(self, application: FapiaoApplication) -> FapiaoResult:
        """See `FapiaoService.apply`."""
        if self.is_down:
            return FapiaoResult(application.number, FapiaoStatus.UNKNOWN, failure_code="no_answer")
        result = self.take(application)
        if self.loses_answers:
            return FapiaoResult(application.number, FapiaoStatus.UNKNOWN, failure_code="no_answer")
        return result

    async def query(self, number: str) -> FapiaoResult:
        """See `FapiaoService.query`."""
        if self.is_down:
            return FapiaoResult(number, FapiaoStatus.UNKNOWN, failure_code="no_answer")
        return self.look_up(number)

    async def aclose(self) -> None:
        """See `FapiaoService.aclose`."""

    def take(self, application: FapiaoApplication) -> FapiaoResult:
        """Enter an application into the books, once."""
        known = self.books.get(application.number)
        if known is not None:
            if known.application == application:
                return known.result
            return FapiaoResult(
                application.number, FapiaoStatus.UNKNOWN, failure_code=NUMBER_CONFLICT
            )
        failure_code = self._red_problem(application)
        status = FapiaoStatus.APPLIED if failure_code is None else FapiaoStatus.FAILED
        result = FapiaoResult(application.number, status, failure_code=failure_code)
        self.books[application.number] = BookEntry(application, result)
        return result

    def look_up(self, number: str) -> FapiaoResult:
        """Return what the books say."""
        entry = self.books.get(number)
        if entry is None:
            return FapiaoResult(number, FapiaoStatus.NOT_FOUND)
        if self.issues_on_query and entry.result.status == FapiaoStatus.APPLIED:
            self.issue(number)
        return entry.result

    def issue(self, number: str) -> None:
        """Let the tax office issue an application."""
        entry = self.books[number]
        position = list(self.books).index(number) + 1
        entry.result = replace(
            entry.result,
            status=FapiaoStatus.ISSUED,
            fapiao_number=str(_FIRST_FAPIAO_NUMBER + position),
            pdf_url=f"{self._pdf_base_url}/{number}.pdf",
            issued_at=self._clock.now(),
        )

    def fail(self, number: str, code: str) -> None:
        """Let the tax office refuse an application."""
        entry = self.books[number]
        entry.result = replace(entry.result, status=FapiaoStatus.FAILED, failure_code=code)

    def _red_problem(self, application: FapiaoApplication) -> str | None:
        if application.red_of is None:
            return None
        blue = self.books.get(application.red_of)
        if blue is None or blue.result.status != FapiaoStatus.ISSUED:
            return RED_UNKNOWN
        red_minor = sum(
            entry.application.gross_minor
            for entry in self.books.values()
            if entry.application.red_of == application.red_of
            and entry.result.status != FapiaoStatus.FAILED
        )
        is_more = red_minor + application.gross_minor > blue.application.gross_minor
        return RED_TOO_MUCH if is_more else None
