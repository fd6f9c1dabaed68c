"""Answering offers, and reserving spaces."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from api.acting import Given, outcome_of
from api.global_ids import decode_keys
from api.idempotency import by_driver, keyed
from api.request import Info
from api.types.reservation import (
    OFFER_KIND,
    RESERVATION_KIND,
    RIGHT_POOL_KIND,
    ReservationNode,
    SpaceOfferNode,
)
from parking.flows.offers import offer_view, offering, reserving
from parking.offers.errors import OfferUnknownError, ReservationUnknownError


@strawberry.type(description="The space is yours.")
class SpaceReserved:
    """The space is the driver's."""

    reservation: ReservationNode


@strawberry.type(description="The reservation is cancelled.")
class ReservationCancelled:
    """The reservation is cancelled."""

    reservation: ReservationNode


@strawberry.type(description="The offer is declined.")
class OfferDeclined:
    """The offer is declined."""

    offer: SpaceOfferNode


@strawberry.input
class AcceptOfferInput:
    """Which offer to accept."""

    offer_id: strawberry.ID


@strawberry.input
class DeclineOfferInput:
    """Which offer to decline."""

    offer_id: strawberry.ID


@strawberry.input
class ReserveSpaceInput:
    """What to reserve."""

    pool_id: strawberry.ID = strawberry.field(description="From `reservablePools`.")
    starts_at: datetime = strawberry.field(description="With its offset; one that is past is now.")
    ends_at: datetime


@strawberry.input
class CancelReservationInput:
    """Which reservation to cancel."""

    reservation_id: strawberry.ID


@keyed(by_driver, at_once=True)
async def accept_offer(info: Info, given: Annotated[AcceptOfferInput, Given]) -> SpaceReserved:
    """Take an offer."""
    driver_id = await info.context.driver_id()
    operator_id, key = decode_keys(given.offer_id, kind=OFFER_KIND, count=2, field="offerId")
    row = await offering.accept(info.context.parking, driver_id, operator_id, key)
    return SpaceReserved(reservation=await _read(info, driver_id, operator_id, row.id))


@keyed(by_driver, at_once=True)
async def decline_offer(info: Info, given: Annotated[DeclineOfferInput, Given]) -> OfferDeclined:
    """Refuse an offer."""
    driver_id = await info.context.driver_id()
    operator_id, key = decode_keys(given.offer_id, kind=OFFER_KIND, count=2, field="offerId")
    await offering.decline(info.context.parking, driver_id, operator_id, key)
    view = await offer_view.find_offer(info.context.parking, driver_id, operator_id, key)
    if view is None:
        raise OfferUnknownError("offerId: expected an offer of yours")
    return OfferDeclined(offer=SpaceOfferNode.of(view))


@keyed(by_driver, at_once=True)
async def reserve_space(info: Info, given: Annotated[ReserveSpaceInput, Given]) -> SpaceReserved:
    """Reserve a space."""
    driver_id = await info.context.driver_id()
    operator_id, key = decode_keys(given.pool_id, kind=RIGHT_POOL_KIND, count=2, field="poolId")
    row = await reserving.reserve(
        info.context.parking,
        driver_id,
        operator_id,
        key,
        starts_at=given.starts_at,
        ends_at=given.ends_at,
    )
    return SpaceReserved(reservation=await _read(info, driver_id, operator_id, row.id))


@keyed(by_driver, at_once=True)
async def cancel_reservation(
    info: Info, given: Annotated[CancelReservationInput, Given]
) -> ReservationCancelled:
    """Give a reservation back."""
    driver_id = await info.context.driver_id()
    operator_id, key = decode_keys(
        given.reservation_id, kind=RESERVATION_KIND, count=2, field="reservationId"
    )
    await reserving.cancel(info.context.parking, driver_id, operator_id, key)
    return ReservationCancelled(reservation=await _read(info, driver_id, operator_id, key))


@strawberry.type
class ReservationMutations:
    """The mutations of this module."""

    accept_offer = strawberry.mutation(
        accept_offer,
        graphql_type=outcome_of(SpaceReserved, "AcceptOfferResult"),
        description="Take an offered space. Repeating it answers with the same reservation. "
        "Refusals: `OFFER_UNKNOWN`, `OFFER_CLOSED`, `NO_SPACE_LEFT` where others were first.",
    )
    decline_offer = strawberry.mutation(
        decline_offer,
        graphql_type=outcome_of(OfferDeclined, "DeclineOfferResult"),
        description="Refuse an offered space, so that somebody else may have it. Repeating it "
        "changes nothing. Refusals: `OFFER_UNKNOWN`, `OFFER_CLOSED`.",
    )
    reserve_space = strawberry.mutation(
        reserve_space,
        graphql_type=outcome_of(SpaceReserved, "ReserveSpaceResult"),
        description="Reserve a space for a window, free of charge. Give an `idempotencyKey`: "
        "without one, repeating it reserves another. Refusals: `NO_SPACE_LEFT`, "
        "`RIGHT_POOL_UNKNOWN`, `TOO_MANY_RESERVATIONS`.",
    )
    cancel_reservation = strawberry.mutation(
        cancel_reservation,
        graphql_type=outcome_of(ReservationCancelled, "CancelReservationResult"),
        description="Give a reservation back before its deadline. Repeating it changes nothing. "
        "Refusals: `RESERVATION_UNKNOWN`, `RESERVATION_CLOSED`.",
    )


async def _read(info: Info, driver_id: UUID, operator_id: UUID, key: UUID) -> ReservationNode:
    view = await offer_view.find_reservation(info.context.parking, driver_id, operator_id, key)
    if view is None:
        raise ReservationUnknownError("reservationId: expected one of yours")
    return ReservationNode.of(view)
