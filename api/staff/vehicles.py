"""The operator's register of vehicles, which prices may depend on."""

from datetime import datetime
from typing import Annotated

import strawberry

from api.acting import Given, outcome_of
from api.config import PAGE_SIZE
from api.global_ids import decode_id, encode_id
from api.idempotency import by_staff, keyed
from api.request import Info
from api.types.page import PageInfo, require_page_size
from parking.kit.errors import InvalidInputError
from parking.plates import vehicles
from parking.plates.vehicles import RecordedVehicle, VehicleEntry

_CURSOR = "VehicleCursor"


@strawberry.type(description="What you know of a vehicle. Nobody else's gates see it.")
class Vehicle:
    """A record of the register."""

    plate: str = strawberry.field(description="In capitals, without separators.")
    vehicle_class: str = strawberry.field(
        description="`car`, `motorcycle`, `van`, `truck`, `bus` or `other`."
    )
    is_ev: bool = strawberry.field(
        description="As recorded; where it was left open, as the plate's format says."
    )
    is_resident: bool
    note: str
    valid_from: datetime
    valid_until: datetime | None
    recorded_by: str
    recorded_at: datetime

    @classmethod
    def of(cls, recorded: RecordedVehicle) -> "Vehicle":
        """Return the record for its operator's staff."""
        return cls(
            plate=recorded.plate,
            vehicle_class=recorded.vehicle_class,
            is_ev=recorded.is_ev,
            is_resident=recorded.is_resident,
            note=recorded.note,
            valid_from=recorded.valid_from,
            valid_until=recorded.valid_until,
            recorded_by=recorded.recorded_by,
            recorded_at=recorded.recorded_at,
        )


@strawberry.type(description="A page of the register.")
class VehiclePage:
    """A page of the register."""

    nodes: list[Vehicle]
    page_info: PageInfo


@strawberry.type(description="The vehicle is in the register as given.")
class VehicleRecorded:
    """The vehicle is recorded."""

    vehicle: Vehicle
    changed: bool = strawberry.field(description="False where it stood there just so before.")


@strawberry.type(description="The plate is not in the register.")
class VehicleForgotten:
    """The plate is not in the register."""

    plate: str
    was_recorded: bool


@strawberry.input
class RecordVehicleInput:
    """What is known of a vehicle; it replaces an earlier record of the plate."""

    plate: str
    vehicle_class: str = "car"
    is_ev: bool | None = strawberry.field(
        default=None, description="Null to go by what the plate's format says."
    )
    is_resident: bool = False
    note: str = ""
    valid_from: datetime | None = strawberry.field(
        default=None, description="Null for now, or for what an earlier record says."
    )
    valid_until: datetime | None = strawberry.field(default=None, description="Null for no end.")


@strawberry.input
class ForgetVehicleInput:
    """Which vehicle."""

    plate: str


@keyed(by_staff, at_once=True)
async def record_vehicle(
    info: Info, given: Annotated[RecordVehicleInput, Given]
) -> VehicleRecorded:
    """Record a vehicle."""
    staff = info.context.staff()
    entry = VehicleEntry(
        plate=given.plate,
        vehicle_class=given.vehicle_class,
        is_ev=given.is_ev,
        is_resident=given.is_resident,
        note=given.note,
        valid_from=_aware(given.valid_from, "valid_from"),
        valid_until=_aware(given.valid_until, "valid_until"),
    )
    async with info.context.parking.database.begin() as unit:
        changed = await vehicles.record_vehicles(unit, staff.operator_id, [entry], by=staff.name)
        recorded = await vehicles.find_vehicle(unit, staff.operator_id, given.plate)
    if recorded is None:
        raise InvalidInputError("plate", "one that nobody else is forgetting at this moment")
    return VehicleRecorded(vehicle=Vehicle.of(recorded), changed=changed == 1)


@keyed(by_staff, at_once=True)
async def forget_vehicle(
    info: Info, given: Annotated[ForgetVehicleInput, Given]
) -> VehicleForgotten:
    """Take a vehicle out of the register."""
    staff = info.context.staff()
    async with info.context.parking.database.begin() as unit:
        was_recorded = await vehicles.forget_vehicle(unit, staff.operator_id, given.plate)
    return VehicleForgotten(plate=given.plate, was_recorded=was_recorded)


@strawberry.type
class VehicleQueries:
    """The reads about vehicles."""

    @strawberry.field(description="The record of a plate; null where you have none.")
    async def vehicle(self, info: Info, plate: str) -> Vehicle | None:
        """Return one record."""
        operator_id = info.context.staff().operator_id
        async with info.context.parking.database.begin() as unit:
            recorded = await vehicles.find_vehicle(unit, operator_id, plate)
        return None if recorded is None else Vehicle.of(recorded)

    @strawberry.field(description="Your register, a page at a time, in no order of the plates.")
    async def vehicles(
        self, info: Info, first: int = PAGE_SIZE, after: str | None = None
    ) -> VehiclePage:
        """Return a page of the register."""
        operator_id = info.context.staff().operator_id
        require_page_size(first)
        key = None if after is None else decode_id(after, kind=_CURSOR, field="after")
        async with info.context.parking.database.begin() as unit:
            # One more than asked for tells whether there is a next page.
            found = await vehicles.list_vehicles(unit, operator_id, first=first + 1, after=key)
        page = found[:first]
        return VehiclePage(
            nodes=[Vehicle.of(recorded) for recorded in page],
            page_info=PageInfo.of(
                [encode_id(_CURSOR, recorded.plate_index) for recorded in page],
                has_more=len(found) > first,
                after=after,
            ),
        )


@strawberry.type
class VehicleMutations:
    """The writes about vehicles."""

    record_vehicle = strawberry.mutation(
        record_vehicle,
        graphql_type=outcome_of(VehicleRecorded, "RecordVehicleResult"),
        description="Record what you know of a vehicle; it counts from its next entry on. "
        "Repeating it changes nothing.",
    )
    forget_vehicle = strawberry.mutation(
        forget_vehicle,
        graphql_type=outcome_of(VehicleForgotten, "ForgetVehicleResult"),
        description="Take a vehicle out of your register; stays that have begun keep what was "
        "known at their entry. Repeating it changes nothing.",
    )


def _aware(value: datetime | None, field: str) -> datetime | None:
    if value is not None and value.tzinfo is None:
        raise InvalidInputError(field, "a time with its offset, such as 2026-01-31T00:00:00Z")
    return value
