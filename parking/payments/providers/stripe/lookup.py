"""Finding our order at Stripe: by its id, else in the lists, which know everything at once.

Idempotency keys are forgotten after a day, and Stripe's search lags behind. Lists do not: what a
finished call created is in them. Without a customer the list is that of a window of time.
"""

from datetime import timedelta
from typing import Final, NotRequired, Protocol, TypedDict, TypeVar

import structlog
from stripe.params import PaymentIntentListParams
from stripe.params.checkout import SessionListParams

from parking.payments.port import ANSWER_MISMATCH, SentOrder
from parking.payments.providers.stripe.agreements import split_instrument
from parking.payments.providers.stripe.answers import (
    Intent,
    IntentPage,
    Session,
    SessionPage,
)
from parking.payments.providers.stripe.transport import Caller, Failure

PAGE_ITEMS = 100
PAGES_MAX = 50
# Their clock may be behind ours.
CLOCKS_APART = timedelta(minutes=5)
# Pages end an hour after their order was first sent, and are not made after that.
PAGES_BEGIN_WITHIN = timedelta(hours=26)
TOO_MANY: Final = "too_many_orders"

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class _Found(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def number(self) -> str: ...
    @property
    def status(self) -> str | None: ...


_FoundT = TypeVar("_FoundT", bound=_Found)


class Lookup:
    """Reads orders; changes nothing."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._api = caller.stripe.v1

    async def intent(self, order: SentOrder) -> Intent | Failure | None:
        """Return the order's PaymentIntent; None where there is certainly none."""
        if order.reference is not None and order.reference.startswith("pi_"):
            found = await self.intent_by_id(order.reference)
            if not (isinstance(found, Failure) and found.says_not_found):
                return found
        params: PaymentIntentListParams = {
            "limit": PAGE_ITEMS,
            "created": _window(order),
        }
        known = split_instrument(order.instrument)
        if known is not None:
            params["customer"] = known[0]
        matches: list[Intent] = []
        for _ in range(PAGES_MAX):
            work = self._api.payment_intents.list_async(params)
            page = await self._caller.call(IntentPage, work)
            if isinstance(page, Failure):
                return page
            matches += [item for item in page.data if item.number == order.number]
            if not page.has_more or not page.data:
                return _one(order.number, matches)
            params["starting_after"] = page.data[-1].id
        return Failure(TOO_MANY)

    async def session(self, order: SentOrder) -> Session | Failure | None:
        """Return the order's Checkout Session; None where there is certainly none."""
        if order.reference is not None and order.reference.startswith("cs_"):
            found = await self.session_by_id(order.reference)
            if not (isinstance(found, Failure) and found.says_not_found):
                return found
        params: SessionListParams = {"limit": PAGE_ITEMS, "created": _window(order)}
        matches: list[Session] = []
        for _ in range(PAGES_MAX):
            work = self._api.checkout.sessions.list_async(params)
            page = await self._caller.call(SessionPage, work)
            if isinstance(page, Failure):
                return page
            matches += [
                item for item in page.data if item.number == order.number and item.mode == "payment"
            ]
            if not page.has_more or not page.data:
                return _one(order.number, matches)
            params["starting_after"] = page.data[-1].id
        return Failure(TOO_MANY)

    async def intent_by_id(self, reference: str) -> Intent | Failure:
        """Return a PaymentIntent as it stands."""
        return await self._caller.call(Intent, self._api.payment_intents.retrieve_async(reference))

    async def session_by_id(self, reference: str) -> Session | Failure:
        """Return a Checkout Session as it stands."""
        return await self._caller.call(
            Session, self._api.checkout.sessions.retrieve_async(reference)
        )


class _Window(TypedDict):
    gt: NotRequired[int]
    gte: NotRequired[int]
    lt: NotRequired[int]
    lte: NotRequired[int]


def _window(order: SentOrder) -> _Window:
    start = int((order.sent_at - CLOCKS_APART).timestamp())
    if not order.is_checkout:
        # A charge may be sent again at any time after: its customer's list is short.
        return {"gte": start}
    return {"gte": start, "lte": int((order.sent_at + PAGES_BEGIN_WITHIN).timestamp())}


def _one(number: str, matches: list[_FoundT]) -> _FoundT | Failure | None:
    """Return the one that counts: what took money, then what may, then what will not."""
    taken = [item for item in matches if item.status in {"succeeded", "complete"}]
    if len(taken) > 1:
        # Two captures under one number: staff must look, and nothing may follow from it.
        ids = [item.id for item in taken]
        _log.error("stripe_number_taken_twice", number=number, ids=ids)
        return Failure(ANSWER_MISMATCH)
    ended = {"canceled", "expired"}
    return min(matches, key=lambda item: (item not in taken, item.status in ended), default=None)
