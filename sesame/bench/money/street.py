"""Ground for the chaos: places of two operators, drivers of every kind, and cars inside."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Final
from uuid import UUID

import httpx

from parking.drivers import stays
from parking.drivers.models import Driver
from parking.flows.context import ParkingContext
from parking.flows.payments import credit_terms, mandates
from parking.flows.payments.credit_terms import NewPolicy
from parking.flows.payments.mandates import Wish
from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id
from parking.payments.credit_models import CreditRequirement
from parking.places import service as places
from parking.places.models import Direction
from parking.plates import service as plates
from parking.sessions import service as sessions
from parking.tariffs import service as tariffs
from sesame.bench.errors import BenchFailedError
from sesame.bench.money.payers import press
from sesame.bench.town import CURRENCY, PAGE_TIMEOUT_S, RATE_TABLE, STAFF, STAYED

# Banks are debited in euros, at an operator of their own.
BANK_CURRENCY: Final = "EUR"
LANES_EACH: Final = 2
# Of ten cars, so many belong to drivers who allowed charges; the others are nobody's.
BOUND_OF_TEN: Final = 7
MANDATES_EACH: Final = 2
CREDIT_MINOR: Final = 6_000
AT_ONCE_MAX: Final = 6
LANGUAGE: Final = "en"


@dataclass(frozen=True, slots=True)
class Gate:
    """An exit lane and the token of its agent."""

    operator_id: UUID
    place_id: UUID
    lane_id: UUID
    token: str


@dataclass(frozen=True, slots=True)
class Owner:
    """A driver with one car."""

    driver_id: UUID
    plate: str
    plate_index: UUID


@dataclass(frozen=True, slots=True)
class Parked:
    """A car inside.

    Attributes:
        owner: None for one that nobody's app knows.
        pays_before: Whether somebody pays before it comes to the exit.
    """

    gate: Gate
    plate: str
    owner: Owner | None
    session_id: UUID
    pays_before: bool


@dataclass(frozen=True, slots=True)
class Street:
    """All that there is."""

    operators: tuple[UUID, ...]
    gates: tuple[Gate, ...]
    parked: tuple[Parked, ...]


@dataclass(frozen=True, slots=True)
class _Site:
    operator_id: UUID
    place_id: UUID
    area_id: UUID
    rate_table_id: UUID
    gates: tuple[Gate, ...]


async def furnish(context: ParkingContext, exits: int, places_wanted: int) -> Street:
    """Make the places, the drivers with their permissions, and the stays, in the order to leave."""
    currencies = _currencies(context)
    operators = [await _add_operator(context, currency) for currency in currencies]
    owners_of_sites = cycle(zip(operators, currencies, strict=True))
    sites = [
        await _add_site(context, number, *next(owners_of_sites)) for number in range(places_wanted)
    ]
    bound = exits * BOUND_OF_TEN // 10
    owners = await _add_owners(context, -(-bound // len(sites)))
    parked: list[Parked] = []
    for number in range(exits):
        site = sites[number % len(sites)]
        round_ = number // len(sites)
        owner = owners[round_] if round_ < len(owners) else None
        plate = f"京C{number:05d}" if owner is None else owner.plate
        parked.append(await _park(context, site, number, owner, plate))
    # Drivers and strangers come mixed, and neighbours leave by different places.
    order = sorted(range(exits), key=lambda number: (number // len(sites)) * 7 % 10)
    return Street(
        tuple(operators),
        tuple(gate for site in sites for gate in site.gates),
        tuple(parked[number] for number in order),
    )


def _currencies(context: ParkingContext) -> list[str]:
    """Return each operator's; euros only where cars without a driver can pay them too."""
    traits = [provider.traits for provider in context.providers.values()]
    has_bank = any(BANK_CURRENCY in each.currencies for each in traits)
    has_page = any(each.has_checkout and not each.currencies for each in traits)
    return [CURRENCY, CURRENCY, *([BANK_CURRENCY] if has_bank and has_page else [])]


async def _add_operator(context: ParkingContext, currency: str) -> UUID:
    async with context.database.begin() as unit:
        operator_id = places.add_operator(unit, f"Bench Parking {currency}").id
    policy = NewPolicy(
        currency=currency,
        is_open=True,
        requirement=CreditRequirement.MANDATE,
        first_minor=CREDIT_MINOR,
        step_bills=3,
        step_minor=CREDIT_MINOR,
        most_minor=5 * CREDIT_MINOR,
        history_bills=3,
        arrears_days=7,
    )
    await credit_terms.set_policy(context, operator_id, policy, by=STAFF)
    return operator_id


async def _add_site(
    context: ParkingContext, number: int, operator_id: UUID, currency: str
) -> _Site:
    async with context.database.begin() as unit:
        place = places.add_place(
            unit,
            operator_id,
            name=f"Place {number + 1}",
            timezone=RATE_TABLE["timezone"],
            currency=currency,
        )
        await unit.session.flush()
        area = places.add_area(unit, place, name="B1", supply=1)
        await unit.session.flush()
        made = [
            places.add_lane(unit, area, name=f"Exit {lane + 1}", direction=Direction.EXIT)
            for lane in range(LANES_EACH)
        ]
        await unit.session.flush()
        for new in made:
            await places.set_antenna(unit, operator_id, new.lane.id, f"antenna-{new.lane.id.hex}")
        body = RATE_TABLE | {"currency": currency}
        table = await tariffs.publish(unit, operator_id, place.id, currency=currency, body=body)
    gates = tuple(Gate(operator_id, place.id, new.lane.id, new.device_token) for new in made)
    return _Site(operator_id, place.id, area.id, table.id, gates)


async def _add_owners(context: ParkingContext, count: int) -> list[Owner]:
    usable = [
        name for name, provider in context.providers.items() if provider.traits.has_agreements
    ]
    limit = asyncio.Semaphore(AT_ONCE_MAX)

    async def add(number: int, client: httpx.AsyncClient) -> Owner:
        names = [usable[(number + step) % len(usable)] for step in range(MANDATES_EACH)]
        async with limit:
            return await _add_owner(context, client, number, tuple(dict.fromkeys(names)))

    async with (
        httpx.AsyncClient(timeout=PAGE_TIMEOUT_S, trust_env=False) as client,
        asyncio.TaskGroup() as group,
    ):
        tasks = [group.create_task(add(number, client)) for number in range(count)]
    # Their confirmations come as notices; those that did not are asked about.
    await mandates.sweep(context)
    return [task.result() for task in tasks]


async def _add_owner(
    context: ParkingContext, client: httpx.AsyncClient, number: int, providers: Sequence[str]
) -> Owner:
    plate = f"京B{number:05d}"
    async with context.database.begin() as unit:
        driver = Driver(id=new_id(unit.now()), created_at=unit.now())
        unit.session.add(driver)
        claim = await plates.claim_plate(unit, driver.id, plate)
        bound = await plates.approve_claim(
            unit, claim.plate_index, claim.claim_id, staff_name=STAFF
        )
    for name in providers:
        await _permit(context, client, driver.id, name, bound.binding_id)
    return Owner(driver.id, plate, claim.plate_index)


async def _permit(
    context: ParkingContext,
    client: httpx.AsyncClient,
    driver_id: UUID,
    provider: str,
    binding_id: UUID,
) -> None:
    """Allow charges as a driver does: our terms here, and the provider's own page there."""
    traits = context.provider(provider).traits
    wish = Wish(
        provider=provider,
        binding_id=binding_id if traits.needs_plate else None,
        payer_id=f"o{driver_id.hex[-20:]}" if traits.needs_payer else None,
    )
    view = await mandates.authorize(context, driver_id, wish)
    digest = view.terms.digest(context.vault, LANGUAGE)
    await mandates.confirm(context, driver_id, view.id, digest)
    if view.confirmation_url is None:
        raise BenchFailedError(f"{provider} opened no page for the permission")
    await press(client, view.confirmation_url)


async def _park(
    context: ParkingContext, site: _Site, number: int, owner: Owner | None, plate: str
) -> Parked:
    async with context.database.begin() as unit:
        session_id = await _enter(unit, site, owner, plate)
    # Every other car of a place leaves by its other lane.
    gate = site.gates[(number // LANES_EACH) % len(site.gates)]
    return Parked(gate, plate, owner, session_id, pays_before=number % 6 == 0)


async def _enter(unit: UnitOfWork, site: _Site, owner: Owner | None, plate: str) -> UUID:
    entered_at = unit.now() - STAYED
    session = await sessions.begin(
        unit,
        sessions.Arrival(
            operator_id=site.operator_id,
            place_id=site.place_id,
            area_id=site.area_id,
            # Of this moment: there may be no partition for an id of last month.
            presentation_id=new_id(unit.now()),
            plate_index=plates.plate_index(unit.vault, plate),
            plate_text=plate,
            driver_id=None if owner is None else owner.driver_id,
            rate_table_id=site.rate_table_id,
            entered_at=entered_at,
        ),
    )
    if owner is not None:
        await stays.begin_stay(
            unit,
            owner.driver_id,
            operator_id=site.operator_id,
            session_id=session.id,
            entered_at=entered_at,
        )
    return session.id
