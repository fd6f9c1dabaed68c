"""What an operator's staff decide about credit, and what drivers see of theirs."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.payments import credit, repository
from parking.payments.credit_models import CreditPolicy, CreditRequirement
from parking.payments.errors import BillUnknownError
from parking.places import repository as places

LIMIT_MINOR_MAX: Final = 100_000_000
BILLS_MAX: Final = 10_000
ARREARS_DAYS_MAX: Final = 365
PLACES_MAX: Final = 200
REASON_LENGTH_MAX: Final = 200
STAFF_DECISION: Final = "staff"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPolicy:
    """How drivers may pay after departure, in one currency; see `CreditPolicy`."""

    currency: str
    is_open: bool
    requirement: CreditRequirement
    first_minor: int
    step_bills: int
    step_minor: int
    most_minor: int
    history_bills: int
    arrears_days: int
    place_ids: Collection[UUID] = ()


@dataclass(frozen=True, slots=True)
class DriverCredit:
    """A driver's credit at one operator."""

    operator_name: str
    used: Money
    limit: Money
    is_frozen: bool


async def set_policy(
    context: ParkingContext, operator_id: UUID, new: NewPolicy, *, by: str
) -> CreditPolicy:
    """Set an operator's policy; what is used already stays owed.

    Raises:
        InvalidInputError: a value is out of its range, or a place is not the operator's.
    """
    _check(new)
    async with context.database.begin() as unit:
        known = {place.id for place in await places.list_places(unit, operator_id)}
        if len(new.place_ids) > PLACES_MAX or not known.issuperset(new.place_ids):
            raise InvalidInputError("placeIds", "places of yours")
        policy = CreditPolicy(
            operator_id=operator_id,
            currency=new.currency,
            is_open=new.is_open,
            requirement=new.requirement,
            first_minor=new.first_minor,
            step_bills=new.step_bills,
            step_minor=new.step_minor,
            most_minor=new.most_minor,
            history_bills=new.history_bills,
            arrears_days=new.arrears_days,
            place_ids=sorted({str(place_id) for place_id in new.place_ids}),
            changed_by=by,
            changed_at=unit.now(),
        )
        return await unit.session.merge(policy)


async def list_policies(context: ParkingContext, operator_id: UUID) -> list[CreditPolicy]:
    """Return an operator's policies by currency."""
    async with context.database.begin() as unit:
        return await credit.list_policies(unit, operator_id)


async def freeze(
    context: ParkingContext, operator_id: UUID, bill_id: UUID, *, is_frozen: bool
) -> bool:
    """Freeze or thaw the credit of whoever owes a bill; returns whether that changed anything.

    Staff name a bill, for who the driver is is none of their business.

    Raises:
        BillUnknownError: the operator has no such bill, or no driver owes it.
    """
    async with context.database.begin() as unit:
        bill = await repository.find_bill(unit, operator_id, bill_id)
        if bill is None or bill.driver_id is None:
            raise BillUnknownError("billId: expected one of yours that a driver has")
        if is_frozen:
            return await credit.freeze(
                unit, operator_id, bill.driver_id, bill.currency, reason=STAFF_DECISION
            )
        return await credit.thaw(unit, operator_id, bill.driver_id, bill.currency)


async def of_driver(context: ParkingContext, driver_id: UUID) -> list[DriverCredit]:
    """Return a driver's credit at every operator that gave any."""
    async with context.database.begin() as unit:
        accounts = await credit.list_accounts(unit, driver_id)
        names = {
            operator.id: operator.name
            for account in accounts
            if (operator := await places.find_operator(unit, account.operator_id)) is not None
        }
    return [
        DriverCredit(
            names.get(account.operator_id, ""),
            Money(account.used_minor, account.currency),
            Money(account.limit_minor, account.currency),
            account.frozen_at is not None,
        )
        for account in accounts
    ]


def _check(new: NewPolicy) -> None:
    Money.zero(new.currency)
    if not 0 <= new.first_minor <= new.most_minor <= LIMIT_MINOR_MAX:
        raise InvalidInputError("most", f"at least `first`, at most {LIMIT_MINOR_MAX}")
    if not 0 <= new.step_minor <= LIMIT_MINOR_MAX:
        raise InvalidInputError("step", f"0 to {LIMIT_MINOR_MAX}")
    if not 1 <= new.step_bills <= BILLS_MAX:
        raise InvalidInputError("stepBills", f"1 to {BILLS_MAX}")
    if not 0 <= new.history_bills <= BILLS_MAX:
        raise InvalidInputError("historyBills", f"0 to {BILLS_MAX}")
    if not 1 <= new.arrears_days <= ARREARS_DAYS_MAX:
        raise InvalidInputError("arrearsDays", f"1 to {ARREARS_DAYS_MAX}")


def place_of(text: str) -> UUID:
    """Return the place that a policy names."""
    return UUID(text)
