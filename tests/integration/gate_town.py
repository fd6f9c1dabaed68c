"""Lanes whose gates have certificates: real PostgreSQL, real Valkey, real TLS, a bridge or two."""

import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from sqlalchemy import text
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from gate_bridge.agent.credentials import new_key, request_with
from gate_bridge.options import BridgeOptions
from gate_bridge.server import GateBridge
from gate_bridge.wire.limits import SUBPROTOCOL
from parking.events.bus import Bus, open_valkey
from parking.flows import gate_identity
from parking.flows.context import ParkingContext
from parking.flows.gate_identity import GateIdentityFlows
from parking.flows.lane import LaneFlows
from parking.gates.authority import (
    LANE_URN,
    GateAuthority,
    issue_server,
    pem_of,
    private_pem,
)
from parking.gates.models import GateCertificate
from parking.gates.requests import key_digest
from parking.kit.clock import Clock, SystemClock
from parking.kit.database import Database
from parking.kit.ids import new_id
from parking.places import service as places
from parking.places.models import AccessLane, Direction
from tests.factories.lane_world import VAULT
from tests.integration.gate_stage import RawAgent

CLOCK = SystemClock()
STAFF = "Lee"
LOOK_S = 0.2


@dataclass(frozen=True)
class Shown:
    """What a client shows: a certificate with its key, in one file."""

    file: Path
    serial: UUID

    def context(self, authority: Path) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=authority)
        context.load_cert_chain(self.file)
        return context


@dataclass
class GateTown:
    """Two lanes of one operator."""

    context: ParkingContext
    valkey_url: str
    folder: Path
    authority: GateAuthority
    lanes: tuple[AccessLane, AccessLane]

    @property
    def authority_file(self) -> Path:
        return self.folder / "authority.pem"

    @asynccontextmanager
    async def bridge(
        self,
        *,
        certificate_look_s: float = LOOK_S,
        valkey_url: str | None = None,
        clock: Clock = CLOCK,
        probe_port: int | None = None,
    ) -> AsyncGenerator[GateBridge]:
        """Run a bridge with a certificate of the town's authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = issue_server(self.authority, key.public_key(), ["127.0.0.1"], CLOCK.now())
        (self.folder / "bridge.pem").write_text(pem_of(certificate))
        (self.folder / "bridge.key").write_text(private_pem(key))
        made = BridgeOptions(
            tls_cert=self.folder / "bridge.pem",
            tls_key=self.folder / "bridge.key",
            certificate_look_s=certificate_look_s,
            probe_port=probe_port,
        )
        lanes, identity = LaneFlows(self.context), GateIdentityFlows(self.context)
        url = valkey_url or self.valkey_url
        async with GateBridge(lanes, url, made, clock, identity=identity) as bridge:
            yield bridge

    async def token(self, lane: AccessLane, period: timedelta = timedelta(hours=1)) -> str:
        opened = await gate_identity.open_enrolment(self.context, lane.id, STAFF, period)
        return opened.token

    async def enrolled(self, lane: AccessLane) -> Shown:
        """Give a lane's gate a certificate, in the way that gates get them."""
        request = request_with(new_key())
        issued = await gate_identity.enrol(
            self.context, lane.id, await self.token(lane), request.der, "127.0.0.1"
        )
        return self.keep(issued.certificate, request.key_pem)

    def keep(self, certificate_pem: str, key_pem: bytes) -> Shown:
        serial = x509.load_pem_x509_certificate(certificate_pem.encode()).serial_number
        file = self.folder / f"{serial:x}.pem"
        file.write_bytes(certificate_pem.encode() + key_pem)
        return Shown(file, UUID(int=serial))

    async def forged(
        self,
        lane: AccessLane,
        *,
        signer: GateAuthority | None = None,
        usages: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.CLIENT_AUTH,),
        names: Sequence[str] | None = None,
        valid: tuple[timedelta, timedelta] = (timedelta(hours=-1), timedelta(hours=1)),
        is_known: bool = True,
        serial: UUID | None = None,
    ) -> Shown:
        """Make a certificate that is wrong in one thing; its row is there, where it is known."""
        signer = signer or self.authority
        now = CLOCK.now()
        key = ec.generate_private_key(ec.SECP256R1())
        uris = [f"{LANE_URN}{lane.id}"] if names is None else names
        builder = (
            x509.CertificateBuilder()
            .subject_name(
                x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, str(lane.operator_id))])
            )
            .issuer_name(signer.certificate.subject)
            .public_key(key.public_key())
            .serial_number((serial or new_id(now)).int)
            .not_valid_before(now + valid[0])
            .not_valid_after(now + valid[1])
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        )
        if uris:
            alternatives = [x509.UniformResourceIdentifier(uri) for uri in uris]
            builder = builder.add_extension(
                x509.SubjectAlternativeName(alternatives), critical=False
            )
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        certificate = builder.sign(signer.key, hashes.SHA256())
        if is_known:
            await self._insert(lane, certificate)
        return self.keep(pem_of(certificate), private_pem(key).encode())

    async def _insert(self, lane: AccessLane, certificate: x509.Certificate) -> None:
        key = certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        async with self.context.database.begin() as unit:
            unit.session.add(
                GateCertificate(
                    operator_id=lane.operator_id,
                    id=UUID(int=certificate.serial_number),
                    lane_id=lane.id,
                    certificate=pem_of(certificate),
                    key_digest=key_digest(key),
                    not_before=certificate.not_valid_before_utc,
                    not_after=certificate.not_valid_after_utc,
                )
            )

    def own_signed(self, lane: AccessLane) -> Shown:
        """Make a certificate that its own key signed, in the name of our authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.UniformResourceIdentifier(f"{LANE_URN}{lane.id}")]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(self.authority.certificate.subject)
            .issuer_name(self.authority.certificate.subject)
            .public_key(key.public_key())
            .serial_number(new_id(CLOCK.now()).int)
            .not_valid_before(CLOCK.now() - timedelta(hours=1))
            .not_valid_after(CLOCK.now() + timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(key, hashes.SHA256())
        )
        return self.keep(pem_of(certificate), private_pem(key).encode())

    def client(self, shown: Shown | None) -> ssl.SSLContext:
        if shown is None:
            return ssl.create_default_context(cafile=self.authority_file)
        return shown.context(self.authority_file)

    @asynccontextmanager
    async def connected(
        self,
        bridge: GateBridge,
        lane: AccessLane,
        shown: Shown | None,
        *,
        versions: Sequence[str] = (SUBPROTOCOL,),
        headers: dict[str, str] | None = None,
    ) -> AsyncGenerator[RawAgent]:
        socket: ClientConnection
        async with connect(
            f"wss://127.0.0.1:{bridge.port}/gates/{lane.id}",
            ssl=self.client(shown),
            subprotocols=[Subprotocol(version) for version in versions],
            additional_headers=headers or {},
            compression=None,
            proxy=None,
        ) as socket:
            yield RawAgent(socket, lane.id)

    async def rows(self, statement: str, **values: object) -> list[dict[str, Any]]:
        async with self.context.database.begin() as unit:
            found = await unit.run(text(statement), values)
            return [dict(row) for row in found.mappings()]

    async def connections(self) -> int:
        """Return how many lanes were ever taken by a bridge."""
        return len(await self.rows("SELECT 1 FROM lane_connections"))


@asynccontextmanager
async def open_gate_town(
    database_url: str, valkey_url: str, folder: Path
) -> AsyncGenerator[GateTown]:
    redis = open_valkey(valkey_url)
    bus = Bus(redis)
    database = Database(database_url, clock=CLOCK, vault=VAULT)
    context = ParkingContext(
        database=database,
        clock=CLOCK,
        vault=VAULT,
        bus=bus,
        providers={},
        checkout_provider=None,
        public_url="https://sesame.example",
    )
    try:
        lanes = await _lanes(context)
        authority = await gate_identity.authority(context)
        town = GateTown(context, valkey_url, folder, authority, lanes)
        town.authority_file.write_text(authority.trusted_pem())
        yield town
    finally:
        await bus.close()
        await redis.aclose()
        await database.close()


async def _lanes(context: ParkingContext) -> tuple[AccessLane, AccessLane]:
    async with context.database.begin() as unit:
        operator = places.add_operator(unit, "Riverside")
        await unit.session.flush()
        place = places.add_place(
            unit, operator.id, name="Riverside", timezone="Europe/Berlin", currency="EUR"
        )
        await unit.session.flush()
        area = places.add_area(unit, place, name="1", supply=5)
        await unit.session.flush()
        first = places.add_lane(unit, area, name="Entry", direction=Direction.ENTRY).lane
        return first, places.add_lane(unit, area, name="Exit", direction=Direction.EXIT).lane


def pem_request(key: Any, name: str = "anybody", uri: str | None = None) -> bytes:  # noqa: ANN401 - any private key
    """Return a request in PEM that claims names."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if uri is not None:
        claimed = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
        builder = builder.add_extension(claimed, critical=False)
    signed = builder.sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)
