"""Who a gate is, for the bridge that lets it in, for the API that enrols it, and for staff."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from parking.drivers.errors import TooManyRequestsError
from parking.drivers.repository import count_request
from parking.drivers.rules import address_group
from parking.events.pokes import GATES_CHANNEL, Poke
from parking.flows.context import ParkingContext
from parking.flows.lane_types import Direction, Lane
from parking.gates import service as gates
from parking.gates.authority import GateAuthority, GateName
from parking.gates.errors import CertificateRefusedError
from parking.gates.models import GateCertificate
from parking.gates.requests import read_request
from parking.gates.rules import ENROLMENT_PERIOD
from parking.gates.service import OpenedEnrolment, Revocation
from parking.gates.shown import ShownCertificate
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import new_id
from parking.places import repository as place_rows
from parking.places.models import AccessLane

REVOKED: Final = "GateRevoked"
"""Type of the poke that makes every bridge look at the certificates of its connections."""

# A token cannot be guessed; this bounds what a stranger's requests may cost us.
ENROLMENTS_PER_ADDRESS_MAX: Final = 120
_ADDRESS_KIND: Final = "address.gate_enrolments"


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A gate's certificate, and what to trust; all in PEM."""

    certificate: str
    authority: str
    not_after: datetime


class GateIdentityFlows:
    """What the bridge asks about certificates."""

    def __init__(self, context: ParkingContext) -> None:
        self._context = context

    async def trusted(self) -> str:
        """Return the authorities' certificates in PEM."""
        async with self._context.database.begin() as unit:
            return (await _authority(self._context, unit)).trusted_pem()

    async def admit(self, shown: ShownCertificate) -> Lane:
        """Return the lane whose gate shows a certificate; raises as `gates.service.admit`."""
        async with self._context.database.begin() as unit:
            row = await gates.admit(unit, shown)
            lane = await place_rows.find_lane(unit, row.operator_id, row.lane_id)
        if lane is None:
            raise CertificateRefusedError("lane_unknown")
        return Lane(
            lane.operator_id,
            lane.place_id,
            lane.id,
            lane.area_id,
            Direction(lane.direction),
            lane.name,
        )

    async def renew(self, shown: ShownCertificate, request: bytes) -> IssuedCertificate:
        """Return the certificate that follows the shown one; raises as `gates.service.renew`."""
        key = read_request(request)
        async with self._context.database.begin() as unit:
            authority = await _authority(self._context, unit)
            return _issued(authority, await gates.renew(unit, authority, shown, key))

    async def standing(self, shown: Collection[ShownCertificate]) -> set[ShownCertificate]:
        """Return which of the certificates are known, and not revoked."""
        async with self._context.database.begin() as unit:
            return await gates.find_standing(unit, shown)


async def open_enrolment(
    context: ParkingContext, lane_id: UUID, by: str, period: timedelta = ENROLMENT_PERIOD
) -> OpenedEnrolment:
    """Return a one-time token for a lane's gate; for who runs the installation.

    Raises:
        InvalidInputError: there is no such lane, or `by` or `period` is none.
        TooManyEnrolmentsError: the lane has too many open.
    """
    async with context.database.begin() as unit:
        lane = await _lane_anywhere(unit, lane_id)
        return await gates.open_enrolment(unit, GateName(lane.operator_id, lane.id), by, period)


async def enrol(
    context: ParkingContext, lane_id: UUID, token: str, request: bytes, client_address: str
) -> IssuedCertificate:
    """Return the certificate that a token brings.

    Raises:
        TooManyRequestsError: the address asked too often.
        InvalidInputError: the request for a certificate cannot be taken.
        EnrolmentRefusedError: whatever is wrong with the token.
        TooManyCertificatesError: the lane got too many lately.
    """
    # Counted in a transaction of its own, so that refused requests count.
    async with context.database.begin() as unit:
        index = unit.vault.blind_index(_ADDRESS_KIND, address_group(client_address))
        requests, ends_at = await count_request(unit, index)
        retry_after_s = max(1, int((ends_at - unit.now()).total_seconds()))
    if requests > ENROLMENTS_PER_ADDRESS_MAX:
        raise TooManyRequestsError(retry_after_s)
    key = read_request(request)
    async with context.database.begin() as unit:
        authority = await _authority(context, unit)
        return _issued(authority, await gates.enrol(unit, authority, lane_id, token, key))


async def revoke_lane(context: ParkingContext, lane_id: UUID, by: str, reason: str) -> Revocation:
    """Revoke a lane's certificates and unused tokens; open connections end.

    Raises:
        InvalidInputError: there is no such lane, or `by` or `reason` is none.
    """
    async with context.database.begin() as unit:
        lane = await _lane_anywhere(unit, lane_id)
        name = GateName(lane.operator_id, lane.id)
        revoked = await gates.revoke_lane(unit, name, by, reason)
    await _tell_bridges(context)
    return revoked


async def revoke_serial(context: ParkingContext, serial: UUID, by: str, reason: str) -> Revocation:
    """Revoke one certificate and what was renewed from it; open connections end.

    Raises:
        InvalidInputError: there is no such certificate, or `by` or `reason` is none.
    """
    async with context.database.begin() as unit:
        revoked = await gates.revoke_serial(unit, serial, by, reason)
    await _tell_bridges(context)
    return revoked


async def certificates(context: ParkingContext, lane_id: UUID | None) -> list[GateCertificate]:
    """Return the certificates of a lane, or of all, newest first.

    Raises:
        InvalidInputError: there is no such lane.
    """
    async with context.database.begin() as unit:
        name = None
        if lane_id is not None:
            lane = await _lane_anywhere(unit, lane_id)
            name = GateName(lane.operator_id, lane.id)
        return list(await gates.list_certificates(unit, name))


async def authority(context: ParkingContext) -> GateAuthority:
    """Return what signs the certificates of this installation's gates."""
    async with context.database.begin() as unit:
        return await _authority(context, unit)


async def _authority(context: ParkingContext, unit: UnitOfWork) -> GateAuthority:
    return context.gate_authority or await gates.own_authority(unit)


async def _lane_anywhere(unit: UnitOfWork, lane_id: UUID) -> AccessLane:
    lane = await place_rows.find_lane_anywhere(unit, lane_id)
    if lane is None:
        raise InvalidInputError("lane", "the id of a lane")
    return lane


async def _tell_bridges(context: ParkingContext) -> None:
    # After the commit, and only to be fast: every bridge looks by itself, too.
    poke = Poke(new_id(context.clock.now()), REVOKED)
    await context.bus.publish([(GATES_CHANNEL, poke)])


def _issued(authority: GateAuthority, row: GateCertificate) -> IssuedCertificate:
    return IssuedCertificate(row.certificate, authority.trusted_pem(), row.not_after)
