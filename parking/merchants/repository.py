"""Every query about merchants."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.merchants.models import Merchant, MerchantValidation

MERCHANTS_MAX = 5_000
PAGE_MAX = 100

# One statement decides and takes: two tills at once never spend the same rest. A new month begins
# with the first validation in it.
_SPEND = text(
    """
    UPDATE merchants SET
        spent_minor = spent_minor + :amount_minor,
        spent_month_minor = CASE WHEN month = :month THEN spent_month_minor ELSE 0 END
            + :amount_minor,
        month = :month
    WHERE operator_id = :operator_id AND id = :id AND disabled_at IS NULL
        AND (budget_minor IS NULL OR spent_minor + :amount_minor <= budget_minor)
        AND (
            budget_month_minor IS NULL
            OR CASE WHEN month = :month THEN spent_month_minor ELSE 0 END + :amount_minor
                <= budget_month_minor
        )
    """
)


async def find(unit: UnitOfWork, operator_id: UUID, merchant_id: UUID) -> Merchant | None:
    """Return one of an operator's merchants."""
    return await unit.session.get(Merchant, (operator_id, merchant_id))


async def find_by_digest(unit: UnitOfWork, digest: bytes) -> Merchant | None:
    """Return whose key has this digest."""
    found = await unit.session.exec(select(Merchant).where(col(Merchant.key_digest) == digest))
    return found.one_or_none()


async def count(unit: UnitOfWork, operator_id: UUID) -> int:
    """Return how many merchants an operator has."""
    statement = (
        select(func.count()).select_from(Merchant).where(col(Merchant.operator_id) == operator_id)
    )
    return (await unit.session.exec(statement)).one()


async def page(
    unit: UnitOfWork, operator_id: UUID, *, first: int, after: UUID | None
) -> Sequence[Merchant]:
    """Return up to `first` merchants, the newest first, made before `after`."""
    statement = select(Merchant).where(col(Merchant.operator_id) == operator_id)
    if after is not None:
        statement = statement.where(col(Merchant.id) < after)
    statement = statement.order_by(col(Merchant.id).desc()).limit(min(first, PAGE_MAX))
    return (await unit.session.exec(statement)).all()


async def spend(unit: UnitOfWork, merchant: Merchant, amount_minor: int, month: str) -> bool:
    """Take an amount off a merchant's budgets; returns whether both had so much left."""
    values = {
        "operator_id": merchant.operator_id,
        "id": merchant.id,
        "amount_minor": amount_minor,
        "month": month,
    }
    return (await unit.run(_SPEND, values)).rowcount == 1


async def keep_validation(unit: UnitOfWork, row: MerchantValidation) -> bool:
    """Keep that a stay was validated; returns whether it was not before."""
    statement = insert(MerchantValidation).values(row.model_dump()).on_conflict_do_nothing()
    return (await unit.run(statement)).rowcount == 1


async def find_validation(
    unit: UnitOfWork, operator_id: UUID, validation_id: UUID
) -> MerchantValidation | None:
    """Return what a merchant paid for a stay."""
    return await unit.session.get(MerchantValidation, (operator_id, validation_id))
