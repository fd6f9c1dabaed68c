"""`sesame gates enrol|certificates|revoke` and `sesame gate-agent enrol`, as people use them."""

import asyncio
import json
import ssl
import stat
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from cryptography import x509
from typer.testing import CliRunner

from api.app import create_app
from api.config import ApiConfig
from gate_bridge.agent.credentials import AUTHORITY_FILE, GATE_FILE, KEY_KEPT_FILE
from gate_bridge.options import BridgeOptions
from gate_bridge.server import GateBridge
from parking.drivers.port import RecordingSmsSender
from parking.flows.gate_identity import GateIdentityFlows
from parking.flows.lane import LaneFlows
from parking.gates.authority import new_authority, pem_of, private_pem
from parking.kit.errors import InvalidInputError, UnavailableError
from parking.kit.tokens import TokenIssuer
from sesame.commands.gate_agent import gate_agent_app
from sesame.commands.gates import gates_app
from sesame.settings import Settings
from sesame.wiring import gate_authority
from tests.factories.api import serve
from tests.factories.identity import TOKEN_KEY
from tests.integration.gate_town import CLOCK, GateTown, Shown, open_gate_town

PUBLIC_URL = "https://sesame.example"


@pytest.fixture
async def town(
    database_url: str,
    valkey_url: str,
    tmp_path: Path,
    command_settings: None,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncGenerator[GateTown]:
    monkeypatch.setenv("SESAME_PUBLIC_URL", PUBLIC_URL)
    async with open_gate_town(database_url, valkey_url, tmp_path) as opened:
        yield opened


async def run(app: Any, *words: object) -> str:  # noqa: ANN401 - typer's
    """Run a command beside the test's own loop; return what it prints."""

    def invoke() -> str:
        arguments = [str(word) for word in words]
        return CliRunner().invoke(app, arguments, catch_exceptions=False).stdout

    return await asyncio.to_thread(invoke)


async def told(*words: object) -> dict[str, Any]:
    # `sesame` sends the log to standard error; only here it comes before the report.
    return json.loads((await run(gates_app, *words, "--json")).splitlines()[-1])


async def enrolled_at_gate(town: GateTown, url: str, out: Path) -> str:
    """Do what an installer does at the gate."""
    lane = town.lanes[0].id
    token = town.folder / "token"
    token.write_text((await told("enrol", "--lane", lane, "--by", "Lee"))["token"] + "\n")
    words = ("--url", url, "--lane", lane, "--token-file", token, "--out", out)
    return await run(gate_agent_app, "enrol", *words)


async def test_from_the_token_to_a_connection_and_out_again(town: GateTown) -> None:
    lane, out, served = town.lanes[0], town.folder / "gate", town.folder / "bridge"
    config = ApiConfig(tokens=TokenIssuer(TOKEN_KEY, clock=CLOCK), sms=RecordingSmsSender())
    async with serve(create_app(town.context, config)) as address:
        printed = await enrolled_at_gate(town, f"http://{address}/", out)
    assert f"certificate {out / GATE_FILE} until " in printed
    assert sorted(path.name for path in out.iterdir()) == [AUTHORITY_FILE, GATE_FILE]
    assert stat.S_IMODE((out / GATE_FILE).stat().st_mode) == 0o600

    made = await told(
        "certificates", "server", "--host", "127.0.0.1", "--host", "gates.example", "--out", served
    )
    options = BridgeOptions(
        tls_cert=Path(made["SESAME_GATES_TLS_CERT"]), tls_key=Path(made["SESAME_GATES_TLS_KEY"])
    )
    town.authority_file.write_text((out / AUTHORITY_FILE).read_text())
    identity = GateIdentityFlows(town.context)
    flows = LaneFlows(town.context)
    async with GateBridge(flows, town.valkey_url, options, CLOCK, identity=identity) as bridge:
        [listed] = (await told("certificates"))["certificates"]
        shown = Shown(out / GATE_FILE, _id(out / GATE_FILE))
        assert (listed["serial"], listed["lane_id"]) == (shown.serial.hex, str(lane.id))
        assert (listed["revoked_at"], listed["replaces"]) == (None, None)
        async with town.connected(bridge, lane, shown) as agent:
            await agent.hello()
            report = await told(
                "revoke", "--serial", listed["serial"], "--by", "Kim", "--reason", "stolen"
            )
            assert report == {"lane_id": str(lane.id), "certificates": 1, "tokens": 0}
            assert await agent.closed() == 4401
    [listed] = (await told("certificates", "--lane", lane.id))["certificates"]
    assert (listed["revoked_by"], listed["revoked_reason"]) == ("Kim", "stolen")
    assert "revoked by Kim: stolen" in await run(gates_app, "certificates")
    assert (await told("certificates", "--lane", town.lanes[1].id))["certificates"] == []


async def test_the_line_for_a_code_says_all_that_an_agent_needs(town: GateTown) -> None:
    lane = town.lanes[0].id
    made = await told("enrol", "--lane", lane, "--by", "Lee", "--hours", "2")
    scheme, _, rest = str(made["line"]).partition(":")
    assert scheme == "sesame-gate-enrolment"
    parts = urlsplit(str(rest))
    assert f"{parts.scheme}://{parts.netloc}" == PUBLIC_URL == made["url"]
    assert parse_qs(parts.query) == {"lane": [str(lane)], "token": [made["token"]]}
    for_people = await run(gates_app, "enrol", "--lane", lane, "--by", "Lee")
    assert for_people.count("sesame-gate-enrolment:") == 1
    ended = await told("revoke", "--lane", lane, "--by", "Lee", "--reason", "not today")
    assert ended == {"lane_id": str(lane), "certificates": 0, "tokens": 2}


async def test_a_refused_token_leaves_no_certificate(town: GateTown) -> None:
    out, token = town.folder / "gate", town.folder / "token"
    token.write_text("nonsense")
    words = ("--lane", town.lanes[0].id, "--token-file", token, "--out", out)
    config = ApiConfig(tokens=TokenIssuer(TOKEN_KEY, clock=CLOCK), sms=RecordingSmsSender())
    async with serve(create_app(town.context, config)) as address:
        with pytest.raises(UnavailableError, match="token: expected an unused one"):
            await run(gate_agent_app, "enrol", "--url", f"http://{address}", *words)
    kept = (out / KEY_KEPT_FILE).read_bytes()
    with pytest.raises(UnavailableError, match="does not answer"):
        await run(gate_agent_app, "enrol", "--url", f"http://{address}", *words)
    assert [path.name for path in out.iterdir()] == [KEY_KEPT_FILE]
    # The same key is asked for again: an answer that was lost then costs no token.
    assert (out / KEY_KEPT_FILE).read_bytes() == kept
    with pytest.raises(InvalidInputError, match="https://, because the token would be readable"):
        await run(gate_agent_app, "enrol", "--url", "http://gates.example", *words)


async def test_what_makes_no_sense_is_refused(town: GateTown) -> None:
    lane, who = town.lanes[0].id, ("--by", "Lee", "--reason", "stolen")
    for words, field in (
        (("revoke", *who), "lane"),
        (("revoke", "--lane", lane, "--serial", "ab", *who), "lane"),
        (("revoke", "--serial", "xyz", *who), "serial"),
        (("revoke", "--serial", "-1", *who), "serial"),
        (("revoke", "--serial", "f" * 40, *who), "serial"),
        (("revoke", "--serial", "ab:cd", *who), "serial"),
        (("revoke", "--lane", lane, "--by", " ", "--reason", "stolen"), "by"),
        (("enrol", "--lane", lane, "--by", "Lee", "--hours", "169"), "valid"),
        (("certificates", "server", "--host", "two words", "--out", town.folder), "host"),
    ):
        with pytest.raises(InvalidInputError) as caught:
            await run(gates_app, *words)
        assert caught.value.field == field


async def test_an_authority_of_its_own_takes_the_place_of_the_kept_one(
    town: GateTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = new_authority(CLOCK.now())
    certificate, key = town.folder / "ca.pem", town.folder / "ca.key"
    certificate.write_text(pem_of(own.certificate))
    key.write_text(private_pem(own.key))
    monkeypatch.setenv("SESAME_GATES_CA_FILE", str(certificate))
    with pytest.raises(InvalidInputError, match="SESAME_GATES_CA_KEY_FILE"):
        gate_authority(Settings())
    monkeypatch.setenv("SESAME_GATES_CA_KEY_FILE", str(key))
    await told("certificates", "server", "--host", "gates.example", "--out", town.folder)
    made = x509.load_pem_x509_certificate((town.folder / "bridge.pem").read_bytes())
    made.verify_directly_issued_by(own.certificate)
    context = ssl.create_default_context(cafile=town.folder / "authority.pem")
    assert context.cert_store_stats()["x509_ca"] == 1


def _id(file: Path) -> UUID:
    return UUID(int=x509.load_pem_x509_certificate(file.read_bytes()).serial_number)
