"""Password-free permission: confirmed on the provider's page and here, ended at any time.

Two confirmations are needed before the first charge, in either order: the payer's on the page of
the provider, who knows whose account it is, and the driver's of our own terms, word for word.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from parking.flows.context import ParkingContext
from parking.flows.payments import announcing
from parking.flows.payments.notices import receive_agreement
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.payments import mandate_rows, mandates
from parking.payments.errors import AuthorizationUnavailableError
from parking.payments.mandate_terms import Limits, Terms
from parking.payments.mandates import NewMandate
from parking.payments.models import Mandate, MandateState
from parking.payments.port import (
    AgreementRequest,
    AgreementStarted,
    AgreementStatus,
    PaymentProvider,
    ProviderRefusedError,
    ProviderTraits,
    ProviderUnavailableError,
    order_number,
)
from parking.plates import service as plates
from parking.plates.errors import PlateNotFoundError

DESCRIPTION = "Parking without a password"
PAYER_ID_LENGTH_MAX = 128
# A confirmation whose notice was lost is asked about for this long; then the page is given up.
CONFIRMATION_AGE_MAX = timedelta(hours=24)
# A page whose address was never stored was shown to nobody.
START_AGE_MAX = timedelta(minutes=10)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a driver wants to allow.

    Attributes:
        provider: None for the usual one.
        return_url: Where the provider sends the driver back to; None for our own address.
        binding_id: The only plate that it is for; needed where the provider's traits ask for it.
        payer_id: Who the driver is to the provider, where the provider's traits ask for it.
    """

    provider: str | None = None
    return_url: str | None = None
    limits: Limits = field(default_factory=Limits)
    binding_id: UUID | None = None
    payer_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateView:
    """A mandate as its driver sees it.

    Attributes:
        position: In the driver's order, from 0; ended ones have none.
        terms: What it allows, in words.
        confirmation_url: The provider's page; set while the payer has not confirmed there.
        plate: The only plate that it is for; None for every plate.
    """

    id: UUID
    provider: str
    state: MandateState
    position: int | None
    terms: Terms
    payer_hint: str | None
    confirmation_url: str | None
    amount_max: Money | None
    day_max: Money | None
    plate: str | None
    created_at: datetime
    confirmed_at: datetime | None
    signed_at: datetime | None
    activated_at: datetime | None
    revoked_at: datetime | None


async def authorize(
    context: ParkingContext, driver_id: UUID, wish: Wish | None = None
) -> MandateView:
    """Begin an authorization, which the driver confirms on the provider's page and here.

    Raises:
        InvalidInputError: something asked for does not fit the provider, or there are too many.
        AuthorizationUnavailableError: the provider opened no page.
    """
    wish = wish or Wish()
    provider = _provider(context, wish)
    _check(provider, wish)
    async with context.database.begin() as unit:
        plate = await _plate(unit, driver_id, wish)
        index = None if plate is None else plates.plate_index(unit.vault, plate)
        new = NewMandate(provider=provider.name, limits=wish.limits, plate=plate, plate_index=index)
        mandate = await mandates.start(unit, driver_id, new)
    request = AgreementRequest(
        number=order_number(mandate.id),
        description=DESCRIPTION,
        return_url=wish.return_url or context.public_url,
        payer_id=wish.payer_id,
        plate=plate,
    )
    started = await _open_page(context, provider, mandate, request)
    async with context.database.begin() as unit:
        mandate = await mandates.remember_agreement(
            unit,
            driver_id,
            mandate.id,
            reference=started.reference,
            confirmation_url=started.confirmation_url,
        )
        return view_of(unit, mandate)


async def confirm(
    context: ParkingContext, driver_id: UUID, mandate_id: UUID, digest: str
) -> MandateView:
    """Confirm the terms that the driver was shown; again changes nothing.

    Args:
        context: The domain's surroundings.
        driver_id: Who confirms.
        mandate_id: Whose terms.
        digest: Of the very text that was shown, as `Terms.digest` gives it.

    Raises:
        MandateUnknownError: the driver has no such mandate.
        MandateEndedError: it has ended.
        MandateTermsChangedError: other terms stand by now.
    """
    async with context.database.begin() as unit:
        mandate = await mandates.confirm_terms(unit, driver_id, mandate_id, digest)
        await announcing.note_permission(context, unit, mandate)
        return view_of(unit, mandate)


async def change_limits(
    context: ParkingContext,
    driver_id: UUID,
    mandate_id: UUID,
    limits: Limits,
    digest: str | None = None,
) -> tuple[MandateView, Terms | None]:
    """Change what a mandate may take: less at once, more once the new terms are confirmed.

    Returns:
        The mandate; and the terms to confirm with the same call and their digest, where nothing
        was changed yet.

    Raises:
        InvalidInputError: the provider does not charge in that currency.
        MandateUnknownError: the driver has no such mandate.
        MandateEndedError: it has ended.
        MandateTermsChangedError: the digest is not that of the new terms.
    """
    async with context.database.begin() as unit:
        known = await mandate_rows.find_mandate(unit, driver_id, mandate_id)
        if known is not None and known.provider in context.providers:
            _check_currency(context.providers[known.provider].traits, limits)
        mandate, to_confirm = await mandates.change_limits(
            unit, driver_id, mandate_id, limits, digest
        )
        return view_of(unit, mandate), to_confirm


async def reorder(
    context: ParkingContext, driver_id: UUID, order: Sequence[UUID]
) -> list[MandateView]:
    """Let the driver's mandates be charged in this order from now on.

    Raises:
        InvalidInputError: these are not all of the driver's mandates, each once.
    """
    async with context.database.begin() as unit:
        ordered = await mandates.reorder(unit, driver_id, order)
        return [view_of(unit, mandate) for mandate in ordered]


async def revoke(context: ParkingContext, driver_id: UUID, mandate_id: UUID) -> MandateView:
    """End an authorization; it is not charged any more from this commit on.

    The provider is told too; where that fails, `sweep` tells it until it knows.

    Raises:
        MandateUnknownError: the driver has no such mandate.
    """
    async with context.database.begin() as unit:
        mandate = await mandates.revoke(unit, driver_id, mandate_id)
        view = view_of(unit, mandate)
    await tell_provider(context, driver_id, mandate_id)
    return view


async def tell_provider(context: ParkingContext, driver_id: UUID, mandate_id: UUID) -> None:
    """Tell the provider that an ended mandate has ended, once; the sweep repeats it."""
    async with context.database.begin() as unit:
        mandate = await mandate_rows.find_mandate(unit, driver_id, mandate_id)
        plate = None if mandate is None else mandates.plate_of(unit, mandate)
    if mandate is None or mandate.cancel_due_at is None or mandate.agreement_reference is None:
        return
    provider = context.providers.get(mandate.provider)
    if provider is None:
        # Another process has it: its sweep tells it.
        return
    status = await _cancel(provider, mandate.agreement_reference, plate)
    if status == AgreementStatus.UNKNOWN:
        _log.warning("agreement.cancel_unknown", mandate=str(mandate.id))
    async with context.database.begin() as unit:
        await mandates.agreement_told(unit, driver_id, mandate_id, status)


async def list_mandates(context: ParkingContext, driver_id: UUID) -> Sequence[MandateView]:
    """Return the driver's mandates that are not revoked, in the driver's order."""
    async with context.database.begin() as unit:
        known = await mandate_rows.find_mandates(unit, driver_id)
        return [view_of(unit, mandate) for mandate in known]


async def find_mandate(
    context: ParkingContext, driver_id: UUID, mandate_id: UUID
) -> MandateView | None:
    """Return one of the driver's mandates, a revoked one too."""
    async with context.database.begin() as unit:
        mandate = await mandate_rows.find_mandate(unit, driver_id, mandate_id)
        return None if mandate is None else view_of(unit, mandate)


async def sweep(context: ParkingContext) -> int:
    """Leave no permission in limbo; returns how many providers were asked or told about.

    Confirmations whose notice may be lost are asked about, pages that nobody confirms are given
    up, and providers that do not know yet that a permission ended are told again.
    """
    async with context.database.begin() as unit:
        now = unit.now()
        pending = await mandate_rows.find_unconfirmed(
            unit, since=now - CONFIRMATION_AGE_MAX, until=now
        )
        asked = [(mandate, mandates.plate_of(unit, mandate)) for mandate in pending]
        given_up = await mandate_rows.find_given_up(
            unit, opened_before=now - CONFIRMATION_AGE_MAX, started_before=now - START_AGE_MAX
        )
    for mandate, plate in asked:
        provider = context.providers.get(mandate.provider)
        if provider is not None and mandate.agreement_reference is not None:
            state = await provider.query_agreement(mandate.agreement_reference, plate=plate)
            await receive_agreement(context, provider.name, state)
    for mandate in given_up:
        async with context.database.begin() as unit:
            await mandates.revoke(unit, mandate.driver_id, mandate.id)
    async with context.database.begin() as unit:
        ended = await mandate_rows.take_due_cancels(
            unit, list(context.providers), mandates.CANCEL_LEASE
        )
    for driver_id, mandate_id in ended:
        await tell_provider(context, driver_id, mandate_id)
    return len(asked) + len(ended)


async def _cancel(provider: PaymentProvider, reference: str, plate: str | None) -> AgreementStatus:
    if provider.traits.payer_ends_agreements:
        # There is nobody to tell: the payer closes it there, and we charge nothing under it.
        return AgreementStatus.CANCELLED
    return (await provider.cancel_agreement(reference, plate=plate)).status


def view_of(unit: UnitOfWork, mandate: Mandate) -> MandateView:
    """Return a mandate for its driver."""
    limits, currency = mandates.limits_of(mandate), mandate.currency
    is_ended = mandate.state == MandateState.REVOKED
    is_open = mandate.state == MandateState.PENDING and mandate.signed_at is None
    return MandateView(
        id=mandate.id,
        provider=mandate.provider,
        state=MandateState(mandate.state),
        position=None if is_ended else mandate.position,
        terms=mandates.terms_of(unit, mandate),
        payer_hint=mandate.payer_hint,
        confirmation_url=mandates.page_of(unit, mandate) if is_open else None,
        amount_max=_money(limits.charge_minor_max, currency),
        day_max=_money(limits.day_minor_max, currency),
        plate=mandates.plate_of(unit, mandate),
        created_at=mandate.created_at,
        confirmed_at=mandate.confirmed_at,
        signed_at=mandate.signed_at,
        activated_at=mandate.activated_at,
        revoked_at=mandate.revoked_at,
    )


def _provider(context: ParkingContext, wish: Wish) -> PaymentProvider:
    able = sorted(name for name, one in context.providers.items() if one.traits.has_agreements)
    usual = context.checkout_provider
    name = wish.provider or (usual if usual in able else next(iter(able), None))
    if name is None:
        raise AuthorizationUnavailableError("no payment provider is set up here")
    if name not in able:
        raise InvalidInputError("provider", f"one of {', '.join(able)}")
    return context.provider(name)


def _check(provider: PaymentProvider, wish: Wish) -> None:
    traits = provider.traits
    if traits.needs_plate and wish.binding_id is None:
        raise InvalidInputError("plateId", f"the one plate that {provider.name} is to pay for")
    if traits.needs_payer and not wish.payer_id:
        raise InvalidInputError("payerId", f"the id by which {provider.name} knows the payer")
    if wish.payer_id is not None and not _is_payer_id(wish.payer_id):
        raise InvalidInputError("payerId", f"1 to {PAYER_ID_LENGTH_MAX} printable letters")
    _check_currency(traits, wish.limits)


def _is_payer_id(text: str) -> bool:
    return 0 < len(text) <= PAYER_ID_LENGTH_MAX and text.isascii() and text.isprintable()


def _check_currency(traits: ProviderTraits, limits: Limits) -> None:
    allowed = traits.currencies
    if allowed and limits.currency is not None and limits.currency not in allowed:
        raise InvalidInputError("amountMax.currency", f"one of {', '.join(sorted(allowed))}")


async def _plate(unit: UnitOfWork, driver_id: UUID, wish: Wish) -> str | None:
    if wish.binding_id is None:
        return None
    try:
        # Held until the commit: unbinding it comes before, and is seen, or ends this mandate too.
        return await plates.hold_plate(unit, driver_id, wish.binding_id)
    except PlateNotFoundError as error:
        raise InvalidInputError("plateId", "a plate that is bound to you") from error


async def _open_page(
    context: ParkingContext, provider: PaymentProvider, mandate: Mandate, request: AgreementRequest
) -> AgreementStarted:
    try:
        return await provider.start_agreement(request)
    except (ProviderUnavailableError, ProviderRefusedError) as error:
        async with context.database.begin() as unit:
            await mandates.revoke(unit, mandate.driver_id, mandate.id)
        raise AuthorizationUnavailableError("the provider opened no page; try again") from error


def _money(amount_minor: int | None, currency: str | None) -> Money | None:
    return None if amount_minor is None or currency is None else Money(amount_minor, currency)
