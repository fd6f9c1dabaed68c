"""What every payment provider adapter promises, the fake included."""

import asyncio
from dataclasses import replace

import pytest

from parking.kit.money import Money
from parking.payments.port import (
    AGREEMENT_INACTIVE,
    ANSWER_MISMATCH,
    CLOSED,
    DECLINED,
    NO_ANSWER,
    NUMBER_CONFLICT,
    UNTRUSTED_ANSWER,
    AgreementState,
    AgreementStatus,
    NoticeKind,
    NoticeRefusedError,
    OrderStatus,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from tests.contract.payment_script import (
    agreement_request,
    as_sent,
    charge_order,
    checkout_order,
    currency_of,
    ended,
    plate_of,
    refund_order,
    signed_agreement,
    take,
)
from tests.contract.payment_stages import Delivery, Stage


class TestAgreement:
    async def test_is_active_only_after_the_payer_confirmed(self, stage: Stage) -> None:
        started = await stage.provider.start_agreement(agreement_request(stage))

        pending = await stage.provider.query_agreement(started.reference, plate=plate_of(stage))
        await stage.confirm(started)
        active = await stage.provider.query_agreement(started.reference, plate=plate_of(stage))

        # Some know of an agreement only once it is signed.
        unsigned = "pending_agreements" in stage.lacks
        assert pending == AgreementState(
            reference=started.reference,
            status=AgreementStatus.NOT_FOUND if unsigned else AgreementStatus.PENDING,
        )
        assert active.status is AgreementStatus.ACTIVE
        assert active.signed_at is not None
        assert active.payer_hint

    @pytest.mark.needs("served_pages")
    async def test_start_is_idempotent_by_number(self, stage: Stage) -> None:
        request = agreement_request(stage)

        first = await stage.provider.start_agreement(request)
        second = await stage.provider.start_agreement(request)

        assert second.reference == first.reference
        assert second.confirmation_url == first.confirmation_url

    @pytest.mark.needs("served_pages")
    @pytest.mark.needs("agreement_calls")
    async def test_refuses_a_number_with_other_parameters(self, stage: Stage) -> None:
        request = agreement_request(stage)
        await stage.provider.start_agreement(request)

        with pytest.raises(ProviderRefusedError) as caught:
            await stage.provider.start_agreement(replace(request, description="Another"))

        assert caught.value.failure_code == NUMBER_CONFLICT

    @pytest.mark.needs("served_pages")
    @pytest.mark.needs("agreement_calls")
    async def test_a_lost_page_is_had_by_asking_again(self, stage: Stage) -> None:
        request = agreement_request(stage)
        await stage.play("lose_answer_after", operation="agreement")

        with pytest.raises(ProviderUnavailableError):
            await stage.provider.start_agreement(request)
        started = await stage.provider.start_agreement(request)

        state = await stage.provider.query_agreement(started.reference, plate=plate_of(stage))
        assert state.status is AgreementStatus.PENDING

    @pytest.mark.needs("cancelling")
    async def test_cancelling_is_final_and_idempotent(self, stage: Stage) -> None:
        order = await charge_order(stage)
        before = await stage.captured(currency_of(stage))

        first = await stage.provider.cancel_agreement(
            order.agreement_reference, plate=plate_of(stage)
        )
        second = await stage.provider.cancel_agreement(
            order.agreement_reference, plate=plate_of(stage)
        )
        result = await stage.provider.charge(order)

        assert first.status is AgreementStatus.CANCELLED
        assert first.cancelled_at is not None or "end_times" in stage.lacks
        forgotten = AgreementState(
            reference=order.agreement_reference, status=AgreementStatus.NOT_FOUND
        )
        assert second == (forgotten if "ended_agreements" in stage.lacks else first)
        assert (result.status, result.failure_code) == (OrderStatus.FAILED, AGREEMENT_INACTIVE)
        assert await stage.captured(currency_of(stage)) == before

    @pytest.mark.needs("agreement_calls")
    async def test_pending_takes_no_money(self, stage: Stage) -> None:
        started = await stage.provider.start_agreement(agreement_request(stage))
        order = replace(
            await charge_order(stage), agreement_reference=started.reference, instrument=None
        )
        before = await stage.captured(currency_of(stage))

        result = await stage.provider.charge(order)

        assert (result.status, result.failure_code) == (OrderStatus.FAILED, AGREEMENT_INACTIVE)
        assert await stage.captured(currency_of(stage)) == before

    async def test_an_unknown_reference_is_not_found(self, stage: Stage) -> None:
        queried = await stage.provider.query_agreement("agr_nobody", plate=plate_of(stage))
        cancelled = await stage.provider.cancel_agreement("agr_nobody", plate=plate_of(stage))

        assert queried == AgreementState(reference="agr_nobody", status=AgreementStatus.NOT_FOUND)
        assert cancelled == queried


class TestCharge:
    async def test_takes_the_exact_amount(self, stage: Stage) -> None:
        order = await charge_order(stage)
        before = await stage.captured(currency_of(stage))

        result = await take(stage, order)

        assert result.status is OrderStatus.SUCCEEDED
        assert (result.number, result.amount) == (order.number, order.amount)
        assert result.provider_reference
        assert result.failure_code is None
        assert await stage.captured(currency_of(stage)) == before + 1250
        assert await stage.provider.query(as_sent(order)) == result

    async def test_the_same_number_takes_money_once(self, stage: Stage) -> None:
        order = await charge_order(stage)
        before = await stage.captured(currency_of(stage))

        results = await asyncio.gather(*(stage.provider.charge(order) for _ in range(8)))
        late = await stage.provider.charge(replace(order, deadline_s=1))

        assert set(results) == {late}
        assert (await take(stage, order)).status is OrderStatus.SUCCEEDED
        assert await stage.captured(currency_of(stage)) == before + 1250

    async def test_the_same_number_with_another_amount_moves_nothing(self, stage: Stage) -> None:
        order = await charge_order(stage)
        first = await stage.provider.charge(order)
        before = await stage.captured(currency_of(stage))

        second = await stage.provider.charge(replace(order, amount=Money(1300, currency_of(stage))))

        assert (second.status, second.failure_code) == (OrderStatus.UNKNOWN, NUMBER_CONFLICT)
        assert await stage.captured(currency_of(stage)) == before
        assert await stage.provider.query(as_sent(order)) == first

    async def test_a_decline_is_definitive(self, stage: Stage) -> None:
        order = await charge_order(stage)
        before = await stage.captured(currency_of(stage))
        await stage.play("decline")

        declined = await take(stage, order)
        again = await stage.provider.charge(order)

        assert (declined.status, declined.failure_code) == (OrderStatus.FAILED, DECLINED)
        if "decline_memory" in stage.lacks:
            # The number is sealed all the same.
            assert (again.status, again.failure_code) == (OrderStatus.FAILED, CLOSED)
        else:
            assert again == declined
            assert await stage.provider.query(as_sent(order)) == declined
        assert await stage.captured(currency_of(stage)) == before

    async def test_lost_before_it_arrived(self, stage: Stage) -> None:
        order = await charge_order(stage)
        before = await stage.captured(currency_of(stage))
        await stage.play("lose_answer_before")

        lost = await stage.provider.charge(order)
        queried = await stage.provider.query(as_sent(order))

        assert (lost.status, lost.failure_code) == (OrderStatus.UNKNOWN, NO_ANSWER)
        assert queried.status is OrderStatus.NOT_FOUND
        assert await stage.captured(currency_of(stage)) == before
        assert (await take(stage, order)).status is OrderStatus.SUCCEEDED
        assert await stage.captured(currency_of(stage)) == before + 1250

    async def test_lost_after_it_was_carried_out(self, stage: Stage) -> None:
        order = await charge_order(stage)
        before = await stage.captured(currency_of(stage))
        await stage.play("lose_answer_after")

        lost = await stage.provider.charge(order)
        queried = await ended(stage, order)

        assert (lost.status, lost.failure_code) == (OrderStatus.UNKNOWN, NO_ANSWER)
        assert lost.amount is None
        assert (queried.status, queried.amount) == (OrderStatus.SUCCEEDED, order.amount)
        assert await stage.provider.charge(order) == queried
        assert await stage.captured(currency_of(stage)) == before + 1250

    async def test_an_error_leaves_the_outcome_unknown(self, stage: Stage) -> None:
        order = await charge_order(stage)
        await stage.play("unknown")

        result = await stage.provider.charge(order)
        settled = await stage.until_settled(as_sent(order))

        assert (result.status, result.failure_code) == (OrderStatus.UNKNOWN, "system_error")
        assert (settled.status, settled.amount) == (OrderStatus.SUCCEEDED, order.amount)

    @pytest.mark.parametrize(
        ("scenario", "guaranteed"),
        [
            ("accept", False),
            pytest.param("accept_guaranteed", True, marks=pytest.mark.needs("guarantee")),
        ],
    )
    async def test_accepted_takes_money_later(
        self, stage: Stage, scenario: str, *, guaranteed: bool
    ) -> None:
        order = await charge_order(stage)
        before = await stage.captured(currency_of(stage))
        await stage.play(scenario)

        accepted = await stage.provider.charge(order)
        settled = await stage.until_settled(as_sent(order))

        assert accepted.status is OrderStatus.ACCEPTED
        assert accepted.guaranteed is guaranteed
        assert accepted.amount == order.amount
        assert settled.status is OrderStatus.SUCCEEDED
        assert await stage.captured(currency_of(stage)) == before + 1250

    async def test_an_answer_with_another_amount_is_not_believed(self, stage: Stage) -> None:
        order = await charge_order(stage)
        await stage.play("wrong_amount")

        result = await stage.provider.charge(order)

        assert (result.status, result.failure_code) == (OrderStatus.UNKNOWN, ANSWER_MISMATCH)
        assert result.amount is None
        queried = await ended(stage, order)
        assert (queried.status, queried.amount) == (OrderStatus.SUCCEEDED, order.amount)

    @pytest.mark.needs("signed_answers")
    async def test_an_answer_with_a_bad_signature_is_not_believed(self, stage: Stage) -> None:
        order = await charge_order(stage)
        await stage.play("bad_answer_signature")

        result = await stage.provider.charge(order)

        assert (result.status, result.failure_code) == (OrderStatus.UNKNOWN, UNTRUSTED_ANSWER)
        queried = await stage.provider.query(as_sent(order))
        assert queried.status is OrderStatus.SUCCEEDED

    async def test_a_query_for_another_amount_is_unknown(self, stage: Stage) -> None:
        order = await charge_order(stage)
        await stage.provider.charge(order)

        result = await stage.provider.query(as_sent(order, Money(1249, order.amount.currency)))

        assert (result.status, result.failure_code) == (OrderStatus.UNKNOWN, ANSWER_MISMATCH)


class TestClose:
    @pytest.mark.needs("early_close")
    async def test_before_the_charge_arrives_no_money_is_ever_taken(self, stage: Stage) -> None:
        order = await charge_order(stage)
        before = await stage.captured(currency_of(stage))

        closed = await stage.provider.close(as_sent(order))
        again = await stage.provider.close(as_sent(order))
        late = await stage.provider.charge(order)

        assert (closed.status, closed.failure_code) == (OrderStatus.FAILED, CLOSED)
        assert closed.amount is None
        assert again == late == closed
        assert await stage.captured(currency_of(stage)) == before

    @pytest.mark.needs("closing")
    async def test_stops_an_accepted_order(self, stage: Stage) -> None:
        order = await charge_order(stage)
        before = await stage.captured(currency_of(stage))
        await stage.play("accept")
        await stage.provider.charge(order)

        closed = await stage.provider.close(as_sent(order))

        assert (closed.status, closed.failure_code) == (OrderStatus.FAILED, CLOSED)
        assert await stage.until_settled(as_sent(order)) == closed
        assert await stage.captured(currency_of(stage)) == before

    @pytest.mark.needs("guarantee")
    async def test_leaves_a_guaranteed_order(self, stage: Stage) -> None:
        order = await charge_order(stage)
        await stage.play("accept_guaranteed")
        accepted = await stage.provider.charge(order)

        assert await stage.provider.close(as_sent(order)) == accepted
        settled = await stage.until_settled(as_sent(order))
        assert settled.status is OrderStatus.SUCCEEDED

    async def test_leaves_money_that_was_taken(self, stage: Stage) -> None:
        order = await charge_order(stage)
        taken = await take(stage, order)
        before = await stage.captured(currency_of(stage))

        assert await stage.provider.close(as_sent(order)) == taken
        assert await stage.captured(currency_of(stage)) == before


class TestRefund:
    @pytest.mark.needs("instant")
    async def test_never_exceeds_the_charge(self, stage: Stage) -> None:
        order = await charge_order(stage)
        before = await stage.captured(currency_of(stage))
        await stage.provider.charge(order)

        part = await stage.provider.refund(refund_order(order, 250))
        too_much = await stage.provider.refund(refund_order(order, 1001))
        rest = await stage.provider.refund(refund_order(order, 1000))
        one_more = await stage.provider.refund(refund_order(order, 1))

        assert (part.status, part.amount) == (OrderStatus.SUCCEEDED, Money(250, currency_of(stage)))
        assert (too_much.status, too_much.failure_code) == (OrderStatus.FAILED, "exceeds_charge")
        assert rest.status is OrderStatus.SUCCEEDED
        assert (one_more.status, one_more.failure_code) == (OrderStatus.FAILED, "exceeds_charge")
        assert await stage.captured(currency_of(stage)) == before

    @pytest.mark.needs("instant")
    async def test_is_idempotent_by_number(self, stage: Stage) -> None:
        order = await charge_order(stage)
        await stage.provider.charge(order)
        refund = refund_order(order, 250)
        before = await stage.captured(currency_of(stage))

        results = await asyncio.gather(*(stage.provider.refund(refund) for _ in range(4)))
        other = await stage.provider.refund(replace(refund, amount=Money(251, currency_of(stage))))

        assert len(set(results)) == 1
        assert results[0].status is OrderStatus.SUCCEEDED
        assert (other.status, other.failure_code) == (OrderStatus.UNKNOWN, NUMBER_CONFLICT)
        assert await stage.provider.query_refund(refund) == results[0]
        assert await stage.captured(currency_of(stage)) == before - 250

    @pytest.mark.needs("instant")
    async def test_a_lost_answer_is_unknown_until_asked(self, stage: Stage) -> None:
        order = await charge_order(stage)
        await stage.provider.charge(order)
        refund = refund_order(order, 250)
        before = await stage.captured(currency_of(stage))
        unsent = await stage.provider.query_refund(refund)
        await stage.play("lose_answer_after", operation="refund")

        lost = await stage.provider.refund(refund)
        queried = await stage.provider.query_refund(refund)

        assert unsent.status is OrderStatus.NOT_FOUND
        assert (lost.status, lost.failure_code) == (OrderStatus.UNKNOWN, NO_ANSWER)
        assert queried.status is OrderStatus.SUCCEEDED
        assert await stage.captured(currency_of(stage)) == before - 250

    async def test_nothing_comes_back_from_what_was_not_taken(self, stage: Stage) -> None:
        order = await charge_order(stage)
        before = await stage.captured(currency_of(stage))
        await stage.play("decline")
        await stage.provider.charge(order)

        result = await stage.provider.refund(refund_order(order, 1))

        assert (result.status, result.failure_code) == (OrderStatus.FAILED, "not_refundable")
        assert await stage.captured(currency_of(stage)) == before


@pytest.mark.needs("checkout")
class TestCheckout:
    async def test_anyone_may_pay_it_once(self, stage: Stage) -> None:
        order = checkout_order(stage)
        before = await stage.captured(currency_of(stage))

        page = await stage.provider.start_checkout(order)
        waiting = await stage.provider.query(as_sent(order))
        first = await stage.pay(order.number, page)
        second = await stage.pay(order.number, page)
        paid = await stage.provider.query(as_sent(order))

        assert (waiting.status, waiting.guaranteed) == (OrderStatus.ACCEPTED, False)
        assert (first, second) == (303, 409)
        assert (paid.status, paid.amount) == (OrderStatus.SUCCEEDED, order.amount)
        assert await stage.captured(currency_of(stage)) == before + 1250

    @pytest.mark.needs("served_pages")
    async def test_start_is_idempotent_by_number(self, stage: Stage) -> None:
        order = checkout_order(stage)

        first = await stage.provider.start_checkout(order)

        assert (await stage.provider.start_checkout(order)).url == first.url
        with pytest.raises(ProviderRefusedError) as caught:
            await stage.provider.start_checkout(replace(order, amount=Money(1, currency_of(stage))))
        assert caught.value.failure_code == NUMBER_CONFLICT

    @pytest.mark.needs("served_pages")
    async def test_shares_its_numbers_with_charges(self, stage: Stage) -> None:
        checkout = checkout_order(stage)
        await stage.provider.start_checkout(checkout)
        before = await stage.captured(currency_of(stage))

        charge = replace(await charge_order(stage), number=checkout.number)
        result = await stage.provider.charge(charge)

        assert (result.status, result.failure_code) == (OrderStatus.UNKNOWN, NUMBER_CONFLICT)
        assert await stage.captured(currency_of(stage)) == before

    @pytest.mark.needs("served_pages")
    async def test_takes_nothing_after_it_was_closed(self, stage: Stage) -> None:
        order = checkout_order(stage)
        page = await stage.provider.start_checkout(order)
        before = await stage.captured(currency_of(stage))

        closed = await stage.provider.close(as_sent(order))

        assert (closed.status, closed.failure_code) == (OrderStatus.FAILED, CLOSED)
        assert await stage.pay(order.number, page) == 409
        assert await stage.captured(currency_of(stage)) == before


class TestNotice:
    @pytest.mark.needs("cancelling")
    @pytest.mark.needs("whole_notices")
    async def test_tells_the_life_of_an_agreement(self, stage: Stage) -> None:
        reference = await signed_agreement(stage)
        await stage.provider.cancel_agreement(reference, plate=plate_of(stage))

        signed = await stage.delivery(NoticeKind.AGREEMENT_SIGNED, reference)
        cancelled = await stage.delivery(NoticeKind.AGREEMENT_CANCELLED, reference)

        first = stage.provider.verify_notices(signed.headers, signed.body)[0]
        assert isinstance(first.result, AgreementState)
        assert first.result.status is AgreementStatus.ACTIVE
        second = stage.provider.verify_notices(cancelled.headers, cancelled.body)[0]
        assert isinstance(second.result, AgreementState)
        assert second.result.status is AgreementStatus.CANCELLED
        if "ended_agreements" not in stage.lacks:
            assert second.result == await stage.provider.query_agreement(
                reference, plate=plate_of(stage)
            )

    @pytest.mark.needs("whole_notices")
    async def test_tells_how_an_order_ended(self, stage: Stage) -> None:
        taken, declined = await charge_order(stage), await charge_order(stage)
        success = await stage.provider.charge(taken)
        await stage.play("decline")
        failure = await stage.provider.charge(declined)
        refund = refund_order(taken, 250)
        refunded = await stage.provider.refund(refund)

        for kind, number, expected in (
            (NoticeKind.CHARGE_SUCCEEDED, taken.number, success),
            (NoticeKind.CHARGE_FAILED, declined.number, failure),
            (NoticeKind.REFUND_SUCCEEDED, refund.number, refunded),
        ):
            if kind in stage.lacks:
                continue
            delivery = await stage.delivery(kind, number)
            notice = stage.provider.verify_notices(delivery.headers, delivery.body)[0]
            assert (notice.kind, notice.result) == (kind, expected)
            assert notice.occurred_at.tzinfo is not None

    @pytest.mark.needs("checkout")
    async def test_tells_that_a_checkout_was_paid(self, stage: Stage) -> None:
        order = checkout_order(stage)
        await stage.pay(order.number, await stage.provider.start_checkout(order))

        delivery = await stage.delivery(NoticeKind.CHARGE_SUCCEEDED, order.number)

        notice = stage.provider.verify_notices(delivery.headers, delivery.body)[0]
        assert notice.result == await stage.provider.query(as_sent(order))

    async def test_a_repetition_has_the_same_id(self, stage: Stage) -> None:
        delivery = await self._delivery(stage)

        first = stage.provider.verify_notices(delivery.headers, delivery.body)[0]
        upper = {name.upper(): value for name, value in delivery.headers.items()}

        assert stage.provider.verify_notices(upper, delivery.body)[0] == first

    async def test_refuses_a_forgery(self, stage: Stage) -> None:
        delivery = await self._delivery(stage)

        for headers, body in (
            (delivery.headers, delivery.body + b" "),
            (delivery.headers, delivery.body[:-1]),
            (delivery.headers, b""),
        ):
            with pytest.raises(NoticeRefusedError) as caught:
                stage.provider.verify_notices(headers, body)
            # Where the signature is a part of the body, it cannot be read before that.
            assert caught.value.reason in {"signature", "body"}

    @pytest.mark.needs("signature_headers")
    async def test_refuses_a_signature_that_is_wrong(self, stage: Stage) -> None:
        delivery = await self._delivery(stage)

        with pytest.raises(NoticeRefusedError) as caught:
            stage.provider.verify_notices(stage.with_bad_signature(delivery), delivery.body)

        assert caught.value.reason == "signature"

    @pytest.mark.needs("named_keys")
    async def test_refuses_a_key_that_nobody_knows(self, stage: Stage) -> None:
        delivery = await self._delivery(stage)

        with pytest.raises(NoticeRefusedError) as caught:
            stage.provider.verify_notices(stage.with_unknown_key(delivery), delivery.body)

        assert caught.value.reason == "key"

    async def test_refuses_a_notice_without_a_signature(self, stage: Stage) -> None:
        delivery = await self._delivery(stage)

        with pytest.raises(NoticeRefusedError):
            stage.provider.verify_notices({"content-type": "application/json"}, delivery.body)

    @pytest.mark.parametrize("seconds", [302, -302])
    @pytest.mark.needs("dated_notices")
    async def test_refuses_a_notice_of_another_time(self, stage: Stage, seconds: int) -> None:
        delivery = await self._delivery(stage)

        with pytest.raises(NoticeRefusedError) as caught:
            stage.provider_after(seconds).verify_notices(delivery.headers, delivery.body)

        assert caught.value.reason == "timestamp"

    async def _delivery(self, stage: Stage) -> Delivery:
        order = await charge_order(stage)
        await take(stage, order)
        return await stage.delivery(NoticeKind.CHARGE_SUCCEEDED, order.number)
