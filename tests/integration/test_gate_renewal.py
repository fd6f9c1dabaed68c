"""A gate's certificate is replaced in time, over the connection that the old one opened."""

import asyncio
import base64
import stat
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from gate_bridge.agent.credentials import GateCredentials, new_key, request_with
from gate_bridge.agent.options import AgentOptions
from gate_bridge.agent.pictures import CarPictures
from gate_bridge.agent.play import play_lane
from gate_bridge.server import GateBridge
from parking.flows import gate_identity
from parking.flows.gate_identity import GateIdentityFlows
from parking.gates import service as gates
from parking.gates.authority import new_authority, pem_of
from parking.gates.errors import CertificateRefusedError
from parking.gates.shown import read_shown
from parking.kit.errors import InvalidInputError
from tests.integration.gate_stage import eventually, open_stage
from tests.integration.gate_town import CLOCK, STAFF, GateTown, Shown, open_gate_town

DER = serialization.Encoding.DER
LANE_ID = UUID(int=7)
OLD = (timedelta(days=-80), timedelta(days=10))


@pytest.fixture
async def town(database_url: str, valkey_url: str, tmp_path: Path) -> AsyncGenerator[GateTown]:
    async with open_gate_town(database_url, valkey_url, tmp_path) as opened:
        yield opened


@dataclass
class Playing:
    """An agent's reports."""

    reports: list[dict[str, object]] = field(default_factory=list[dict[str, object]])

    def told(self, event: str) -> list[dict[str, object]]:
        return [report for report in self.reports if report["event"] == event]


def options(town: GateTown, bridge: GateBridge, shown: Shown, **changed: Path) -> AgentOptions:
    return AgentOptions(
        url=f"wss://127.0.0.1:{bridge.port}",
        lane_id=town.lanes[0].id,
        certificate=shown.file,
        tls_ca=changed.get("tls_ca", town.authority_file),
        key=changed.get("key"),
        reconnect_s_max=0.1,
    )


def serial_of(file: Path) -> UUID:
    return UUID(int=x509.load_pem_x509_certificate(file.read_bytes()).serial_number)


async def test_an_agent_renews_and_connects_again_with_the_new_one(town: GateTown) -> None:
    lane, playing = town.lanes[0], Playing()
    async with town.bridge() as bridge:
        old = await town.forged(lane, valid=OLD)
        before = old.file.read_bytes()
        chosen = options(town, bridge, old)
        journal = town.folder / "journal.sqlite"
        async with play_lane(chosen, journal, CLOCK, playing.reports.append):
            await eventually(lambda: len(playing.told("connected")) == 2)
        assert [report["session_epoch"] for report in playing.told("connected")] == [1, 2]
        [renewed] = playing.told("certificate_renewed")
        assert playing.told("certificate_not_renewed") == []
        assert stat.S_IMODE(old.file.stat().st_mode) == 0o600
        # Key and certificate were both replaced, and no piece is left beside them.
        assert old.file.read_bytes() != before
        assert list(town.folder.glob("*.new")) == []
        rows = await town.rows(
            "SELECT id, replaces_id, not_after FROM gate_certificates ORDER BY id DESC"
        )
        assert [row["replaces_id"] for row in rows] == [old.serial, None]
        assert rows[0]["id"] == serial_of(old.file)
        assert renewed["not_after"] == rows[0]["not_after"].isoformat()
        # The old one stays valid till it expires: an agent that crashed in between has it.
        old.file.write_bytes(before)
        async with town.connected(bridge, lane, old) as agent:
            await agent.hello()


async def test_a_fresh_certificate_is_left_alone(town: GateTown) -> None:
    playing = Playing()
    async with town.bridge() as bridge:
        shown = await town.enrolled(town.lanes[0])
        journal = town.folder / "journal.sqlite"
        chosen = options(town, bridge, shown)
        async with play_lane(chosen, journal, CLOCK, playing.reports.append) as lane:
            await eventually(lambda: len(playing.told("connected")) == 1)
            # A car's events were taken: the connection is at work, and was not given up.
            await lane.present_car(CarPictures())
            await eventually(lambda: lane.presentation_id is not None)
            assert playing.told("disconnected") == []
        assert serial_of(shown.file) == shown.serial
        assert len(await town.rows("SELECT 1 FROM gate_certificates")) == 1


async def test_a_refused_renewal_costs_no_connection(
    town: GateTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "CERTIFICATES_PER_DAY_MAX", 0)
    playing = Playing()
    async with town.bridge() as bridge:
        old = await town.forged(town.lanes[0], valid=OLD)
        journal = town.folder / "journal.sqlite"
        chosen = options(town, bridge, old)
        async with play_lane(chosen, journal, CLOCK, playing.reports.append):
            await eventually(lambda: len(playing.told("certificate_not_renewed")) == 1)
            assert playing.told("disconnected") == []
        assert serial_of(old.file) == old.serial


async def test_an_agent_says_that_its_certificate_has_expired(town: GateTown) -> None:
    playing = Playing()
    async with town.bridge() as bridge:
        late = await town.forged(town.lanes[0], valid=(timedelta(days=-91), timedelta(days=-1)))
        journal = town.folder / "journal.sqlite"
        chosen = options(town, bridge, late)
        async with play_lane(chosen, journal, CLOCK, playing.reports.append):
            await eventually(lambda: len(playing.told("disconnected")) > 0)
        told = str(playing.told("disconnected")[0]["error"])
        assert told.startswith("certificate: expired at ")
        assert told.endswith("; enrol again")
        assert await town.connections() == 0


async def test_an_agent_trusts_no_bridge_of_another_authority(town: GateTown) -> None:
    playing = Playing()
    stranger = town.folder / "stranger.pem"
    stranger.write_text(pem_of(new_authority(CLOCK.now()).certificate))
    async with town.bridge() as bridge:
        shown = await town.enrolled(town.lanes[0])
        journal = town.folder / "journal.sqlite"
        chosen = options(town, bridge, shown, tls_ca=stranger)
        async with play_lane(chosen, journal, CLOCK, playing.reports.append):
            await eventually(lambda: len(playing.told("disconnected")) > 0)
        assert "certificate verify failed" in str(playing.told("disconnected")[0]["error"])
        assert await town.connections() == 0


async def test_renewing_again_gives_the_same_to_the_same_key(town: GateTown) -> None:
    identity, lane = GateIdentityFlows(town.context), town.lanes[0]
    first = await town.enrolled(lane)
    shown = read_shown(x509.load_pem_x509_certificate(first.file.read_bytes()).public_bytes(DER))
    request, other = request_with(new_key()).der, request_with(new_key()).der
    answers = await asyncio.gather(*(identity.renew(shown, request) for _ in range(3)))
    assert len({answer.certificate for answer in answers}) == 1
    assert (await identity.renew(shown, other)).certificate != answers[0].certificate
    assert len(await town.rows("SELECT 1 FROM gate_certificates")) == 3
    # Whoever holds the first key asked for the others: they go with it.
    ended = await gate_identity.revoke_serial(town.context, first.serial, STAFF, "key copied")
    assert ended.certificates == 3
    with pytest.raises(CertificateRefusedError) as caught:
        await identity.renew(shown, request)
    assert caught.value.reason == "revoked"
    assert len(await town.rows("SELECT 1 FROM gate_certificates")) == 3


async def test_a_revocation_beside_a_renewal_leaves_nothing_standing(town: GateTown) -> None:
    identity, lane = GateIdentityFlows(town.context), town.lanes[0]
    for _ in range(3):
        first = await town.enrolled(lane)
        certificate = x509.load_pem_x509_certificate(first.file.read_bytes())
        shown = read_shown(certificate.public_bytes(DER))
        await asyncio.gather(
            identity.renew(shown, request_with(new_key()).der),
            gate_identity.revoke_lane(town.context, lane.id, STAFF, "stolen"),
            return_exceptions=True,
        )
        left = await town.rows("SELECT 1 FROM gate_certificates WHERE revoked_at IS NULL")
        assert left == []


async def test_what_a_request_on_the_wire_must_be(town: GateTown) -> None:
    lane = town.lanes[0]
    async with town.bridge() as bridge:
        async with town.connected(bridge, lane, await town.enrolled(lane)) as agent:
            await agent.hello()
            for request in ("!!!", base64.b64encode(b"nonsense").decode(), "A" * 12_001):
                answer = await agent.call("RenewCertificate", {"request": request})
                assert (answer[0], answer[2], answer[4]["field"]) == (
                    4,
                    "PayloadInvalid",
                    "request",
                )
        assert len(await town.rows("SELECT 1 FROM gate_certificates")) == 1


async def test_a_connection_by_token_renews_nothing(valkey_url: str, tmp_path: Path) -> None:
    request = base64.b64encode(request_with(new_key()).der).decode()
    async with open_stage(valkey_url, tmp_path) as stage, stage.connect() as agent:
        await agent.hello()
        answer = await agent.call("RenewCertificate", {"request": request})
        assert answer[2:4] == [
            "PayloadInvalid",
            "request: expected a connection with a client certificate",
        ]


def test_a_key_with_a_file_of_its_own_is_kept(tmp_path: Path) -> None:
    authority, other = new_authority(CLOCK.now()), new_authority(CLOCK.now())
    key = tmp_path / "gate.key"
    key.write_bytes(new_key())
    kept, trusted = key.read_bytes(), tmp_path / "authority.pem"
    trusted.write_text(pem_of(other.certificate))
    certificate = tmp_path / "gate.pem"
    certificate.write_text(pem_of(other.certificate))
    credentials = GateCredentials(certificate, key, trusted)
    request = credentials.request()
    assert credentials.request() is request
    fresh = pem_of(authority.certificate)
    for _ in range(2):
        credentials.replace(request, fresh, fresh)
    assert (key.read_bytes(), certificate.read_text()) == (kept, fresh)
    # What was trusted stays so: the bridge's own certificate may be somebody else's.
    found = x509.load_pem_x509_certificates(trusted.read_bytes())
    assert found == [other.certificate, authority.certificate]


def test_what_an_agent_proves_itself_with_is_one_thing() -> None:
    lane_id, file = LANE_ID, Path("gate.pem")
    for chosen, named in (
        (AgentOptions(url="wss://gates.example", lane_id=lane_id), "certificate"),
        (
            AgentOptions(url="wss://gates.example", lane_id=lane_id, token="t", certificate=file),
            "certificate",
        ),
        (AgentOptions(url="ws://127.0.0.1", lane_id=lane_id, certificate=file), "url"),
    ):
        with pytest.raises(InvalidInputError) as caught:
            chosen.check()
        assert caught.value.field == named
    AgentOptions(url="wss://gates.example", lane_id=lane_id, certificate=file).check()
