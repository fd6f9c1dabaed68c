"""A closed day's books, page by page (docs/acquirer-wire.md, part 7)."""

from datetime import date
from typing import Final

from parking.payments.port import (
    ANSWER_MISMATCH,
    ProviderUnavailableError,
    SettlementNotReadyError,
    SettlementRow,
)
from parking.payments.providers.acquirer.answers import SettlementAnswer
from parking.payments.signed_wire import Failure, SignedClient

# A million rows: far more than one merchant moves in a day.
PAGES_MAX: Final = 5000
_NOT_READY: Final = (409, "settlement_not_ready")


async def fetch_settlement(client: SignedClient, day: date) -> tuple[SettlementRow, ...]:
    """Return every row of a day; see `PaymentProvider.fetch_settlement`.

    Raises:
        SettlementNotReadyError: the platform has not closed the day.
        ProviderUnavailableError: a page was lost, or the pages do not make one whole.
    """
    rows: list[SettlementRow] = []
    path = f"/v1/settlements/{day.isoformat()}"
    target = path
    for _ in range(PAGES_MAX):
        page = await _page(client, target, day)
        rows += [row.row() for row in page.rows]
        if len(rows) > page.count or (page.next is not None and not page.rows):
            break
        if page.next is None:
            if len(rows) == page.count:
                return tuple(rows)
            break
        target = f"{path}?after={page.next}"
    raise ProviderUnavailableError(ANSWER_MISMATCH)


async def _page(client: SignedClient, target: str, day: date) -> SettlementAnswer:
    answer = await client.call(SettlementAnswer, "GET", target)
    if isinstance(answer, Failure):
        if (answer.status_code, answer.code) == _NOT_READY:
            raise SettlementNotReadyError(f"date: the acquirer has not closed {day} yet")
        raise ProviderUnavailableError(answer.code)
    if answer.day != day.isoformat():
        raise ProviderUnavailableError(ANSWER_MISMATCH)
    return answer
