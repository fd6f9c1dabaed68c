"""Off-session payments: one confirmed PaymentIntent a number.

What keeps a number from taking money twice:

- The number is the idempotency key. Stripe answers the same key with the first answer, and refuses
  it with other parameters.
- Keys are forgotten after a day. A number that is older than that by our own clock is looked up in
  the customer's list before it is sent again.
- A stored defect (a 500 is stored as well) would be repeated for a day. Once the list says that
  nothing came of it, the same number goes out under the next key: `number-1`, `number-2`.
- An intent that failed can still be confirmed. It is cancelled before the failure is told.
- `close` takes the key of a number that never arrived, so that a late delivery is refused.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Final

from stripe.params import PaymentIntentCreateParams

from parking.kit.clock import Clock
from parking.payments.port import (
    AGREEMENT_INACTIVE,
    CLOSED,
    NO_ANSWER,
    NUMBER_CONFLICT,
    AgreementStatus,
    ChargeOrder,
    ChargeResult,
    OrderStatus,
    SentOrder,
)
from parking.payments.providers.stripe.agreements import Agreements, split_instrument
from parking.payments.providers.stripe.amounts import to_stripe
from parking.payments.providers.stripe.answers import (
    ABANDONED,
    CHARGE_KIND,
    CLOSED_KIND,
    KIND,
    NUMBER,
    REQUESTED,
    Intent,
    agrees,
    closed,
    mismatch,
    unknown,
)
from parking.payments.providers.stripe.lookup import Lookup
from parking.payments.providers.stripe.transport import Caller, Failure

# Well before a day: Stripe may forget the key then.
LOOK_FIRST_AFTER = timedelta(hours=12)
KEYS_MAX = 3
AMOUNT_UNSUPPORTED: Final = "amount_unsupported"
# Stripe's words for a card that was taken away, or a customer that is gone.
_INACTIVE = frozenset(
    {"payment_method_unexpected_state", "payment_method_not_available", "resource_missing"}
)


class Charges:
    """PaymentIntents that we confirm ourselves."""

    def __init__(
        self, caller: Caller, agreements: Agreements, lookup: Lookup, clock: Clock
    ) -> None:
        self._caller = caller
        self._api = caller.stripe.v1
        self._agreements = agreements
        self._lookup = lookup
        self._clock = clock

    async def charge(self, order: ChargeOrder) -> ChargeResult:
        """Take the money; see `PaymentProvider.charge`."""
        try:
            async with asyncio.timeout(order.deadline_s):
                return await self._charge(order)
        except TimeoutError:
            return unknown(order.number, NO_ANSWER)

    async def verdict(self, order: SentOrder, found: Intent) -> ChargeResult:
        """Return what an intent means for the order, and end one that has failed."""
        if not agrees(found, order, livemode=self._caller.livemode):
            return mismatch(order.number)
        if found.waits_for_us:
            return await self._cancel(order, found, ABANDONED)
        return found.result(order.number)

    async def query(self, order: SentOrder) -> ChargeResult:
        """Return where the charge stands; see `PaymentProvider.query`."""
        found = await self._lookup.intent(order)
        if isinstance(found, Failure):
            return unknown(order.number, found.code)
        if found is None:
            return ChargeResult(number=order.number, status=OrderStatus.NOT_FOUND)
        return await self.verdict(order, found)

    async def close(self, order: SentOrder) -> ChargeResult:
        """Stop the charge, or keep it from ever arriving; see `PaymentProvider.close`."""
        found = await self._lookup.intent(order)
        if isinstance(found, Failure):
            return unknown(order.number, found.code)
        if found is None:
            return await self._occupy(order)
        return await self.stop(order, found)

    async def stop(self, order: SentOrder, found: Intent) -> ChargeResult:
        """Cancel an intent that has not taken the money."""
        if not agrees(found, order, livemode=self._caller.livemode):
            return mismatch(order.number)
        if found.may_take_money:
            return await self._cancel(order, found, REQUESTED)
        return found.result(order.number)

    async def _charge(self, order: ChargeOrder) -> ChargeResult:
        order, refusal = await self._complete(order)
        if refusal is not None:
            return refusal
        sent = _sent(order, self._clock)
        if self._clock.now() - sent.sent_at > LOOK_FIRST_AFTER:
            earlier = await self.query(sent)
            if earlier.status != OrderStatus.NOT_FOUND:
                return earlier
        for key in range(KEYS_MAX):
            answer = await self._send(order, key)
            if not (isinstance(answer, Failure) and answer.is_stored_defect):
                return await self._answered(sent, answer)
            earlier = await self.query(sent)
            if earlier.status != OrderStatus.NOT_FOUND:
                return earlier
        return unknown(order.number, NO_ANSWER)

    async def _complete(self, order: ChargeOrder) -> tuple[ChargeOrder, ChargeResult | None]:
        """Return the order with its card; the card is asked for where the mandate lacks it."""
        if to_stripe(order.amount) is None:
            return order, _failed(order.number, AMOUNT_UNSUPPORTED)
        known = split_instrument(order.instrument)
        if known is not None and known[0] == order.agreement_reference:
            return order, None
        state = await self._agreements.state(order.agreement_reference, deadline_s=order.deadline_s)
        if state.status == AgreementStatus.UNKNOWN:
            return order, unknown(order.number, NO_ANSWER)
        if state.instrument is None:
            return order, _failed(order.number, AGREEMENT_INACTIVE)
        return replace(order, instrument=state.instrument), None

    async def _send(self, order: ChargeOrder, key: int) -> Intent | Failure:
        known, value = split_instrument(order.instrument), to_stripe(order.amount)
        if known is None or value is None:
            raise ValueError("order: expected a complete one")
        work = self._api.payment_intents.create_async(
            {
                "amount": value,
                "currency": order.amount.currency.lower(),
                "customer": known[0],
                "payment_method": known[1],
                "allowed_payment_method_types": ["card"],
                "off_session": True,
                "confirm": True,
                "description": order.description,
                "metadata": {NUMBER: order.number, KIND: CHARGE_KIND},
            },
            {"idempotency_key": _key(order.number, key)},
        )
        return await self._caller.call(Intent, work, deadline_s=order.deadline_s)

    async def _answered(self, sent: SentOrder, answer: Intent | Failure) -> ChargeResult:
        if isinstance(answer, Intent):
            return await self.verdict(sent, answer)
        declined = _intent_in(answer)
        if declined is not None:
            return await self.verdict(sent, declined)
        if answer.says_key_used:
            # Closed before it arrived, or somebody's other order.
            earlier = await self.query(replace(sent, instrument=None))
            is_closed = earlier.failure_code == CLOSED and earlier.amount is None
            return earlier if is_closed else unknown(sent.number, NUMBER_CONFLICT)
        if not answer.is_refusal:
            return unknown(sent.number, answer.code)
        # Refused before there was an intent, unless an earlier delivery made one.
        earlier = await self.query(sent)
        if earlier.status != OrderStatus.NOT_FOUND:
            return earlier
        code = AGREEMENT_INACTIVE if answer.code in _INACTIVE else answer.code
        return _failed(sent.number, code)

    async def _cancel(self, order: SentOrder, found: Intent, reason: str) -> ChargeResult:
        work = self._api.payment_intents.cancel_async(
            found.id,
            {
                "cancellation_reason": "abandoned"
                if reason == ABANDONED
                else "requested_by_customer"
            },
            {"idempotency_key": f"{found.id}-{reason}"},
        )
        ended = await self._caller.call(Intent, work)
        if isinstance(ended, Failure) and ended.is_refusal:
            # It went on while we asked: what it became is what counts.
            ended = await self._lookup.intent_by_id(found.id)
        if isinstance(ended, Failure):
            return unknown(order.number, ended.code)
        if ended.waits_for_us:
            return unknown(order.number, NO_ANSWER)
        if not agrees(ended, order, livemode=self._caller.livemode):
            return mismatch(order.number)
        return ended.result(order.number)

    async def _occupy(self, order: SentOrder) -> ChargeResult:
        """Take the number's key with an intent that nobody confirms, and cancel it.

        A key whose call ended without an intent has a next one: see `charge`.
        """
        for key in range(KEYS_MAX):
            answer = await self._create_closed(order, key)
            if answer is None:
                break
            if isinstance(answer, Intent):
                return await self.stop(order, answer)
            if not answer.is_refusal and not answer.says_key_used and not answer.is_stored_defect:
                return unknown(order.number, answer.code)
            # The key was taken: the order arrived meanwhile, or ended without an intent.
            found = await self._lookup.intent(order)
            if isinstance(found, Failure):
                return unknown(order.number, found.code)
            if found is not None:
                return await self.stop(order, found)
        return closed(order.number)

    async def _create_closed(self, order: SentOrder, key: int) -> Intent | Failure | None:
        value = to_stripe(order.amount)
        if value is None:
            return None
        known = split_instrument(order.instrument)
        params: PaymentIntentCreateParams = {
            "amount": value,
            "currency": order.amount.currency.lower(),
            "allowed_payment_method_types": ["card"],
            "metadata": {NUMBER: order.number, KIND: CLOSED_KIND},
        }
        if known is not None:
            params["customer"] = known[0]
        work = self._api.payment_intents.create_async(
            params, {"idempotency_key": _key(order.number, key)}
        )
        return await self._caller.call(Intent, work)


def _key(number: str, position: int) -> str:
    return f"{number}-{position}" if position else number


def _sent(order: ChargeOrder, clock: Clock) -> SentOrder:
    return SentOrder(
        number=order.number,
        amount=order.amount,
        is_checkout=False,
        sent_at=order.sent_at or clock.now(),
        instrument=order.instrument,
    )


def _failed(number: str, code: str) -> ChargeResult:
    return ChargeResult(number=number, status=OrderStatus.FAILED, failure_code=code)


def _intent_in(failure: Failure) -> Intent | None:
    """Return the intent that a card error is about."""
    said = failure.body.get("payment_intent")
    try:
        return Intent.model_validate(said)
    except ValueError:
        return None
