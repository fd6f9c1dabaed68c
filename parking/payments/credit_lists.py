"""How much credit many drivers have left at an operator, in few statements.

More careful than a decision at a gate: a driver whose trust would have to be counted from the
bills of the past has it here only where credit was given before.
"""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.payments import credit_rules
from parking.payments.credit_models import (
    CreditAccount,
    CreditPolicy,
    CreditRequirement,
    OwedBill,
)
from parking.payments.models import Mandate, MandateState

_MANDATE_IS_ENOUGH = frozenset({CreditRequirement.MANDATE, CreditRequirement.EITHER})


async def limits_left(
    unit: UnitOfWork, policy: CreditPolicy, place_id: UUID, driver_ids: Collection[UUID]
) -> dict[UUID, int]:
    """Return what each of some drivers may still owe at a place, those only who may; by driver."""
    if not driver_ids or not credit_rules.covers(policy, place_id):
        return {}
    accounts = await _accounts(unit, policy, driver_ids)
    in_arrears = await _in_arrears(unit, policy, driver_ids)
    with_mandate = await _with_mandate(unit, driver_ids)
    left: dict[UUID, int] = {}
    for driver_id in set(driver_ids) - in_arrears:
        amount = _left(policy, accounts.get(driver_id), has_mandate=driver_id in with_mandate)
        if amount > 0:
            left[driver_id] = amount
    return left


def _left(policy: CreditPolicy, account: CreditAccount | None, *, has_mandate: bool) -> int:
    requirement = CreditRequirement(policy.requirement)
    if not has_mandate and requirement in {CreditRequirement.MANDATE, CreditRequirement.BOTH}:
        return 0
    if account is not None and account.frozen_at is not None:
        return 0
    if account is None or not account.limit_minor:
        is_trusted = has_mandate and requirement in _MANDATE_IS_ENOUGH
        return min(policy.first_minor, policy.most_minor) if is_trusted else 0
    return min(account.limit_minor, policy.most_minor) - account.used_minor


async def _accounts(
    unit: UnitOfWork, policy: CreditPolicy, driver_ids: Collection[UUID]
) -> dict[UUID, CreditAccount]:
    statement = (
        select(CreditAccount)
        .where(col(CreditAccount.operator_id) == policy.operator_id)
        .where(col(CreditAccount.currency) == policy.currency)
        .where(col(CreditAccount.driver_id).in_(list(driver_ids)))
        .execution_options(populate_existing=True)
    )
    return {row.driver_id: row for row in await unit.session.exec(statement)}


async def _in_arrears(
    unit: UnitOfWork, policy: CreditPolicy, driver_ids: Collection[UUID]
) -> set[UUID]:
    longest_at = unit.now() - timedelta(days=policy.arrears_days)
    statement = (
        select(OwedBill.driver_id)
        .where(col(OwedBill.operator_id) == policy.operator_id)
        .where(col(OwedBill.driver_id).in_(list(driver_ids)))
        .where(col(OwedBill.owed_at) <= longest_at)
        .distinct()
    )
    return {driver_id for driver_id in await unit.session.exec(statement) if driver_id is not None}


async def _with_mandate(unit: UnitOfWork, driver_ids: Collection[UUID]) -> set[UUID]:
    statement = (
        select(Mandate.driver_id)
        .where(col(Mandate.driver_id).in_(list(driver_ids)))
        .where(col(Mandate.state) == MandateState.ACTIVE)
        .distinct()
    )
    return set(await unit.session.exec(statement))
