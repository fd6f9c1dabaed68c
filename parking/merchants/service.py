"""Merchants: made, changed, given a key, disabled."""

import secrets
from typing import Any, Final
from uuid import UUID

from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import derive_id, new_id
from parking.merchants import repository
from parking.merchants.errors import (
    MerchantBudgetSpentError,
    MerchantDisabledError,
    MerchantKeyRefusedError,
    MerchantUnknownError,
)
from parking.merchants.models import Merchant, MerchantValidation
from parking.merchants.rules import MerchantTerms, month_of, require_terms

KEY_PREFIX: Final = "smk_"
KEY_LENGTH_MAX: Final = 100
_KEY_BYTES: Final = 32
_DIGEST: Final = "merchant_key"


async def create(
    unit: UnitOfWork, operator_id: UUID, terms: MerchantTerms, *, by: str
) -> tuple[Merchant, str]:
    """Add a merchant; returns it and its key, which is shown this once.

    Raises:
        InvalidInputError: names the field that does not fit, or there are too many merchants.
    """
    require_terms(terms)
    if await repository.count(unit, operator_id) >= repository.MERCHANTS_MAX:
        raise InvalidInputError("merchant", f"at most {repository.MERCHANTS_MAX} of one operator")
    merchant = Merchant(
        operator_id=operator_id,
        id=new_id(unit.now()),
        created_by=by,
        created_at=unit.now(),
        **_columns(terms),
    )
    key = _new_key(unit, merchant)
    unit.session.add(merchant)
    return merchant, key


async def change(
    unit: UnitOfWork, operator_id: UUID, merchant_id: UUID, terms: MerchantTerms
) -> Merchant:
    """Change what is known and agreed; what was spent stays. Again changes nothing.

    Raises:
        InvalidInputError: names the field that does not fit; a budget below what is spent.
        MerchantUnknownError: the operator has no such merchant.
    """
    require_terms(terms)
    merchant = await require_merchant(unit, operator_id, merchant_id)
    if terms.currency != merchant.currency:
        raise InvalidInputError("currency", merchant.currency)
    if terms.budget_minor is not None and terms.budget_minor < merchant.spent_minor:
        raise InvalidInputError("budget", f"at least {merchant.spent_minor}: so much is spent")
    for name, value in _columns(terms).items():
        setattr(merchant, name, value)
    unit.session.add(merchant)
    return merchant


async def rotate_key(
    unit: UnitOfWork, operator_id: UUID, merchant_id: UUID
) -> tuple[Merchant, str]:
    """Give a merchant another key; the old one opens nothing from the commit on.

    Raises:
        MerchantUnknownError: the operator has no such merchant.
    """
    merchant = await require_merchant(unit, operator_id, merchant_id)
    key = _new_key(unit, merchant)
    unit.session.add(merchant)
    return merchant, key


async def set_enabled(
    unit: UnitOfWork, operator_id: UUID, merchant_id: UUID, *, is_enabled: bool
) -> Merchant:
    """Let a merchant validate, or no more; what it validated stays. Again changes nothing.

    Raises:
        MerchantUnknownError: the operator has no such merchant.
    """
    merchant = await require_merchant(unit, operator_id, merchant_id)
    if is_enabled:
        merchant.disabled_at = None
    elif merchant.disabled_at is None:
        merchant.disabled_at = unit.now()
    unit.session.add(merchant)
    return merchant


async def require_merchant(unit: UnitOfWork, operator_id: UUID, merchant_id: UUID) -> Merchant:
    """Return one of an operator's merchants.

    Raises:
        MerchantUnknownError: the operator has no such merchant.
    """
    merchant = await repository.find(unit, operator_id, merchant_id)
    if merchant is None:
        raise MerchantUnknownError("merchantId: expected one of yours")
    return merchant


async def merchant_of_key(unit: UnitOfWork, key: str) -> Merchant:
    """Return whose key it is.

    Raises:
        MerchantKeyRefusedError: nobody's who may validate.
    """
    found = None
    if key.startswith(KEY_PREFIX) and len(key) <= KEY_LENGTH_MAX:
        found = await repository.find_by_digest(unit, unit.vault.digest(_DIGEST, key))
    if found is None or found.disabled_at is not None:
        raise MerchantKeyRefusedError("key: expected that of an enabled merchant")
    return found


def validation_id(merchant_id: UUID, session_id: UUID) -> UUID:
    """Return the id of the one row that a merchant has for a stay."""
    return derive_id(session_id, f"merchant:{merchant_id}")


async def pay_for(
    unit: UnitOfWork, merchant: Merchant, session_id: UUID, *, validation: str, way: str
) -> MerchantValidation:
    """Take one validation of a stay off the merchant's budget; again changes nothing.

    Raises:
        MerchantDisabledError: it validates nothing any more.
        MerchantBudgetSpentError: too little is left.
    """
    month = month_of(unit.now(), merchant.timezone)
    row = MerchantValidation(
        operator_id=merchant.operator_id,
        id=validation_id(merchant.id, session_id),
        merchant_id=merchant.id,
        session_id=session_id,
        validation=validation,
        amount_minor=merchant.validation_minor,
        month=month,
        way=way,
        granted_at=unit.now(),
    )
    if merchant.disabled_at is not None:
        raise MerchantDisabledError("merchant: expected one that is enabled")
    if not await repository.keep_validation(unit, row):
        known = await repository.find_validation(unit, row.operator_id, row.id)
        return known or row
    if not await repository.spend(unit, merchant, row.amount_minor, month):
        raise MerchantBudgetSpentError("merchant: expected one with budget left")
    return row


def _columns(terms: MerchantTerms) -> dict[str, Any]:
    places = terms.place_ids
    return {
        "name": terms.name.strip(),
        "category": terms.category.value,
        "place_ids": None if places is None else [str(place) for place in places],
        "latitude_e6": terms.latitude_e6,
        "longitude_e6": terms.longitude_e6,
        "timezone": terms.timezone,
        "opening_hours": dict(terms.opening_hours),
        "validation": None if terms.validation is None else terms.validation.strip(),
        "validation_minor": terms.validation_minor,
        "currency": terms.currency,
        "budget_minor": terms.budget_minor,
        "budget_month_minor": terms.budget_month_minor,
    }


def _new_key(unit: UnitOfWork, merchant: Merchant) -> str:
    key = KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    merchant.key_digest = unit.vault.digest(_DIGEST, key)
    merchant.key_rotated_at = unit.now()
    return key
