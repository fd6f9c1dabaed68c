"""Which of the driver's mandates is charged for a bill, and the charge that begins it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.kit.money import Money
from parking.lanes import repository as lanes
from parking.payments import mandate_charges
from parking.payments.choice import Occasion
from parking.payments.models import Bill, Mandate, PaymentAttempt
from parking.payments.port import ProviderTraits
from parking.places import service as places
from parking.sessions import repository as sessions
from parking.sessions.models import Session

# Of a bill that names no place and no zone.
DEFAULT_TIMEZONE = "UTC"


def traits_of(context: ParkingContext) -> Mapping[str, ProviderTraits]:
    """Return what the providers of this process can do, by name."""
    return {name: provider.traits for name, provider in context.providers.items()}


async def occasion_of(
    unit: UnitOfWork,
    bill: Bill,
    *,
    session: Session | None = None,
    is_waited_for: bool = True,
) -> Occasion:
    """Return what is to be charged for a bill, and where.

    Args:
        unit: The transaction.
        bill: What is to be paid.
        session: Its stay, where the caller has just read it.
        is_waited_for: Whether somebody waits for the outcome.
    """
    if session is None and bill.session_id is not None:
        session = await sessions.find_session(unit, bill.operator_id, bill.session_id)
    timezone = str(bill.basis.get("timezone", DEFAULT_TIMEZONE))
    place_id = bill.place_id if session is None else session.place_id
    if place_id is not None:
        timezone = (await places.require_place(unit, bill.operator_id, place_id)).timezone
    return Occasion(
        due=Money(bill.total_minor, bill.currency),
        timezone=timezone,
        plate_index=None if session is None else session.plate_index,
        is_waited_for=is_waited_for,
    )


async def find_mandates(
    context: ParkingContext, unit: UnitOfWork, bill: Bill, occasion: Occasion
) -> list[Mandate]:
    """Return the driver's mandates that may be charged, in order."""
    traits = traits_of(context)
    at_lane = await _at_lane(unit, bill, occasion, traits)
    found = await mandate_charges.choose_mandates(unit, bill, at_lane, traits, since=None)
    return [mandate for mandate, _ in found]


async def begin_charge(
    context: ParkingContext,
    unit: UnitOfWork,
    bill: Bill,
    occasion: Occasion,
    *,
    since: datetime | None = None,
) -> PaymentAttempt | None:
    """Store the charge of the first mandate that permits it; None where none does.

    The bill must be locked and have no payment under way.

    Raises:
        PaymentInProgressError: an earlier attempt is not settled.
    """
    traits = traits_of(context)
    occasion = await _at_lane(unit, bill, occasion, traits)
    found = await mandate_charges.choose_mandates(unit, bill, occasion, traits, since=since)
    for mandate, announced in found:
        attempt = await mandate_charges.begin_charge(
            unit, bill, mandate, occasion, traits[mandate.provider], announced
        )
        if attempt is not None:
            return attempt
    return None


async def _at_lane(
    unit: UnitOfWork, bill: Bill, occasion: Occasion, traits: Mapping[str, ProviderTraits]
) -> Occasion:
    """Say whether the car stands under an antenna now, where any provider asks for one."""
    is_asked = any(known.needs_antenna for known in traits.values())
    if not is_asked or bill.presentation_id is None:
        return occasion
    standing = await lanes.find_presentation(unit, bill.operator_id, bill.presentation_id)
    if standing is None or standing.cleared_at is not None:
        return occasion
    antenna = await places.antenna_above(unit, standing.operator_id, standing.lane_id)
    return replace(occasion, has_antenna=antenna is not None)
