"""What is owed, as its driver, whoever stands at the exit with the car, and staff see it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.flows.pay_link import pay_url, read_pay_token
from parking.flows.payments import checkout, cross_place
from parking.flows.payments.cross_place import Debt
from parking.flows.payments.visitor import ANYONE, Visitor
from parking.flows.place_view import PlaceView
from parking.kit.crypto import Vault, same_digest
from parking.kit.database import UnitOfWork
from parking.kit.money import Money
from parking.payments import owing, partners
from parking.payments.credit_models import OwedBill
from parking.payments.errors import BillUnknownError, NothingDueError
from parking.places import repository as place_rows
from parking.plates import service as plates
from parking.sessions import repository as sessions
from parking.sessions.models import Session

_KEY_BYTES = 12
_KIND = "owed_link"
BY_PAGE = "pay page"


@dataclass(frozen=True, slots=True)
class OwedView:
    """A bill whose car left unpaid.

    Attributes:
        is_being_paid: Whether a payment of it is under way, or a partner collects it.
        next_try_at: When it is collected by itself; None for never.
    """

    operator_id: UUID
    operator_name: str
    bill_id: UUID
    session_id: UUID
    place: PlaceView | None
    amount: Money
    owed_at: datetime
    tries: int
    next_try_at: datetime | None
    is_being_paid: bool


async def of_driver(context: ParkingContext, driver_id: UUID) -> list[OwedView]:
    """Return what a driver owes anywhere, the oldest first; at most OWED_MAX."""
    async with context.database.begin() as unit:
        return await _views(unit, await owing.of_driver(unit, driver_id))


async def given_up(
    context: ParkingContext, operator_id: UUID, *, places: Collection[UUID] | None = None
) -> list[OwedView]:
    """Return what is owed to an operator, at `places` only, and no longer collected by itself."""
    async with context.database.begin() as unit:
        return await _views(unit, await owing.given_up(unit, operator_id, places))


async def of_plate(
    context: ParkingContext,
    operator_id: UUID,
    plate: str,
    *,
    places: Collection[UUID] | None = None,
) -> list[OwedView]:
    """Return what a car owes to an operator and its partners: for their desks.

    With `places`, only what it owes at these.
    """
    index = plates.plate_index(context.vault, plate)
    async with context.database.begin() as unit:
        known = [operator_id, *await partners.active_partners(unit, operator_id)]
        listed = await owing.of_plate(unit, index, known)
        if places is not None:
            listed = [
                one for one in listed if one.operator_id == operator_id and one.place_id in places
            ]
        return await _views(unit, listed)


async def of_car(context: ParkingContext, token: str) -> list[OwedView]:
    """Return what the car of a bill's page owes besides, while it is here.

    Never what another driver of the same plate owes: a plate says nothing about its owner.

    Raises:
        BillUnknownError: the token is not one of ours.
    """
    operator_id, session_id = read_pay_token(context.vault, token)
    async with context.database.begin() as unit:
        return await _views(unit, await _of_stay(unit, operator_id, session_id))


async def pay_for_car(context: ParkingContext, token: str, key: str, visitor: Visitor) -> str:
    """Return the provider's page for one of the amounts on a bill's page.

    Inside a provider's app it is the page for everyone: only the bill's own hands over to the app.

    Raises:
        BillUnknownError: the token is not one of ours.
        NothingDueError: the car owes no such amount any more.
        PaymentInProgressError: it is being paid in another way.
        PaymentUnavailableError: the provider opened no page.
    """
    operator_id, session_id = read_pay_token(context.vault, token)
    async with context.database.begin() as unit:
        listed = await _of_stay(unit, operator_id, session_id)
        session = await sessions.find_session(unit, operator_id, session_id)
    chosen = next((one for one in listed if same_key(context.vault, token, one.id, key)), None)
    if chosen is None or session is None:
        raise NothingDueError("owed: nothing of that is due any more")
    return_url = pay_url(context, operator_id, session_id)
    outside = visitor if visitor.app is None else ANYONE
    if chosen.operator_id == operator_id:
        return await checkout.open_bill_page(context, operator_id, chosen.id, return_url, outside)
    debt = Debt(chosen.operator_id, chosen.id, operator_id, session.place_id, BY_PAGE)
    paid = await cross_place.by_page(context, debt, return_url, outside)
    return paid.checkout_url or return_url


def owed_key(vault: Vault, token: str, bill_id: UUID) -> str:
    """Return what a bill's page calls an amount: of no use on any other page."""
    return vault.digest(_KIND, f"{token}|{bill_id.hex}")[:_KEY_BYTES].hex()


def same_key(vault: Vault, token: str, bill_id: UUID, key: str) -> bool:
    """Return whether a page's key names this amount."""
    return same_digest(owed_key(vault, token, bill_id).encode(), key.encode())


async def _of_stay(unit: UnitOfWork, operator_id: UUID, session_id: UUID) -> list[OwedBill]:
    session = await sessions.find_session(unit, operator_id, session_id)
    if session is None:
        raise BillUnknownError("token: expected the address on the lane's display")
    if session.left_at is not None:
        return []
    place = await place_rows.find_place(unit, operator_id, session.place_id)
    known = [operator_id, *await partners.active_partners(unit, operator_id)]
    listed = await owing.of_plate(unit, session.plate_index, known)
    return [
        one
        for one in listed
        if _is_shown(one, session) and place is not None and one.currency == place.currency
    ]


def _is_shown(listed: OwedBill, session: Session) -> bool:
    return listed.driver_id is None or listed.driver_id == session.driver_id


async def _views(unit: UnitOfWork, listed: Sequence[OwedBill]) -> list[OwedView]:
    if not listed:
        return []
    grounds = await place_rows.find_places(
        unit, {(one.operator_id, one.place_id) for one in listed}
    )
    names = await _names(unit, {one.operator_id for one in listed})
    busy = await owing.busy(unit, listed)
    views: list[OwedView] = []
    for one in listed:
        place = grounds.get((one.operator_id, one.place_id))
        views.append(
            OwedView(
                operator_id=one.operator_id,
                operator_name=names.get(one.operator_id, ""),
                bill_id=one.id,
                session_id=one.session_id,
                place=None
                if place is None
                else PlaceView(
                    place.operator_id, place.id, place.name, place.timezone, place.currency
                ),
                amount=Money(one.amount_minor, one.currency),
                owed_at=one.owed_at,
                tries=one.tries,
                next_try_at=one.next_try_at,
                is_being_paid=one.id in busy,
            )
        )
    return views


async def _names(unit: UnitOfWork, operator_ids: Collection[UUID]) -> dict[UUID, str]:
    found = [await place_rows.find_operator(unit, operator_id) for operator_id in operator_ids]
    return {operator.id: operator.name for operator in found if operator is not None}
