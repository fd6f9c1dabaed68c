"""What providers tell on their own account: verified before, acted on once."""

from uuid import UUID

import structlog

from parking.flows.context import ParkingContext
from parking.flows.payments import announcing, chargebacks, refunds, settlement
from parking.kit.database import UnitOfWork
from parking.kit.errors import ParkingError
from parking.kit.money import Money
from parking.payments import mandate_rows, mandates, repository
from parking.payments import service as payments
from parking.payments.chargeback_models import ChargebackStatus
from parking.payments.models import AttemptState, PaymentAttempt, ProviderOrder
from parking.payments.port import (
    AccountKind,
    AgreementState,
    AgreementStatus,
    ChargebackState,
    ChargeResult,
    Notice,
    NoticeKind,
    OrderStatus,
    ProviderUnavailableError,
    RefundResult,
)
from parking.payments.refunds import REFUND_ORDER
from parking.payments.service import AmountMismatchError

LATE_FAILURE = "late_failure"

_log = structlog.get_logger()


class NoticeForeignError(ParkingError):
    """A provider speaks of an order that was never sent to it: nothing may follow from that."""

    code = "NOTICE_FOREIGN"


async def receive_notice(context: ParkingContext, provider_name: str, notice: Notice) -> None:
    """Act on a provider's verified notice; a repetition changes nothing.

    It is remembered after it was acted on, and acting twice changes nothing either: a crash in
    between costs a repetition, never an effect.

    Raises:
        AmountMismatchError: it tells of another amount than we asked for; staff are told.
        ProviderUnavailableError: it tells only that something happened, and asking brought nothing.
        NoticeForeignError: it is about another provider's order.
    """
    async with context.database.begin() as unit:
        if await mandate_rows.is_taken(unit, provider_name, notice.notice_id):
            return
    await _follow(context, provider_name, notice)
    async with context.database.begin() as unit:
        await mandate_rows.remember_notice(unit, provider_name, notice.notice_id, notice.kind)


async def receive_agreement(
    context: ParkingContext, provider_name: str, state: AgreementState
) -> None:
    """Let a mandate live or die with the agreement at its provider."""
    async with context.database.begin() as unit:
        key = mandates.order_key(provider_name, state.reference)
        order = await repository.find_order(unit, key)
        if order is None or order.kind != mandates.MANDATE_ORDER:
            _log.warning("notice.agreement_unknown", provider=provider_name)
        elif state.status == AgreementStatus.ACTIVE:
            if await mandates.agreement_signed(unit, order.owner_id, order.subject_id, state):
                mandate = await mandate_rows.find_mandate(unit, order.owner_id, order.subject_id)
                if mandate is not None:
                    await announcing.note_permission(context, unit, mandate)
        elif state.status in {AgreementStatus.CANCELLED, AgreementStatus.EXPIRED}:
            await mandates.revoke(unit, order.owner_id, order.subject_id, by_provider=True)


async def _follow(context: ParkingContext, provider_name: str, notice: Notice) -> None:
    result = notice.result
    if isinstance(result, AgreementState):
        await receive_agreement(context, provider_name, await _told(context, provider_name, result))
        return
    if isinstance(result, ChargebackState):
        await _follow_chargeback(context, provider_name, notice.kind, result)
        return
    number = result.number
    async with context.database.begin() as unit:
        order = await repository.find_order(unit, number)
        if order is not None:
            await _require_own(unit, order, provider_name)
    kind = None if order is None else order.kind
    if order is None or kind != _KINDS[type(result)]:
        # Such as an order of another system that shares our account there.
        _log.warning("notice.order_unknown", provider=provider_name, number=number)
    elif isinstance(result, RefundResult):
        if result.status == OrderStatus.UNKNOWN:
            await refunds.send(context, order.owner_id, order.subject_id)
        else:
            await refunds.settle(context, order.owner_id, order.subject_id, result)
    elif result.status == OrderStatus.UNKNOWN:
        await _ask(context, order, notice.kind)
    else:
        await _settle(context, order, result)


async def _settle(context: ParkingContext, order: ProviderOrder, result: ChargeResult) -> None:
    try:
        await settlement.settle(context, order.owner_id, order.subject_id, result)
    except AmountMismatchError:
        # What a provider answers when it is asked outweighs what it told: a car may stand there.
        async with context.database.begin() as unit:
            await payments.ask_soon(unit, order.owner_id, order.subject_id)
        raise


async def _ask(context: ParkingContext, order: ProviderOrder, kind: NoticeKind) -> None:
    """Ask what became of a payment that a notice says no more about, also if it ended otherwise."""
    state = await settlement.ask(context, order.owner_id, order.subject_id)
    if (kind, state) not in _CHANGED_AFTER_END:
        return
    async with context.database.begin() as unit:
        attempt = await repository.find_attempt(unit, order.owner_id, order.subject_id)
    if attempt is None:
        return
    provider = context.provider(attempt.provider)
    result = await provider.query(payments.sent_order(attempt))
    if result.status == OrderStatus.UNKNOWN:
        raise ProviderUnavailableError("payment: no answer")
    is_from_bank = provider.traits.account is AccountKind.BANK
    if is_from_bank and (state, result.status) == (AttemptState.SUCCEEDED, OrderStatus.FAILED):
        # A bank that reports a failure days after the debit was confirmed: the money never came.
        await chargebacks.settle(
            context, order.owner_id, attempt.id, _failed_late(attempt), ChargebackStatus.LOST
        )
    else:
        await _settle(context, order, result)


def _failed_late(attempt: PaymentAttempt) -> ChargebackState:
    # The reference of the notices about the same loss, which may follow: it is written down once.
    reference = attempt.provider_reference or attempt.number
    return ChargebackState(
        charge_number=attempt.number,
        charge_reference=attempt.provider_reference,
        reference=reference,
        amount=Money(attempt.amount_minor, attempt.currency),
        reason=LATE_FAILURE,
    )


async def _told(
    context: ParkingContext, provider_name: str, state: AgreementState
) -> AgreementState:
    if state.status != AgreementStatus.UNKNOWN:
        return state
    asked = await context.provider(provider_name).query_agreement(state.reference)
    if asked.status == AgreementStatus.UNKNOWN:
        raise ProviderUnavailableError("agreement: no answer")
    return asked


async def _follow_chargeback(
    context: ParkingContext, provider_name: str, kind: NoticeKind, said: ChargebackState
) -> None:
    """Follow a chargeback of one of our payments, by our number or by the provider's id."""
    async with context.database.begin() as unit:
        attempt = None
        if said.charge_number is not None:
            order = await repository.find_order(unit, said.charge_number)
            if order is not None and order.kind == payments.CHARGE_ORDER:
                await _require_own(unit, order, provider_name)
                attempt = await repository.find_attempt(unit, order.owner_id, order.subject_id)
        elif said.charge_reference is not None:
            reference = said.charge_reference
            attempt = await repository.find_attempt_by_reference(unit, provider_name, reference)
    if attempt is None:
        # Money that we never booked, such as a payment of before that was taken by hand.
        _log.error("notice.chargeback_unknown", provider=provider_name, reference=said.reference)
        return
    status = chargebacks.STATUSES[kind]
    await chargebacks.settle(context, attempt.operator_id, attempt.id, said, status)


_CHANGED_AFTER_END = {
    (NoticeKind.CHARGE_SUCCEEDED, AttemptState.FAILED),
    (NoticeKind.CHARGE_FAILED, AttemptState.SUCCEEDED),
}
_KINDS = {
    ChargeResult: payments.CHARGE_ORDER,
    RefundResult: REFUND_ORDER,
}


async def _require_own(unit: UnitOfWork, order: ProviderOrder, provider_name: str) -> None:
    name = await _provider_of(unit, order.kind, order.owner_id, order.subject_id)
    if name is not None and name != provider_name:
        raise NoticeForeignError(f"notice: expected one of {name}, not of {provider_name}")


async def _provider_of(unit: UnitOfWork, kind: str, owner_id: UUID, key: UUID) -> str | None:
    find = repository.find_refund if kind == REFUND_ORDER else repository.find_attempt
    found = await find(unit, owner_id, key)
    return None if found is None else found.provider
