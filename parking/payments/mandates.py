"""Use cases about a driver's standing permissions, each one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import derive_id, new_id
from parking.payments import mandate_rows, repository
from parking.payments.errors import (
    MandateEndedError,
    MandateTermsChangedError,
    MandateUnknownError,
    TooManyAuthorizationsError,
)
from parking.payments.mandate_models import MandateConsent
from parking.payments.mandate_terms import Limits, Terms
from parking.payments.models import Mandate, MandateState
from parking.payments.port import AgreementState, AgreementStatus

MANDATE_ORDER: Final = "agreement"
TERMS_CONTEXT: Final = "mandate_terms"
PLATE_CONTEXT: Final = "mandate_plate"
PAGE_CONTEXT: Final = "mandate_page"
# How long the provider is left alone after it was told that an agreement ended, by tries.
CANCEL_BACKOFF_S: Final[Sequence[float]] = (5, 15, 60, 300, 1800, 6 * 3600)
# What the first call to cancel takes; afterwards the sweep tries.
CANCEL_LEASE: Final = timedelta(seconds=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMandate:
    """What a driver wants to allow.

    Attributes:
        plate: The only plate that it is for, in clear; None for all of the driver's.
        plate_index: Set with `plate`.
    """

    provider: str
    limits: Limits
    plate: str | None = None
    plate_index: UUID | None = None


def order_key(provider: str, reference: str) -> str:
    """Return under which number an agreement is remembered: two providers may name theirs alike."""
    return f"{provider}:{reference}"


def limits_of(mandate: Mandate) -> Limits:
    """Return what a mandate may take at most."""
    return Limits(
        charge_minor_max=mandate.amount_minor_max,
        day_minor_max=mandate.day_minor_max,
        currency=mandate.currency,
    )


def plate_of(unit: UnitOfWork, mandate: Mandate) -> str | None:
    """Return the one plate that a mandate is for, in clear; None for every plate."""
    if mandate.plate_sealed is None:
        return None
    return unit.vault.open(mandate.plate_sealed, context=PLATE_CONTEXT)


def page_of(unit: UnitOfWork, mandate: Mandate) -> str | None:
    """Return the provider's page on which the payer confirms; None where none was opened."""
    if mandate.confirmation_url_sealed is None:
        return None
    return unit.vault.open(mandate.confirmation_url_sealed, context=PAGE_CONTEXT)


def terms_of(unit: UnitOfWork, mandate: Mandate, limits: Limits | None = None) -> Terms:
    """Return what a mandate allows, or with other limits would allow from the next revision on."""
    return Terms(
        mandate_id=mandate.id,
        revision=mandate.revision if limits is None else mandate.revision + 1,
        provider=mandate.provider,
        limits=limits_of(mandate) if limits is None else limits,
        plate=plate_of(unit, mandate),
    )


async def start(unit: UnitOfWork, driver_id: UUID, new: NewMandate) -> Mandate:
    """Store a mandate that waits for both confirmations; it comes last in the driver's order.

    Raises:
        InvalidInputError: the driver has as many as one may have.
        TooManyAuthorizationsError: the driver has begun as many within a day as one may.
    """
    await mandate_rows.lock_order(unit, driver_id)
    begun = await mandate_rows.count_begun(unit, driver_id, unit.now() - timedelta(days=1))
    if begun >= mandate_rows.BEGUN_PER_DAY_MAX:
        raise TooManyAuthorizationsError("mandate: too many were begun today; try again tomorrow")
    known = await mandate_rows.find_mandates(unit, driver_id)
    if len(known) >= mandate_rows.MANDATES_PER_DRIVER_MAX:
        raise InvalidInputError(
            "mandate", f"at most {mandate_rows.MANDATES_PER_DRIVER_MAX}; revoke one first"
        )
    sealed = None
    if new.plate is not None:
        sealed = unit.vault.seal(new.plate, context=PLATE_CONTEXT)
    mandate = Mandate(
        driver_id=driver_id,
        id=new_id(unit.now()),
        provider=new.provider,
        state=MandateState.PENDING,
        position=len(known),
        amount_minor_max=new.limits.charge_minor_max,
        day_minor_max=new.limits.day_minor_max,
        currency=new.limits.currency,
        plate_index=new.plate_index,
        plate_sealed=sealed,
        created_at=unit.now(),
    )
    unit.session.add(mandate)
    return mandate


async def remember_agreement(
    unit: UnitOfWork, driver_id: UUID, mandate_id: UUID, *, reference: str, confirmation_url: str
) -> Mandate:
    """Write down under which reference the provider knows the mandate.

    Raises:
        MandateUnknownError: the driver has no such mandate.
    """
    mandate = await _locked(unit, driver_id, mandate_id)
    mandate.agreement_reference = reference
    mandate.confirmation_url_sealed = unit.vault.seal(confirmation_url, context=PAGE_CONTEXT)
    if mandate.state == MandateState.REVOKED:
        # It ended while its page was opened.
        mandate.cancel_due_at = unit.now()
    await repository.remember_order(
        unit,
        number=order_key(mandate.provider, reference),
        owner_id=driver_id,
        subject_id=mandate.id,
        kind=MANDATE_ORDER,
    )
    return mandate


async def confirm_terms(
    unit: UnitOfWork, driver_id: UUID, mandate_id: UUID, digest: str
) -> Mandate:
    """Write down that the driver confirmed the terms with this digest; again changes nothing.

    Raises:
        MandateUnknownError: the driver has no such mandate.
        MandateEndedError: it has ended.
        MandateTermsChangedError: these are not its terms; look at them again.
    """
    mandate = await _locked(unit, driver_id, mandate_id)
    if mandate.state == MandateState.REVOKED:
        raise MandateEndedError("mandateId: it has ended; begin another one")
    _consent(unit, mandate, terms_of(unit, mandate), digest)
    if mandate.confirmed_at is None:
        mandate.confirmed_at = unit.now()
        _activate(unit, mandate)
    return mandate


async def agreement_signed(
    unit: UnitOfWork, driver_id: UUID, mandate_id: UUID, agreement: AgreementState
) -> bool:
    """Write down that the payer confirmed on the provider's page.

    A revoked mandate stays revoked, and its agreement is cancelled. Returns whether it may be
    charged from now on.
    """
    mandate = await mandate_rows.lock_mandate(unit, driver_id, mandate_id)
    if mandate is None:
        return False
    if mandate.state == MandateState.REVOKED:
        mandate.cancel_due_at = mandate.cancel_due_at or unit.now()
        return False
    if mandate.signed_at is not None:
        return False
    mandate.signed_at = unit.now()
    mandate.instrument = agreement.instrument
    mandate.payer_hint = agreement.payer_hint
    if agreement.also_known_as is not None:
        await repository.remember_order(
            unit,
            number=order_key(mandate.provider, agreement.also_known_as),
            owner_id=driver_id,
            subject_id=mandate_id,
            kind=MANDATE_ORDER,
        )
    return _activate(unit, mandate)


async def change_limits(
    unit: UnitOfWork, driver_id: UUID, mandate_id: UUID, limits: Limits, digest: str | None
) -> tuple[Mandate, Terms | None]:
    """Change what a mandate may take: less at once, more only with the new terms confirmed.

    Returns:
        The mandate, and the terms to confirm where nothing was changed.

    Raises:
        MandateUnknownError: the driver has no such mandate.
        MandateEndedError: it has ended.
        MandateTermsChangedError: the digest is not that of the new terms.
    """
    mandate = await _locked(unit, driver_id, mandate_id)
    if mandate.state == MandateState.REVOKED:
        raise MandateEndedError("mandateId: it has ended; begin another one")
    before = limits_of(mandate)
    if limits == before:
        return mandate, None
    terms = terms_of(unit, mandate, limits)
    # Before its first confirmation the whole text is still to be confirmed anyway.
    if mandate.confirmed_at is not None and limits.widens(before):
        if digest is None:
            return mandate, terms
        _consent(unit, mandate, terms, digest)
        mandate.confirmed_at = unit.now()
    mandate.revision = terms.revision
    mandate.amount_minor_max = limits.charge_minor_max
    mandate.day_minor_max = limits.day_minor_max
    mandate.currency = limits.currency
    return mandate, None


async def reorder(unit: UnitOfWork, driver_id: UUID, order: Sequence[UUID]) -> Sequence[Mandate]:
    """Charge the driver's mandates in this order from now on; again changes nothing.

    Raises:
        InvalidInputError: these are not all of the driver's mandates, each once.
    """
    await mandate_rows.lock_order(unit, driver_id)
    known = {mandate.id: mandate for mandate in await mandate_rows.find_mandates(unit, driver_id)}
    if len(order) != len(known) or set(order) != set(known):
        raise InvalidInputError("mandateIds", "all of your authorizations, each once")
    for position, mandate_id in enumerate(order):
        locked = await mandate_rows.lock_mandate(unit, driver_id, mandate_id)
        if locked is not None:
            locked.position = position
    return [known[mandate_id] for mandate_id in order]


async def revoke(
    unit: UnitOfWork, driver_id: UUID, mandate_id: UUID, *, by_provider: bool = False
) -> Mandate:
    """End the driver's permission at once; again changes nothing.

    Args:
        unit: The transaction.
        driver_id: Whose.
        mandate_id: Which.
        by_provider: Whether the provider said so, and need not be told.

    Raises:
        MandateUnknownError: the driver has no such mandate.
    """
    await mandate_rows.lock_order(unit, driver_id)
    mandate = await _locked(unit, driver_id, mandate_id)
    if by_provider:
        mandate.cancel_due_at = None
    if mandate.state != MandateState.REVOKED:
        mandate.state = MandateState.REVOKED
        mandate.revoked_at = unit.now()
        if mandate.agreement_reference is not None and not by_provider:
            mandate.cancel_due_at = unit.now() + CANCEL_LEASE
        await mandate_rows.close_gaps(unit, driver_id)
    return mandate


async def end_of_plate(
    unit: UnitOfWork, plate_index: UUID, keeper: UUID | None
) -> list[tuple[UUID, UUID]]:
    """End everybody's mandates for a plate that is not theirs any more.

    Args:
        unit: The transaction.
        plate_index: The plate.
        keeper: Whose it is now; their mandates stay. None: nobody's.

    Returns:
        (driver, mandate) of those that ended.
    """
    ended: list[tuple[UUID, UUID]] = []
    for mandate in await mandate_rows.find_of_plate(unit, plate_index):
        if mandate.driver_id != keeper:
            await revoke(unit, mandate.driver_id, mandate.id)
            ended.append((mandate.driver_id, mandate.id))
    return ended


async def agreement_told(
    unit: UnitOfWork, driver_id: UUID, mandate_id: UUID, status: AgreementStatus
) -> None:
    """Follow the provider's answer to being told that a mandate ended."""
    mandate = await mandate_rows.lock_mandate(unit, driver_id, mandate_id)
    if mandate is None or mandate.cancel_due_at is None:
        return
    if status in _GONE:
        mandate.cancel_due_at = None
        return
    wait_s = CANCEL_BACKOFF_S[min(mandate.cancel_tries, len(CANCEL_BACKOFF_S) - 1)]
    mandate.cancel_tries += 1
    mandate.cancel_due_at = unit.now() + timedelta(seconds=wait_s)


_GONE: Final = frozenset(
    {AgreementStatus.CANCELLED, AgreementStatus.EXPIRED, AgreementStatus.NOT_FOUND}
)


def _activate(unit: UnitOfWork, mandate: Mandate) -> bool:
    if mandate.signed_at is None or mandate.confirmed_at is None:
        return False
    mandate.state = MandateState.ACTIVE
    mandate.activated_at = unit.now()
    return True


def _consent(unit: UnitOfWork, mandate: Mandate, terms: Terms, digest: str) -> None:
    locale = terms.language_of(unit.vault, digest)
    if locale is None:
        raise MandateTermsChangedError("termsDigest: expected that of the terms as they are now")
    if mandate.confirmed_at is not None and terms.revision == mandate.revision:
        return
    text = "\n".join((terms.title(locale), *terms.sentences(locale)))
    unit.session.add(
        MandateConsent(
            driver_id=mandate.driver_id,
            id=derive_id(mandate.id, f"consent:{terms.revision}"),
            mandate_id=mandate.id,
            revision=terms.revision,
            locale=locale,
            terms_sealed=unit.vault.seal(text, context=TERMS_CONTEXT),
            digest=digest,
            confirmed_at=unit.now(),
        )
    )


async def _locked(unit: UnitOfWork, driver_id: UUID, mandate_id: UUID) -> Mandate:
    mandate = await mandate_rows.lock_mandate(unit, driver_id, mandate_id)
    if mandate is None:
        raise MandateUnknownError("mandate: expected one of yours")
    return mandate
