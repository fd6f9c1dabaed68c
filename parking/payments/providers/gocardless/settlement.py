"""A day of GoCardless' books, from its events with the objects that they are about."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from pydantic import Field

from parking.payments.port import ProviderUnavailableError, SettlementKind, SettlementRow
from parking.payments.providers.gocardless.answers import NUMBER, Meta, Payment, Refund
from parking.payments.providers.gocardless.notices import Event
from parking.payments.providers.gocardless.transport import Answer, Failure, GoCardlessClient

PAGE_ROWS = 500
PAGES_MAX = 400
_FAILED = "failed"
_PAYMENTS = {
    "confirmed": SettlementKind.CHARGE,
    "charged_back": SettlementKind.CHARGEBACK,
    # Only after it was confirmed: see `_moved`. It is the payout that settles it later, if at all.
    _FAILED: SettlementKind.CHARGEBACK,
    "chargeback_cancelled": SettlementKind.CHARGEBACK_REVERSED,
}
_REFUNDS = {"paid": SettlementKind.REFUND}


class Linked(Answer):
    """The objects that a page's events are about."""

    payments: tuple[Payment, ...] = ()
    refunds: tuple[Refund, ...] = ()


class EventsAnswer(Answer):
    """A page of events."""

    events: Annotated[list[Event], Field(max_length=PAGE_ROWS)]
    linked: Linked = Linked()
    meta: Meta = Meta()


async def fetch(client: GoCardlessClient, day: date) -> tuple[SettlementRow, ...]:
    """Return what moved on a day of UTC.

    Raises:
        ProviderUnavailableError: a page did not come.
    """
    payments = await _rows(client, day, "payments", _PAYMENTS)
    refunds = await _rows(client, day, "refunds", _REFUNDS)
    return (*payments, *refunds)


async def _rows(
    client: GoCardlessClient, day: date, resource_type: str, kinds: dict[str, SettlementKind]
) -> list[SettlementRow]:
    start = datetime.combine(day, time(), UTC)
    terms = {
        "resource_type": resource_type,
        "include": resource_type.removesuffix("s"),
        "created_at[gte]": start.isoformat(),
        "created_at[lt]": (start + timedelta(days=1)).isoformat(),
        "limit": str(PAGE_ROWS),
    }
    rows: list[SettlementRow] = []
    for _ in range(PAGES_MAX):
        page = await client.get(EventsAnswer, "/events", terms)
        if isinstance(page, Failure):
            raise ProviderUnavailableError(page.code)
        about: dict[str, Payment | Refund] = {item.id: item for item in page.linked.payments}
        about.update({item.id: item for item in page.linked.refunds})
        told = [
            event for event in page.events if event.action in kinds and await _moved(client, event)
        ]
        rows.extend(_row(event, kinds[event.action], about) for event in told)
        if page.meta.cursors.after is None:
            return rows
        terms["after"] = page.meta.cursors.after
    raise ProviderUnavailableError("pages_exceeded")


async def _moved(client: GoCardlessClient, event: Event) -> bool:
    """Return whether an event moved money: a failure does if its payment was confirmed before."""
    if event.action != _FAILED:
        return True
    terms = {
        "resource_type": "payments",
        "payment": event.links.payment or "",
        "action": "confirmed",
        "created_at[lt]": event.created_at.isoformat(),
    }
    page = await client.get(EventsAnswer, "/events", terms)
    if isinstance(page, Failure):
        raise ProviderUnavailableError(page.code)
    return bool(page.events)


def _row(event: Event, kind: SettlementKind, about: dict[str, Payment | Refund]) -> SettlementRow:
    found = about.get(event.links.refund or event.links.payment or "")
    if found is None:
        raise ProviderUnavailableError("linked_missing")
    return SettlementRow(
        kind=kind,
        number=found.metadata.get(NUMBER, ""),
        reference=found.id,
        amount=found.money,
        # GoCardless takes its fees from payouts, not from single payments.
        fee_minor=0,
        occurred_at=event.created_at,
    )
