"""What the port accepts before any provider is asked."""

from dataclasses import replace
from uuid import UUID

import pytest

from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.payments.port import (
    AgreementRequest,
    ChargeOrder,
    CheckoutOrder,
    NoticeRefusedError,
    OrderStatus,
    ProviderRefusedError,
    ProviderUnavailableError,
    RefundOrder,
    order_number,
)
from tests.factories.sent_orders import sent

CHARGE = ChargeOrder(
    number="0199c1a2b3c47d5e8f90a1b2c3d4e5f6",
    agreement_reference="agr_1",
    amount=Money(1250, "CNY"),
    description="停车 Riverside",
    deadline_s=2.5,
)
CHECKOUT = CheckoutOrder(
    number="T1", amount=Money(1, "JPY"), description="x", return_url="https://parkside.example/"
)
REFUND = RefundOrder(
    number="R1", charge=sent("T1", Money(1, "JPY")), amount=Money(1, "JPY"), reason="x"
)
AGREEMENT = AgreementRequest(number="A1", description="x", return_url="https://parkside.example/")


def test_a_number_is_the_id_in_hex() -> None:
    order_id = UUID("0199c1a2-b3c4-7d5e-8f90-a1b2c3d4e5f6")

    assert order_number(order_id) == CHARGE.number
    assert replace(CHARGE, number=order_number(order_id)) == CHARGE


@pytest.mark.parametrize("number", ["", "a-b", "a b", "a" * 33, "é", "A1\n"])
@pytest.mark.parametrize("order", [CHARGE, CHECKOUT, REFUND, AGREEMENT])
def test_a_bad_number_is_refused(
    order: ChargeOrder | CheckoutOrder | RefundOrder | AgreementRequest, number: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        replace(order, number=number)

    assert caught.value.field == "number"
    assert caught.value.expected == "1 to 32 characters out of 0-9A-Za-z"


@pytest.mark.parametrize("amount_minor", [0, -1])
@pytest.mark.parametrize("order", [CHARGE, CHECKOUT, REFUND])
def test_nothing_and_less_is_refused(
    order: ChargeOrder | CheckoutOrder | RefundOrder, amount_minor: int
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        replace(order, amount=Money(amount_minor, "CNY"))

    assert caught.value.field == "amount"


@pytest.mark.parametrize("text", ["", "x" * 121])
def test_text_for_the_payer_has_a_length(text: str) -> None:
    for order in (CHARGE, CHECKOUT, AGREEMENT):
        with pytest.raises(InvalidInputError) as caught:
            replace(order, description=text)
        assert caught.value.field == "description"
    with pytest.raises(InvalidInputError) as caught:
        replace(REFUND, reason=text)
    assert caught.value.field == "reason"


@pytest.mark.parametrize("deadline_s", [0.0, -1.0, 30.1, float("nan"), float("inf")])
def test_a_deadline_is_bounded(deadline_s: float) -> None:
    with pytest.raises(InvalidInputError) as caught:
        replace(CHARGE, deadline_s=deadline_s)

    assert caught.value.field == "deadline_s"


def test_a_refund_names_a_usable_charge() -> None:
    with pytest.raises(InvalidInputError) as caught:
        sent("T-1", Money(1, "JPY"))

    assert caught.value.field == "number"


def test_only_success_and_failure_are_definitive() -> None:
    assert [status for status in OrderStatus if status.definitive] == [
        OrderStatus.SUCCEEDED,
        OrderStatus.FAILED,
    ]


def test_only_an_unavailable_provider_is_worth_another_try() -> None:
    assert ProviderUnavailableError.retryable
    assert not ProviderRefusedError.retryable
    assert not NoticeRefusedError.retryable
    codes = {ProviderUnavailableError.code, ProviderRefusedError.code, NoticeRefusedError.code}
    assert codes == {
        "PAYMENT_PROVIDER_UNAVAILABLE",
        "PAYMENT_PROVIDER_REFUSED",
        "PAYMENT_NOTICE_REFUSED",
    }
