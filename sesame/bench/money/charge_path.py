"""What it costs us to charge a bill: time and round trips, without the provider's time."""

import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from rich.console import Console

from parking.drivers.models import Driver
from parking.flows.bills import live_bill
from parking.flows.bills.billing import current_bill
from parking.flows.context import ParkingContext
from parking.flows.payments import charging, mandates
from parking.flows.payments.notices import receive_agreement
from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id
from parking.payments import repository
from parking.payments.fake import FakeProvider
from parking.payments.mandate_models import StayAnnouncement
from parking.payments.models import AttemptState
from parking.payments.port import ChargeOrder, ChargeResult
from parking.places import service as places
from parking.sessions import service as sessions
from parking.tariffs import service as tariffs
from sesame.bench.errors import BenchFailedError
from sesame.bench.figures import Spread, spread
from sesame.bench.installation import BenchServers, Migrate, servers_alone
from sesame.bench.machine import Machine, this_machine
from sesame.bench.money.round_trips import RoundTripCounter
from sesame.bench.raw_limit import measure_row_commit
from sesame.bench.town import CURRENCY, RATE_TABLE, STAYED
from sesame.wiring import open_context

# What charging a bill may take of our own time, and of PostgreSQL's patience.
TARGET_P50_MS: Final = 10.0
TARGET_ROUND_TRIPS: Final = 4
CHARGES: Final = 200
COUNTED: Final = 20
# Pools, statement caches and the interpreter's own fill with the first ones.
WARM_UP: Final = 30
CONNECTIONS_MAX: Final = 1


@dataclass(frozen=True, slots=True)
class ChargePath:
    """The cost of a charge.

    Attributes:
        without_provider_ms: From the standing bill to its outcome in the books and the ledger.
        provider_ms: What the provider, in this process and at once, took of it.
        round_trips: The most that one charge took.
    """

    charges: int
    without_provider_ms: Spread
    provider_ms: Spread
    round_trips: int

    @property
    def meets_target(self) -> bool:
        """Whether the promise holds."""
        return (
            self.without_provider_ms.p50 <= TARGET_P50_MS and self.round_trips <= TARGET_ROUND_TRIPS
        )

    def to_json(self) -> dict[str, Any]:
        """Return the figures."""
        return {
            "charges": self.charges,
            "without_provider_ms": self.without_provider_ms.to_json(),
            "provider_ms": self.provider_ms.to_json(),
            "round_trips": self.round_trips,
            "target": {"p50_ms": TARGET_P50_MS, "round_trips": TARGET_ROUND_TRIPS},
            "meets_target": self.meets_target,
        }


class _TimedProvider(FakeProvider):
    """Answers at once, and says how long that took."""

    taken_ms = 0.0

    async def charge(self, order: ChargeOrder) -> ChargeResult:
        started_s = time.perf_counter()
        try:
            return await super().charge(order)
        finally:
            self.taken_ms += (time.perf_counter() - started_s) * 1000


async def measure_charge_path(servers: BenchServers, charges: int = CHARGES) -> ChargePath:
    """Charge bills one after the other, timed; then some more through a relay, counted.

    The machine should do nothing else: the times are of the wall clock.

    Raises:
        BenchFailedError: a charge did not come out paid.
    """
    taken_ms: list[float] = []
    provider_ms: list[float] = []

    async def timed(charge: Callable[[], Awaitable[object]], provider: _TimedProvider) -> None:
        before_ms, started_s = provider.taken_ms, time.perf_counter()
        await charge()
        spent_ms = (time.perf_counter() - started_s) * 1000
        provider_ms.append(provider.taken_ms - before_ms)
        taken_ms.append(spent_ms - provider_ms[-1])

    await _charge_all(servers.database_url, servers, charges, timed)
    without, provided = spread(taken_ms), spread(provider_ms)
    if without is None or provided is None:
        raise ValueError("charges: expected at least one")
    return ChargePath(charges, without, provided, await count_round_trips(servers))


async def count_round_trips(servers: BenchServers) -> int:
    """Return the most round trips that one charge of a warm process takes."""
    counts: list[int] = []
    async with RoundTripCounter(servers.database_url) as relay:

        async def counted(
            charge: Callable[[], Awaitable[object]], _provider: _TimedProvider
        ) -> None:
            before = relay.count
            await charge()
            counts.append(relay.count - before)

        await _charge_all(relay.url, servers, COUNTED, counted)
    return max(counts)


Measured = Callable[[Callable[[], Awaitable[object]], _TimedProvider], Awaitable[None]]


async def _charge_all(
    database_url: str, servers: BenchServers, charges: int, measured: Measured
) -> None:
    settings = servers.settings.model_copy(update={"database_url": database_url})
    async with open_context(settings, connections_max=CONNECTIONS_MAX) as opened:
        provider = _TimedProvider(opened.clock)
        context = replace(
            opened, providers={provider.name: provider}, checkout_provider=provider.name
        )
        operator_id, bills = await _issue_bills(context, provider, WARM_UP + charges)
        for bill_id in bills[:WARM_UP]:
            await charging.charge_bill(context, operator_id, bill_id)
        for bill_id in bills[WARM_UP:]:
            await measured(
                lambda bill_id=bill_id: charging.charge_bill(context, operator_id, bill_id),
                provider,
            )
        await _require_paid(context, operator_id, bills)


async def _issue_bills(
    context: ParkingContext, provider: FakeProvider, bills_wanted: int
) -> tuple[UUID, Sequence[UUID]]:
    """Make a driver with a mandate whose cars owe so many bills, each of a stay of its own."""
    async with context.database.begin() as unit:
        driver_id = new_id(unit.now())
        unit.session.add(Driver(id=driver_id, created_at=unit.now()))
        operator_id = places.add_operator(unit, "Bench Parking").id
        await unit.session.flush()
        place = places.add_place(
            unit,
            operator_id,
            name="Bench",
            timezone=RATE_TABLE["timezone"],
            currency=CURRENCY,
        )
        await unit.session.flush()
        area = places.add_area(unit, place, name="B1", supply=1)
        await unit.session.flush()
        table = await tariffs.publish(
            unit, operator_id, place.id, currency=CURRENCY, body=RATE_TABLE
        )
    mandate = await mandates.authorize(context, driver_id)
    reference = f"agr_{mandate.id.hex}"
    provider.confirm(reference)
    await receive_agreement(context, provider.name, await provider.query_agreement(reference))
    digest = mandate.terms.digest(context.vault, "en")
    await mandates.confirm(context, driver_id, mandate.id, digest)
    async with context.database.begin() as unit:
        arrivals = [
            sessions.Arrival(
                operator_id=operator_id,
                place_id=place.id,
                area_id=area.id,
                presentation_id=new_id(unit.now()),
                plate_index=new_id(unit.now()),
                plate_text=f"京B{number:05d}",
                driver_id=driver_id,
                rate_table_id=table.id,
                entered_at=unit.now() - STAYED,
            )
            for number in range(bills_wanted)
        ]
        # The provider was told of each car when it entered: the charge takes what that gave.
        told = {"provider": provider.name, "driver_id": driver_id, "mandate_id": mandate.id}
        return operator_id, [await _owe(unit, arrival, told) for arrival in arrivals]


async def _owe(unit: UnitOfWork, arrival: sessions.Arrival, told: dict[str, Any]) -> UUID:
    session = await sessions.begin(unit, arrival)
    unit.session.add(
        StayAnnouncement(
            operator_id=session.operator_id,
            session_id=session.id,
            reference=f"stay_{session.id.hex}",
            **told,
        )
    )
    live = await live_bill.compute(unit, session, unit.now())
    return (await current_bill(unit, session, live, None)).id


async def _require_paid(context: ParkingContext, operator_id: UUID, bills: Sequence[UUID]) -> None:
    async with context.database.begin() as unit:
        for bill_id in bills:
            attempts = await repository.find_attempts(unit, operator_id, bill_id)
            if [attempt.state for attempt in attempts] != [AttemptState.SUCCEEDED]:
                raise BenchFailedError(f"bill {bill_id}: expected one charge, which succeeded")
            if attempts[0].stay_reference is None:
                raise BenchFailedError(f"bill {bill_id}: expected the entry to be used")


@dataclass(frozen=True, slots=True)
class ChargeReport:
    """The bench `charge`.

    Attributes:
        commit: One small row, inserted and committed: what no charge can do without, twice.
    """

    machine: Machine
    path: ChargePath
    commit: Spread
    seconds: float

    @property
    def is_right(self) -> bool:
        """Always: a charge that did not come out paid has raised."""
        return True

    def to_json(self) -> dict[str, Any]:
        """Return the report as one object."""
        return {
            "bench": "charge",
            "is_right": self.is_right,
            "machine": asdict(self.machine),
            "charge_path": self.path.to_json(),
            "row_commit_ms": self.commit.to_json(),
            "seconds": round(self.seconds, 1),
        }


async def measure_charge(
    folder: Path | None, migrate: Migrate, on_step: Callable[[str], None]
) -> ChargeReport:
    """Run the bench on servers of its own.

    Raises:
        ParkingError: a server does not start, or a charge did not come out paid.
    """
    started_s = time.monotonic()
    machine = this_machine(folder or Path(tempfile.gettempdir()))
    async with servers_alone(folder, migrate=migrate, on_step=on_step) as servers:
        on_step(f"{CHARGES} charges, one after the other")
        commit = await measure_row_commit(servers.database_url)
        path = await measure_charge_path(servers)
    return ChargeReport(machine, path, commit, time.monotonic() - started_s)


def print_charge_path(path: ChargePath, commit: Spread, console: Console) -> None:
    """Print what a person wants to know."""
    without = path.without_provider_ms
    word = "[green]met[/green]" if path.meets_target else "[red]missed[/red]"
    console.print(
        f"a charge without the provider's time: p50 {without.p50:.1f} ms, p99 {without.p99:.1f} "
        f"ms, {path.round_trips} round trips to PostgreSQL; p50 {TARGET_P50_MS:g} ms and "
        f"{TARGET_ROUND_TRIPS} round trips {word}"
    )
    console.print(
        f"{path.charges} charges; a small row's commit takes {commit.p50:.1f} ms here, so that "
        f"the path is {without.p50 / (2 * commit.p50):.1f} times two of them"
    )
