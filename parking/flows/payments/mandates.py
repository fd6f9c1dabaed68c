"""Password-free authorization: given once on the provider's page, ended at any time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from parking.flows.context import ParkingContext
from parking.flows.payments.settlement import receive_agreement
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.payments import repository
from parking.payments import service as payments
from parking.payments.errors import AuthorizationUnavailableError
from parking.payments.models import Mandate, MandateState
from parking.payments.port import (
    AgreementRequest,
    AgreementStatus,
    ProviderRefusedError,
    ProviderUnavailableError,
    order_number,
)

DESCRIPTION = "Parking without a password"
# A confirmation whose notice was lost is asked about for this long.
CONFIRMATION_AGE_MAX = timedelta(hours=24)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class MandateView:
    """A mandate as its driver sees it.

    Attributes:
        confirmation_url: The provider's page; set while the mandate is pending.
        amount_max: The most that one charge may take; None for the provider's own limit.
    """

    id: UUID
    provider: str
    state: MandateState
    confirmation_url: str | None
    amount_max: Money | None
    created_at: datetime
    activated_at: datetime | None
    revoked_at: datetime | None


async def authorize(
    context: ParkingContext,
    driver_id: UUID,
    *,
    provider: str | None = None,
    return_url: str | None = None,
    amount_max: Money | None = None,
) -> MandateView:
    """Begin an authorization, which the driver confirms on the provider's page.

    Raises:
        InvalidInputError: no such provider, too many mandates, or a limit that is not positive.
        AuthorizationUnavailableError: the provider opened no page.
    """
    name = provider or context.checkout_provider
    if name is None:
        raise AuthorizationUnavailableError("no payment provider is set up here")
    if name not in context.providers:
        raise InvalidInputError("provider", f"one of {', '.join(sorted(context.providers))}")
    if amount_max is not None and amount_max.amount_minor <= 0:
        raise InvalidInputError("amountMax", "more than nothing")
    mandate = await _store(context, driver_id, name, amount_max)
    request = AgreementRequest(
        number=order_number(mandate.id),
        description=DESCRIPTION,
        return_url=return_url or context.public_url,
    )
    try:
        started = await context.provider(name).start_agreement(request)
    except (ProviderUnavailableError, ProviderRefusedError) as error:
        async with context.database.begin() as unit:
            await payments.revoke_mandate(unit, driver_id, mandate.id)
        raise AuthorizationUnavailableError("the provider opened no page; try again") from error
    async with context.database.begin() as unit:
        await payments.remember_agreement(
            unit, mandate, reference=started.reference, confirmation_url=started.confirmation_url
        )
    return _view(mandate)


async def revoke(context: ParkingContext, driver_id: UUID, mandate_id: UUID) -> MandateView:
    """End an authorization; it is not charged any more from this commit on.

    The agreement at the provider is cancelled too; where that fails, nothing is charged under it
    all the same.

    Raises:
        MandateUnknownError: the driver has no such mandate.
    """
    async with context.database.begin() as unit:
        mandate = await payments.revoke_mandate(unit, driver_id, mandate_id)
    if mandate.agreement_reference is not None:
        provider = context.provider(mandate.provider)
        state = await provider.cancel_agreement(mandate.agreement_reference)
        if state.status == AgreementStatus.UNKNOWN:
            _log.warning("agreement.cancel_unknown", mandate=str(mandate.id))
    return _view(mandate)


async def list_mandates(context: ParkingContext, driver_id: UUID) -> Sequence[MandateView]:
    """Return the driver's mandates that are not revoked, oldest first."""
    async with context.database.begin() as unit:
        return [_view(mandate) for mandate in await repository.find_mandates(unit, driver_id)]


async def find_mandate(
    context: ParkingContext, driver_id: UUID, mandate_id: UUID
) -> MandateView | None:
    """Return one of the driver's mandates, a revoked one too."""
    async with context.database.begin() as unit:
        mandate = await repository.find_mandate(unit, driver_id, mandate_id)
    return None if mandate is None else _view(mandate)


async def sweep(context: ParkingContext) -> int:
    """Ask about confirmations whose notice may have been lost; returns how many were asked."""
    async with context.database.begin() as unit:
        pending = await repository.find_unconfirmed(unit, unit.now() - CONFIRMATION_AGE_MAX)
    for mandate in pending:
        if mandate.agreement_reference is not None:
            provider = context.provider(mandate.provider)
            await receive_agreement(
                context, await provider.query_agreement(mandate.agreement_reference)
            )
    return len(pending)


async def _store(
    context: ParkingContext, driver_id: UUID, provider: str, amount_max: Money | None
) -> Mandate:
    async with context.database.begin() as unit:
        if len(await repository.find_mandates(unit, driver_id)) >= (
            repository.MANDATES_PER_DRIVER_MAX
        ):
            raise InvalidInputError(
                "mandate", f"at most {repository.MANDATES_PER_DRIVER_MAX}; revoke one first"
            )
        return payments.start_mandate(
            unit,
            driver_id,
            provider=provider,
            amount_minor_max=None if amount_max is None else amount_max.amount_minor,
            currency=None if amount_max is None else amount_max.currency,
        )


def _view(mandate: Mandate) -> MandateView:
    limit = mandate.amount_minor_max
    return MandateView(
        id=mandate.id,
        provider=mandate.provider,
        state=MandateState(mandate.state),
        confirmation_url=(
            mandate.confirmation_url if mandate.state == MandateState.PENDING else None
        ),
        amount_max=(
            None if limit is None or mandate.currency is None else Money(limit, mandate.currency)
        ),
        created_at=mandate.created_at,
        activated_at=mandate.activated_at,
        revoked_at=mandate.revoked_at,
    )
