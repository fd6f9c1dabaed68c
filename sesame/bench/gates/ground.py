"""Ground for a fleet: places with entry lanes, each with a token and a certificate of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec

from parking.flows.context import ParkingContext
from parking.gates import service as gates
from parking.gates.authority import GateName, issue_gate, issue_server, pem_of, private_pem
from parking.gates.models import GateCertificate
from parking.gates.requests import key_digest
from parking.kit.database import UnitOfWork
from parking.places import service as places
from parking.places.models import Direction
from parking.tariffs import service as tariffs
from sesame.bench.town import CURRENCY, RATE_TABLE

LANES_PER_PLACE: Final = 50
# Twice the cars that gates taken at random bring, and some.
SUPPLY_MIN: Final = 100


@dataclass(frozen=True, slots=True)
class FleetLane:
    """A lane and what its gate proves itself with."""

    operator_id: UUID
    lane_id: UUID
    token: str


@dataclass(frozen=True, slots=True)
class FleetTls:
    """The files of an installation's authority; all gates of the bench share one key.

    Attributes:
        certificates: By lane.
    """

    authority: Path
    key: Path
    server: Path
    server_key: Path
    certificates: dict[UUID, Path]


async def furnish_fleet(
    context: ParkingContext, count: int, cars: int, on_made: Callable[[int], None]
) -> list[FleetLane]:
    """Make an operator with as many places as `count` entry lanes need, and room for the cars."""
    supply = 2 * cars // -(-count // LANES_PER_PLACE) + SUPPLY_MIN
    async with context.database.begin() as unit:
        operator_id = places.add_operator(unit, "Bench Fleet").id
    lanes: list[FleetLane] = []
    while len(lanes) < count:
        wanted = min(LANES_PER_PLACE, count - len(lanes))
        name = f"Place {len(lanes) // LANES_PER_PLACE + 1}"
        async with context.database.begin() as unit:
            lanes += await _add_place(unit, operator_id, name, supply, wanted)
        on_made(len(lanes))
    return lanes


async def _add_place(
    unit: UnitOfWork, operator_id: UUID, name: str, supply: int, lanes: int
) -> list[FleetLane]:
    zone: Any = RATE_TABLE["timezone"]
    place = places.add_place(unit, operator_id, name=name, timezone=zone, currency=CURRENCY)
    await unit.session.flush()
    area = places.add_area(unit, place, name="B1", supply=supply)
    await unit.session.flush()
    made = [
        places.add_lane(unit, area, name=f"Entry {index + 1}", direction=Direction.ENTRY)
        for index in range(lanes)
    ]
    await tariffs.publish(unit, operator_id, place.id, currency=CURRENCY, body=RATE_TABLE)
    return [FleetLane(operator_id, new.lane.id, new.device_token) for new in made]


async def certify_fleet(
    context: ParkingContext, lanes: Sequence[FleetLane], folder: Path, host: str
) -> FleetTls:
    """Give every lane a certificate of the installation's authority, and the listener its own."""
    key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    files = FleetTls(
        folder / "authority.pem",
        folder / "gate.key",
        folder / "server.pem",
        folder / "server.key",
        {lane.lane_id: folder / f"{lane.lane_id}.pem" for lane in lanes},
    )
    async with context.database.begin() as unit:
        authority = await gates.own_authority(unit)
        server = issue_server(authority, server_key.public_key(), [host], unit.now())
        for lane in lanes:
            name = GateName(lane.operator_id, lane.lane_id)
            certificate_id, made = issue_gate(authority, key.public_key(), name, unit.now())
            text = pem_of(made)
            unit.session.add(
                GateCertificate(
                    operator_id=lane.operator_id,
                    id=certificate_id,
                    lane_id=lane.lane_id,
                    certificate=text,
                    key_digest=key_digest(key.public_key()),
                    not_before=made.not_valid_before_utc,
                    not_after=made.not_valid_after_utc,
                )
            )
            files.certificates[lane.lane_id].write_text(text, encoding="ascii")
    for path, text in (
        (files.authority, authority.trusted_pem()),
        (files.server, pem_of(server)),
        (files.key, private_pem(key)),
        (files.server_key, private_pem(server_key)),
    ):
        path.write_text(text, encoding="ascii")
    return files
