"""Who is let in by a listener with client certificates, and who is shown out of it."""

import asyncio
import http.client
import json
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import structlog.testing
from cryptography.x509.oid import ExtendedKeyUsageOID
from websockets.exceptions import InvalidMessage, InvalidStatus

from gate_bridge.options import BridgeOptions
from gate_bridge.server import GateBridge
from gate_bridge.tls import listener_tls
from gate_bridge.wire.limits import SUBPROTOCOL
from parking.events.pokes import GATES_CHANNEL
from parking.flows import gate_identity
from parking.flows.lane import LaneFlows
from parking.gates.authority import LANE_URN, new_authority
from parking.kit.clock import ManualClock
from parking.kit.errors import InvalidInputError
from parking.places.models import AccessLane
from tests.integration.gate_stage import valkey_tools
from tests.integration.gate_town import CLOCK, STAFF, GateTown, Shown, open_gate_town

DAY = timedelta(days=1)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
# X509_V_ERR_… of OpenSSL, whose words change from one version to the next.
VERIFY_ERRORS = {
    7: "signature",
    9: "not yet valid",
    10: "expired",
    18: "self-signed",
    26: "purpose",
}
NOBODY = "redis://127.0.0.1:1"


@pytest.fixture
async def town(database_url: str, valkey_url: str, tmp_path: Path) -> AsyncGenerator[GateTown]:
    async with open_gate_town(database_url, valkey_url, tmp_path) as opened:
        yield opened


async def refused(
    town: GateTown,
    bridge: GateBridge,
    lane: AccessLane,
    shown: Shown,
    headers: dict[str, str] | None = None,
) -> str:
    """Return why the admission refused; the client learns the same whatever it was."""
    with structlog.testing.capture_logs() as logs, pytest.raises(InvalidStatus) as caught:
        async with town.connected(bridge, lane, shown, headers=headers):
            pass
    assert caught.value.response.status_code == 403
    assert json.loads(caught.value.response.body or b"")["error"] == {
        "field": "certificate",
        "expected": "a valid client certificate of the lane whose id is in the path",
        "message": "certificate: expected a valid client certificate of the lane whose id is in "
        "the path",
    }
    [found] = [entry for entry in logs if entry["event"] == "gate_certificate_refused"]
    return str(found["reason"])


def why_not(
    town: GateTown, shown: Shown | None, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> str:
    """Return why the listener's TLS refuses a client, or what it speaks with it."""
    server = listener_tls(
        town.folder / "bridge.pem", town.folder / "bridge.key", town.authority.trusted_pem()
    )
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    listening = server.wrap_bio(to_server, to_client, server_side=True)
    client = town.client(shown)
    client.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    client.maximum_version = version
    asking = client.wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    for _ in range(4):
        for end in (asking, listening):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError as error:
                assert end is listening
                return VERIFY_ERRORS[error.verify_code]
            except ssl.SSLError as error:
                assert end is listening
                return str(error.reason)
    return str(asking.version())


async def test_a_certificate_lets_in_without_any_token(town: GateTown) -> None:
    first, second = town.lanes
    async with town.bridge() as bridge:
        for lane in (first, second):
            async with town.connected(bridge, lane, await town.enrolled(lane)) as agent:
                assert (await agent.hello())["session_epoch"] == 1
                tls = agent.socket.transport.get_extra_info("ssl_object")
                assert tls.version() == "TLSv1.3"
                assert agent.socket.subprotocol == SUBPROTOCOL


async def test_a_certificate_of_one_gate_opens_no_path_of_another(town: GateTown) -> None:
    first, second = town.lanes
    async with town.bridge() as bridge:
        shown = await town.enrolled(first)
        assert await refused(town, bridge, second, shown) == "other_lane"
        # Not with the other lane's device token beside it, either.
        token = {"Authorization": "Bearer " + "t" * 40}
        assert await refused(town, bridge, second, shown, headers=token) == "other_lane"
        assert await town.connections() == 0


async def test_hello_must_name_the_lane_of_the_certificate(town: GateTown) -> None:
    first, second = town.lanes
    async with town.bridge() as bridge:
        async with town.connected(bridge, first, await town.enrolled(first)) as agent:
            payload = {**agent.hello_payload(), "lane_id": str(second.id)}
            answer = await agent.call("Hello", payload)
            assert answer[2:] == [
                "PayloadInvalid",
                "lane_id: expected the lane of the path",
                {"field": "lane_id", "expected": "the lane of the path"},
            ]
            assert await agent.closed() == 4403
        assert await town.connections() == 0


async def test_tls_itself_refuses_what_no_gate_may_show(town: GateTown) -> None:
    lane, _ = town.lanes
    stranger = new_authority(CLOCK.now())
    async with town.bridge() as bridge:
        for wrong, told in (
            (None, "PEER_DID_NOT_RETURN_A_CERTIFICATE"),
            (await town.forged(lane, valid=(-2 * DAY, -DAY)), "expired"),
            (await town.forged(lane, valid=(DAY, 2 * DAY)), "not yet valid"),
            (
                await town.forged(lane, usages=[SERVER]),
                "purpose",
            ),
            (await town.forged(lane, signer=stranger), "signature"),
            (town.own_signed(lane), "self-signed"),
        ):
            assert why_not(town, wrong) == told
            with structlog.testing.capture_logs() as logs, pytest.raises((InvalidMessage, OSError)):
                async with town.connected(bridge, lane, wrong):
                    pass
            assert logs == []
        mine = await town.enrolled(lane)
        assert why_not(town, mine) == "TLSv1.3"
        assert why_not(town, mine, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
        assert await town.connections() == 0


async def test_the_bridge_refuses_what_tls_would_let_through(town: GateTown) -> None:
    lane, other = town.lanes
    own, its = f"{LANE_URN}{lane.id}", f"{LANE_URN}{other.id}"
    async with town.bridge() as bridge:
        for wrong, reason in (
            (await town.forged(lane, usages=[]), "not_of_a_gate"),
            (await town.forged(lane, usages=[CLIENT, SERVER]), "not_for_clients"),
            (await town.forged(lane, names=[]), "not_of_a_gate"),
            (await town.forged(lane, names=[own, its]), "not_one_lane"),
            (await town.forged(lane, names=["urn:gate:1"]), "not_one_lane"),
            (await town.forged(lane, names=[f"{LANE_URN}1"]), "not_of_a_gate"),
            # The authority's key was misused: what the database does not know is nobody's.
            (await town.forged(lane, is_known=False), "unknown"),
            (await town.forged(lane, names=[its]), "other_lane"),
        ):
            assert await refused(town, bridge, lane, wrong) == reason
        # Misused once more, for a number that the database knows: the key is not the gate's.
        mine = await town.enrolled(lane)
        copied = await town.forged(lane, is_known=False, serial=mine.serial)
        assert await refused(town, bridge, lane, copied) == "other_key"
        # Its row says another lane than the certificate does.
        assert await refused(town, bridge, other, await town.forged(lane, names=[its])) == "unknown"
        assert await town.connections() == 0


async def test_a_revoked_gate_does_not_come_back(town: GateTown) -> None:
    lane, _ = town.lanes
    async with town.bridge() as bridge:
        shown = await town.enrolled(lane)
        ended = await gate_identity.revoke_lane(town.context, lane.id, STAFF, "cabinet broken open")
        assert (ended.certificates, ended.tokens) == (1, 0)
        assert await refused(town, bridge, lane, shown) == "revoked"
        # Enrolled again, with another key, it is a gate like any other.
        async with town.connected(bridge, lane, await town.enrolled(lane)) as agent:
            await agent.hello()
    [row] = await town.rows(
        "SELECT revoked_by, revoked_reason FROM gate_certificates WHERE revoked_at IS NOT NULL"
    )
    assert row == {"revoked_by": STAFF, "revoked_reason": "cabinet broken open"}


async def test_revoking_ends_open_connections_at_every_bridge(town: GateTown) -> None:
    first, second = town.lanes
    # The look by itself would come after an hour: it is the poke that is seen here.
    async with AsyncExitStack() as stack:
        bridges = [
            await stack.enter_async_context(town.bridge(certificate_look_s=3600.0))
            for _ in range(2)
        ]
        mine, others = await town.enrolled(first), await town.enrolled(second)
        revoked = await stack.enter_async_context(town.connected(bridges[0], first, mine))
        waiting = await stack.enter_async_context(town.connected(bridges[1], first, mine))
        standing = await stack.enter_async_context(town.connected(bridges[1], second, others))
        await revoked.hello()
        await standing.hello()
        await _hears(town, bridges)
        await gate_identity.revoke_lane(town.context, first.id, STAFF, "stolen")
        # The second has not even said Hello.
        assert [await revoked.closed(), await waiting.closed()] == [4401, 4401]
        assert revoked.socket.close_reason == "the certificate is no longer accepted"
        answer = await standing.call("Heartbeat", {"sent_at": CLOCK.now().isoformat()})
        assert answer[0] == 3
        assert await refused(town, bridges[0], first, mine) == "revoked"


async def _hears(town: GateTown, bridges: Sequence[GateBridge]) -> None:
    """Wait until every bridge listens to revocations."""
    async with valkey_tools(town.valkey_url) as valkey:
        for _ in range(500):
            found = await valkey.execute_command("PUBSUB", "NUMSUB", GATES_CHANNEL)
            if found == [GATES_CHANNEL.encode(), len(bridges)]:
                return
            await asyncio.sleep(0.01)
    raise AssertionError("a bridge does not listen")


async def test_without_valkey_a_revoked_gate_is_shown_out_all_the_same(town: GateTown) -> None:
    lane, _ = town.lanes
    shown = await town.enrolled(lane)
    async with (
        town.bridge(valkey_url=NOBODY) as bridge,
        town.connected(bridge, lane, shown) as agent,
    ):
        await agent.hello()
        await gate_identity.revoke_lane(town.context, lane.id, STAFF, "stolen")
        assert await agent.closed() == 4401


async def test_a_certificate_that_expires_while_connected_ends_the_connection(
    town: GateTown,
) -> None:
    lane, _ = town.lanes
    clock = ManualClock(CLOCK.now())
    shown = await town.forged(lane, valid=(-DAY, timedelta(hours=1)))
    async with town.bridge(clock=clock) as bridge, town.connected(bridge, lane, shown) as agent:
        await agent.hello()
        clock.advance(timedelta(hours=2))
        assert await agent.closed() == 4401


async def test_a_database_that_is_away_shuts_nobody_out(
    town: GateTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane, _ = town.lanes
    looks = asyncio.Event()

    async def away(*_: object) -> set[object]:
        looks.set()
        raise OSError

    monkeypatch.setattr(gate_identity.GateIdentityFlows, "standing", away)
    shown = await town.enrolled(lane)
    async with town.bridge() as bridge, town.connected(bridge, lane, shown) as agent:
        await agent.hello()
        for _ in range(2):
            looks.clear()
            async with asyncio.timeout(10):
                await looks.wait()
        answer = await agent.call("Heartbeat", {"sent_at": CLOCK.now().isoformat()})
        assert answer[0] == 3


async def test_the_newest_common_version_is_spoken(town: GateTown) -> None:
    lane, _ = town.lanes
    async with town.bridge() as bridge:
        shown = await town.enrolled(lane)
        versions = ["sesame.gate.v9", SUBPROTOCOL]
        async with town.connected(bridge, lane, shown, versions=versions) as agent:
            assert agent.socket.subprotocol == SUBPROTOCOL
        with pytest.raises(InvalidStatus) as caught:
            async with town.connected(bridge, lane, shown, versions=["sesame.gate.v9"]):
                pass
    assert caught.value.response.status_code == 400
    assert json.loads(caught.value.response.body or b"")["versions"] == [SUBPROTOCOL]


async def test_a_plain_request_to_the_tls_listener_is_not_answered(town: GateTown) -> None:
    async with town.bridge() as bridge:

        def ask() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", bridge.port, timeout=5)
            try:
                connection.request("GET", "/healthz", headers={"Authorization": "Bearer t"})
                connection.getresponse()
            finally:
                connection.close()

        with pytest.raises((http.client.HTTPException, OSError)):
            await asyncio.to_thread(ask)


async def test_tls_needs_somebody_who_knows_the_certificates(town: GateTown) -> None:
    pair = BridgeOptions(tls_cert=Path("c.pem"), tls_key=Path("k.pem"))
    with pytest.raises(InvalidInputError) as caught:
        GateBridge(LaneFlows(town.context), town.valkey_url, pair, CLOCK)
    assert caught.value.field == "identity"
    with pytest.raises(InvalidInputError) as caught:
        BridgeOptions(tls_cert=Path("c.pem")).check()
    assert caught.value.field == "tls"


async def test_probes_are_answered_on_a_port_of_their_own(town: GateTown) -> None:
    lane, _ = town.lanes
    shown = await town.enrolled(lane)
    async with town.bridge(probe_port=0) as bridge, httpx.AsyncClient(trust_env=False) as http:
        probed = f"http://127.0.0.1:{bridge.probe_port}"
        assert (await http.get(f"{probed}/healthz")).json() == {"status": "ok"}
        ready = {"ready": True, "database": True, "valkey": True}
        assert (await http.get(f"{probed}/readyz")).json() == ready
        assert (await http.get(f"{probed}/metrics")).status_code == 200
        assert (await http.get(f"{probed}/gates/{lane.id}")).status_code == 404
        # A gate sees nothing of the fleet.
        async with httpx.AsyncClient(verify=town.client(shown), trust_env=False) as gate:
            for path in ("/metrics", "/readyz", "/healthz"):
                answer = await gate.get(f"https://127.0.0.1:{bridge.port}{path}")
                assert (answer.status_code, answer.json()["error"]["field"]) == (404, "path")
