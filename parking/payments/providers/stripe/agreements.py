"""A payer's card on file: one customer, one hosted setup page, one card that may be charged.

The agreement's reference is the customer: it is known before the page is, and every object that
follows names it. Detaching the card ends the agreement for good: Stripe never lets a detached card
be charged or attached again.
"""

from datetime import UTC, datetime
from typing import Final, TypeVar

from pydantic import BaseModel
from stripe.params.checkout import SessionCreateParams

from parking.kit.clock import Clock
from parking.payments.port import (
    ANSWER_MISMATCH,
    NUMBER_CONFLICT,
    AgreementRequest,
    AgreementStarted,
    AgreementState,
    AgreementStatus,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from parking.payments.providers.stripe.answers import (
    NUMBER,
    Customer,
    PaymentMethod,
    Session,
    SessionPage,
    SetupIntent,
    SetupIntentPage,
)
from parking.payments.providers.stripe.transport import Caller, Failure

CANCELLED_AT: Final = "sesame_cancelled_at"
# One page: an agreement has one setup, and a few more tries of it at most.
SETUPS_MAX = 20
_SEPARATOR: Final = "/"
_T = TypeVar("_T", bound=BaseModel)


def instrument_of(customer: str, payment_method: str) -> str:
    """Return what charges name."""
    return f"{customer}{_SEPARATOR}{payment_method}"


def split_instrument(instrument: str | None) -> tuple[str, str] | None:
    """Return customer and payment method; None for what is no instrument of ours."""
    customer, _, payment_method = (instrument or "").partition(_SEPARATOR)
    return (customer, payment_method) if customer and payment_method else None


def cancelled(reference: str, cancelled_at: datetime | None) -> AgreementState:
    """Return the state of an agreement whose card was taken away."""
    return AgreementState(
        reference=reference, status=AgreementStatus.CANCELLED, cancelled_at=cancelled_at
    )


def cancelled_at(metadata: dict[str, str]) -> datetime | None:
    """Return when we ended it; None where somebody else did, in Stripe's own pages."""
    seconds = metadata.get(CANCELLED_AT, "")
    return datetime.fromtimestamp(int(seconds), UTC) if seconds.isdigit() else None


def must(answer: _T | Failure) -> _T:
    """Return the answer to a call for a page.

    Raises:
        ProviderUnavailableError: no trustworthy answer came.
        ProviderRefusedError: Stripe said no.
    """
    if not isinstance(answer, Failure):
        return answer
    if answer.says_key_used:
        raise ProviderRefusedError(NUMBER_CONFLICT)
    if answer.is_refusal:
        raise ProviderRefusedError(answer.code)
    raise ProviderUnavailableError(answer.code)


class Agreements:
    """Customers and their one card."""

    def __init__(self, caller: Caller, clock: Clock) -> None:
        self._caller = caller
        self._api = caller.stripe.v1
        self._clock = clock

    async def start(self, request: AgreementRequest) -> AgreementStarted:
        """Open the setup page; see `PaymentProvider.start_agreement`."""
        made = self._api.customers.create_async(
            {"metadata": {NUMBER: request.number}},
            {"idempotency_key": f"{request.number}-customer"},
        )
        customer = must(await self._caller.call(Customer, made))
        params: SessionCreateParams = {
            "mode": "setup",
            "customer": customer.id,
            "allowed_payment_method_types": ["card"],
            "client_reference_id": request.number,
            "metadata": {NUMBER: request.number},
            "setup_intent_data": {"metadata": {NUMBER: request.number}},
            "custom_text": {"submit": {"message": request.description}},
            "success_url": request.return_url,
            "cancel_url": request.return_url,
        }
        opened = self._api.checkout.sessions.create_async(
            params,
            {"idempotency_key": request.number},
        )
        page = must(await self._caller.call(Session, opened))
        if page.number != request.number or page.livemode != self._caller.livemode:
            raise ProviderUnavailableError(ANSWER_MISMATCH)
        if page.url is None:
            raise ProviderRefusedError("expired")
        return AgreementStarted(
            reference=customer.id,
            confirmation_url=page.url,
            expires_at=datetime.fromtimestamp(page.expires_at, UTC),
        )

    async def state(self, reference: str, *, deadline_s: float | None = None) -> AgreementState:
        """Return where the agreement stands; see `PaymentProvider.query_agreement`."""
        work = self._api.setup_intents.list_async(
            {"customer": reference, "limit": SETUPS_MAX, "expand": ["data.payment_method"]}
        )
        page = await self._caller.call(SetupIntentPage, work, deadline_s=deadline_s)
        if isinstance(page, Failure):
            return _no_state(reference, page)
        done = next((found for found in page.data if _permits(found)), None)
        if done is None:
            return await self._unconfirmed(reference)
        if done.livemode != self._caller.livemode or not isinstance(
            done.payment_method, PaymentMethod
        ):
            return AgreementState(reference=reference, status=AgreementStatus.UNKNOWN)
        return _state(reference, done, done.payment_method)

    async def cancel(self, reference: str) -> AgreementState:
        """Take the card away; see `PaymentProvider.cancel_agreement`."""
        state = await self.state(reference)
        if state.status == AgreementStatus.PENDING:
            return await self._close_pages(reference)
        known = split_instrument(state.instrument)
        if state.status != AgreementStatus.ACTIVE or known is None:
            return state
        now = str(int(self._clock.now().timestamp()))
        # First when, then that: the notice of the second call then says both.
        marked = self._api.payment_methods.update_async(
            known[1],
            {"metadata": {CANCELLED_AT: now}},
            {"idempotency_key": f"{known[1]}-cancelled"},
        )
        await self._caller.call(PaymentMethod, marked)
        detached = self._api.payment_methods.detach_async(
            known[1], {}, {"idempotency_key": f"{known[1]}-detach"}
        )
        await self._caller.call(PaymentMethod, detached)
        after = await self.state(reference)
        if after.status == AgreementStatus.ACTIVE:
            return AgreementState(reference=reference, status=AgreementStatus.UNKNOWN)
        return after

    async def _unconfirmed(self, reference: str) -> AgreementState:
        pages = await self._pages(reference)
        if isinstance(pages, Failure):
            return _no_state(reference, pages)
        statuses = {page.status for page in pages.data}
        # A page that was completed a moment ago: the permission follows.
        if statuses & {"open", "complete"}:
            status = AgreementStatus.PENDING
        elif statuses:
            status = AgreementStatus.EXPIRED
        else:
            status = AgreementStatus.NOT_FOUND
        return AgreementState(reference=reference, status=status)

    async def _pages(self, reference: str) -> SessionPage | Failure:
        work = self._api.checkout.sessions.list_async({"customer": reference, "limit": SETUPS_MAX})
        return await self._caller.call(SessionPage, work)

    async def _close_pages(self, reference: str) -> AgreementState:
        pages = await self._pages(reference)
        if isinstance(pages, Failure):
            return AgreementState(reference=reference, status=AgreementStatus.UNKNOWN)
        for page in pages.data:
            if page.status == "open":
                ended = self._api.checkout.sessions.expire_async(
                    page.id, {}, {"idempotency_key": f"{page.id}-expire"}
                )
                await self._caller.call(Session, ended)
        return await self.state(reference)


def _permits(setup: SetupIntent) -> bool:
    return setup.status == "succeeded" and setup.usage == "off_session"


def _state(reference: str, setup: SetupIntent, card: PaymentMethod) -> AgreementState:
    if card.customer != reference:
        return cancelled(reference, cancelled_at(card.metadata))
    last4 = card.card.last4 if card.card else None
    return AgreementState(
        reference=reference,
        status=AgreementStatus.ACTIVE,
        instrument=instrument_of(reference, card.id),
        payer_hint=f"•••• {last4}" if last4 else None,
        signed_at=datetime.fromtimestamp(setup.created, UTC),
    )


def _no_state(reference: str, failure: Failure) -> AgreementState:
    status = AgreementStatus.NOT_FOUND if failure.says_not_found else AgreementStatus.UNKNOWN
    return AgreementState(reference=reference, status=status)
