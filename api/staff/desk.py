"""The desk: what cars owe, cash, what is given up, and letting a car out."""

from datetime import datetime
from typing import Annotated

import strawberry

from api.acting import Given, outcome_of
from api.global_ids import BILL_KIND, LANE_KIND, decode_keys, encode_id
from api.idempotency import by_staff, keyed
from api.request import Info
from api.types.money import Money
from parking.flows import override, standing_cars
from parking.flows.payments import desk_payment, owed_view, write_off
from parking.flows.payments.owed_view import OwedView
from parking.flows.standing_cars import StandingCar
from parking.kit import money
from parking.lanes.models import ExitOverride
from parking.payments.errors import BillUnknownError, ExitNotWaitingError
from parking.staff.rules import StaffIdentity


@strawberry.type(description="A bill whose car left unpaid, at your places or at a partner's.")
class StaffOwed:
    """A bill whose car left unpaid."""

    bill_id: strawberry.ID
    operator_name: str
    place_name: str
    amount: Money
    owed_at: datetime
    tries: int = strawberry.field(description="How often it was collected in vain.")
    next_try_at: datetime | None
    is_being_paid: bool

    @classmethod
    def of(cls, view: OwedView) -> "StaffOwed":
        """Return the amount for staff; it does not say who owes it."""
        return cls(
            bill_id=encode_id(BILL_KIND, view.operator_id, view.bill_id),
            operator_name=view.operator_name,
            place_name="" if view.place is None else view.place.name,
            amount=Money.of(view.amount),
            owed_at=view.owed_at,
            tries=view.tries,
            next_try_at=view.next_try_at,
            is_being_paid=view.is_being_paid,
        )


@strawberry.type(description="A car that an exit keeps in.")
class StaffStandingCar:
    """A car that an exit keeps in."""

    lane_id: strawberry.ID
    lane_name: str
    session_id: strawberry.ID | None
    action: str
    reason: str = strawberry.field(description="Why, such as `payment_due` or `no_session`.")
    occupied_at: datetime

    @classmethod
    def of(cls, operator_car: StandingCar, staff: StaffIdentity) -> "StaffStandingCar":
        """Return the car for its operator's staff."""
        session_id = operator_car.session_id
        return cls(
            lane_id=encode_id(LANE_KIND, staff.operator_id, operator_car.lane_id),
            lane_name=operator_car.lane_name,
            session_id=None if session_id is None else encode_id("Session", session_id),
            action=operator_car.action,
            reason=operator_car.reason,
            occupied_at=operator_car.occupied_at,
        )


@strawberry.type(description="A car that a named person let out.")
class StaffExitOverride:
    """A car that a named person let out."""

    lane_id: strawberry.ID
    bill_id: strawberry.ID | None = strawberry.field(description="What was due then.")
    kept_in_reason: str
    reason: str
    let_out_by: str
    let_out_at: datetime

    @classmethod
    def of(cls, row: ExitOverride) -> "StaffExitOverride":
        """Return the record."""
        return cls(
            lane_id=encode_id(LANE_KIND, row.operator_id, row.lane_id),
            bill_id=None
            if row.bill_id is None
            else encode_id(BILL_KIND, row.operator_id, row.bill_id),
            kept_in_reason=row.kept_in_reason,
            reason=row.reason,
            let_out_by=row.let_out_by,
            let_out_at=row.let_out_at,
        )


@strawberry.type(description="The bill is paid.")
class CashTaken:
    """The bill is paid."""

    amount: Money


@strawberry.type(description="Nobody tries to collect the bill any more.")
class BillWrittenOff:
    """The bill is written off."""

    amount: Money
    reason: str
    written_off_by: str
    written_off_at: datetime


@strawberry.type(description="The gate opens for the car; what it owes stays owed.")
class ExitOpened:
    """The gate opens."""

    override: StaffExitOverride


@strawberry.input
class TakeCashInput:
    """Which bill was paid at the desk."""

    bill_id: strawberry.ID = strawberry.field(description="Yours, or a partner's.")


@strawberry.input
class WriteOffBillInput:
    """What is given up, and why."""

    bill_id: strawberry.ID
    reason: str


@strawberry.input
class OpenExitInput:
    """Which exit, and why."""

    lane_id: strawberry.ID
    reason: str


@keyed(by_staff)
async def take_cash(info: Info, given: Annotated[TakeCashInput, Given]) -> CashTaken:
    """Write down a payment over the counter."""
    staff = info.context.staff()
    owner_id, bill_id = decode_keys(given.bill_id, kind=BILL_KIND, count=2, field="billId")
    paid = await desk_payment.take_cash(
        info.context.parking, staff.operator_id, owner_id, bill_id, by=staff.recorded_name
    )
    return CashTaken(amount=Money.of(paid.amount))


@keyed(by_staff, at_once=True)
async def write_off_bill(info: Info, given: Annotated[WriteOffBillInput, Given]) -> BillWrittenOff:
    """Give up a bill."""
    staff = info.context.staff()
    operator_id, bill_id = decode_keys(given.bill_id, kind=BILL_KIND, count=2, field="billId")
    if operator_id != staff.operator_id:
        raise BillUnknownError("billId: expected one of yours")
    row = await write_off.write_off(
        info.context.parking, operator_id, bill_id, reason=given.reason, by=staff.recorded_name
    )
    return BillWrittenOff(
        amount=Money.of(money.Money(row.amount_minor, row.currency)),
        reason=row.reason,
        written_off_by=row.written_off_by,
        written_off_at=row.written_off_at,
    )


@keyed(by_staff)
async def open_exit(info: Info, given: Annotated[OpenExitInput, Given]) -> ExitOpened:
    """Let a car out."""
    staff = info.context.staff()
    operator_id, lane_id = decode_keys(given.lane_id, kind=LANE_KIND, count=2, field="laneId")
    if operator_id != staff.operator_id:
        raise ExitNotWaitingError("laneId: expected an exit of yours")
    done = await override.let_out(
        info.context.parking, operator_id, lane_id, reason=given.reason, by=staff.recorded_name
    )
    return ExitOpened(override=StaffExitOverride.of(done.override))


@strawberry.type
class DeskQueries:
    """The reads of the desk."""

    @strawberry.field(
        description="What a car owes at your places and at your partners', the oldest first."
    )
    async def owed_by_plate(self, info: Info, plate: str) -> list[StaffOwed]:
        """Return what a car owes."""
        staff = info.context.staff()
        views = await owed_view.of_plate(
            info.context.parking, staff.operator_id, plate, places=staff.places
        )
        return [StaffOwed.of(view) for view in views]

    @strawberry.field(
        description="What is owed to you and not collected by itself any more, the oldest first."
    )
    async def uncollected(self, info: Info) -> list[StaffOwed]:
        """Return what needs a person."""
        staff = info.context.staff()
        views = await owed_view.given_up(
            info.context.parking, staff.operator_id, places=staff.places
        )
        return [StaffOwed.of(view) for view in views]

    @strawberry.field(description="The cars that your exits keep in, those that came first first.")
    async def standing_cars(self, info: Info) -> list[StaffStandingCar]:
        """Return the cars that wait."""
        staff = info.context.staff()
        cars = await standing_cars.list_waiting(
            info.context.parking, staff.operator_id, only=staff.places
        )
        return [StaffStandingCar.of(car, staff) for car in cars]

    @strawberry.field(description="Who was let out by whom, the newest first; at most 100.")
    async def exit_overrides(self, info: Info) -> list[StaffExitOverride]:
        """Return the audited exits."""
        staff = info.context.staff()
        rows = await standing_cars.list_overrides(
            info.context.parking, staff.operator_id, only=staff.places
        )
        return [StaffExitOverride.of(row) for row in rows]


@strawberry.type
class DeskMutations:
    """The writes of the desk."""

    take_cash = strawberry.mutation(
        take_cash,
        graphql_type=outcome_of(CashTaken, "TakeCashResult"),
        description="Write down that a bill was paid at your desk: one of yours, or one that is "
        "owed to a partner. A car that waits with it at the exit is let out. Repeating it takes "
        "the money once.",
    )
    write_off_bill = strawberry.mutation(
        write_off_bill,
        graphql_type=outcome_of(BillWrittenOff, "WriteOffBillResult"),
        description="Give up a bill that is owed. Its driver gets no more credit; a later payment "
        "is taken all the same. Your name is kept. Repeating it changes nothing.",
    )
    open_exit = strawberry.mutation(
        open_exit,
        graphql_type=outcome_of(ExitOpened, "OpenExitResult"),
        description="Let the car at an exit out, whatever it owes: that stays owed, and your name "
        "and reason are kept. Repeating it for the same car changes nothing.",
    )
