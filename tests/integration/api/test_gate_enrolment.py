"""`POST /gates/enrol`: one certificate for one token, and nothing for anybody else."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import structlog.testing
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from parking.flows import gate_identity
from parking.gates import service as gates
from parking.gates.errors import EnrolmentRefusedError, TooManyEnrolmentsError
from parking.gates.requests import REQUEST_BYTES_MAX
from parking.gates.rules import CERTIFICATES_PER_DAY_MAX, ENROLMENTS_OPEN_MAX
from parking.gates.shown import read_shown
from parking.kit.errors import InvalidInputError
from tests.factories.api import ApiWorld
from tests.integration.gate_town import pem_request

PATH = "/gates/enrol"
REFUSED = {
    "code": "GATE_ENROLMENT_REFUSED",
    "message": "token: expected an unused one that was made for this lane lately",
}


def request(key: ec.EllipticCurvePrivateKey | None = None, **claimed: str) -> str:
    return pem_request(key or ec.generate_private_key(ec.SECP256R1()), **claimed).decode()


async def token_of(api: ApiWorld, hours: int = 1) -> str:
    opened = await gate_identity.open_enrolment(
        api.lanes.context, api.lanes.entry.lane_id, "Lee", timedelta(hours=hours)
    )
    return opened.token


async def post(
    api: ApiWorld, token: str, lane_id: UUID | None = None, csr: str | None = None
) -> httpx.Response:
    body = {
        "lane_id": str(lane_id or api.lanes.entry.lane_id),
        "token": token,
        "request": csr or request(),
    }
    return await api.http.post(PATH, json=body)


async def test_a_token_brings_one_certificate_of_its_lane(api: ApiWorld) -> None:
    other = f"urn:sesame:lane:{api.lanes.exit.lane_id}"
    key = ec.generate_private_key(ec.SECP256R1())
    token = await token_of(api)
    answer = await post(api, token, csr=request(key, name="root", uri=other))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    made = x509.load_pem_x509_certificate(body["certificate"].encode())
    authority = x509.load_pem_x509_certificate(body["authority"].encode())
    made.verify_directly_issued_by(authority)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        f"urn:sesame:lane:{api.lanes.entry.lane_id}"
    ]
    assert made.public_key() == key.public_key()
    assert body["not_after"] == made.not_valid_after_utc.isoformat()
    [row] = await api.lanes.rows("SELECT id, lane_id, revoked_at FROM gate_certificates")
    assert row == {
        "id": UUID(int=made.serial_number),
        "lane_id": api.lanes.entry.lane_id,
        "revoked_at": None,
    }
    [kept] = await api.lanes.rows("SELECT * FROM gate_enrolments")
    assert (kept["certificate_id"], kept["created_by"]) == (row["id"], "Lee")
    assert token.encode() not in kept["token_digest"]


async def test_the_same_key_gets_the_same_certificate_again(api: ApiWorld) -> None:
    """The answer was lost on the way; nobody else has the key."""
    token, key = await token_of(api), ec.generate_private_key(ec.SECP256R1())
    first = await post(api, token, csr=request(key))
    assert (await post(api, token, csr=request(key))).json() == first.json()
    api.lanes.wait(hours=2)
    assert (await post(api, token, csr=request(key))).json() == REFUSED
    assert await api.lanes.count("gate_certificates") == 1


async def test_every_bad_token_gets_the_same_answer_and_nothing_moves(api: ApiWorld) -> None:
    token, exit_lane = await token_of(api), api.lanes.exit.lane_id
    operator, enrolment, secret = token.split(".")
    used = await token_of(api)
    assert (await post(api, used)).status_code == 200
    expired = await token_of(api)
    api.lanes.wait(hours=1)
    fresh = await token_of(api)
    withdrawn_lane = api.lanes.second_exit.lane_id
    withdrawn = await gate_identity.open_enrolment(api.lanes.context, withdrawn_lane, "Lee")
    await gate_identity.revoke_lane(api.lanes.context, withdrawn_lane, "Lee", "wrong lane")
    before = await api.lanes.count("gate_certificates")
    with structlog.testing.capture_logs() as logs:
        for bad, lane_id in (
            ("nonsense", None),
            (f"{operator}.{enrolment}.{'A' * 43}", None),
            (f"{operator}.{UUID(int=7).hex}.{secret}", None),
            (f"{UUID(int=7).hex}.{enrolment}.{secret}", None),
            (used, None),
            (expired, None),
            (fresh, exit_lane),
            (fresh, UUID(int=7)),
            (withdrawn.token, withdrawn_lane),
            # A lane's device token enrols nobody.
            (f"{operator}.{secret}", None),
        ):
            answer = await post(api, bad, lane_id)
            assert (answer.status_code, answer.json()) == (403, REFUSED)
    assert secret not in repr(logs)
    assert await api.lanes.count("gate_certificates") == before
    assert (await post(api, fresh)).status_code == 200


async def test_of_two_at_once_one_gets_it(api: ApiWorld) -> None:
    token = await token_of(api)
    answers = await asyncio.gather(*(post(api, token) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 403, 403, 403]
    assert await api.lanes.count("gate_certificates") == 1


async def test_the_second_waits_for_the_first_and_then_comes_too_late(api: ApiWorld) -> None:
    context, lane_id = api.lanes.context, api.lanes.entry.lane_id
    token, authority = await token_of(api), await gate_identity.authority(context)
    first, second = (ec.generate_private_key(ec.SECP256R1()).public_key() for _ in range(2))
    waiting = (
        "SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database"
        " WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()"
    )

    async def come_second() -> None:
        async with context.database.begin() as unit:
            await gates.enrol(unit, authority, lane_id, token, second)

    async with context.database.begin() as unit:
        made = await gates.enrol(unit, authority, lane_id, token, first)
        late = asyncio.create_task(come_second())
        async with asyncio.timeout(10):
            while not late.done() and not await api.lanes.rows(waiting):  # noqa: ASYNC110 - only PostgreSQL knows
                await asyncio.sleep(0.01)
        assert not late.done()
    with pytest.raises(EnrolmentRefusedError):
        await late
    assert await api.lanes.rows("SELECT id FROM gate_certificates") == [{"id": made.id}]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("", "body"),
        ("[]", "body"),
        ("{", "body"),
        ('{"lane_id": 1, "token": "t", "request": "r"}', "lane_id"),
        ('{"lane_id": "x", "token": "t", "request": "r"}', "lane_id"),
        ('{"token": "t", "request": "r"}', "lane_id"),
        (f'{{"lane_id": "{UUID(int=7)}", "token": 7, "request": "r"}}', "token"),
        (f'{{"lane_id": "{UUID(int=7)}", "token": "{"t" * 201}", "request": "r"}}', "token"),
        (f'{{"lane_id": "{UUID(int=7)}", "token": "t", "request": "r"}}', "request"),
        (f'{{"lane_id": "{UUID(int=7)}", "token": "t", "request": "é"}}', "request"),
        (f'{{"lane_id": "{UUID(int=7)}", "token": "t", "request": "r", "days": 1}}', "days"),
    ],
)
async def test_a_bad_body_is_told_its_field(api: ApiWorld, body: str, field: str) -> None:
    answer = await api.http.post(PATH, content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_INPUT")
    assert answer.json()["field"] == field


async def test_weak_and_oversized_requests_cost_no_token(api: ApiWorld) -> None:
    token = await token_of(api)
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    for csr in (pem_request(weak).decode(), request()[:200], "A" * (REQUEST_BYTES_MAX + 1)):
        answer = await post(api, token, csr=csr)
        assert (answer.status_code, answer.json()["field"]) == (400, "request")
    answer = await post(api, token, csr="A" * 20_000)
    assert (answer.status_code, answer.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert answer.headers["connection"] == "close"
    assert (await api.http.get(PATH)).status_code == 405
    assert (await post(api, token)).status_code == 200


async def test_an_address_that_asks_too_often_waits(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_identity, "ENROLMENTS_PER_ADDRESS_MAX", 3)
    token = await token_of(api)
    for _ in range(3):
        assert (await post(api, "nonsense")).status_code == 403
    refused = await post(api, token)
    assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_REQUESTS")
    assert 0 < int(refused.headers["retry-after"]) <= 3600
    api.lanes.wait(hours=1)
    assert (await post(api, await token_of(api))).status_code == 200


async def test_a_lane_has_few_tokens_and_few_certificates(api: ApiWorld) -> None:
    tokens = [await token_of(api) for _ in range(ENROLMENTS_OPEN_MAX)]
    with pytest.raises(TooManyEnrolmentsError):
        await token_of(api)
    assert await api.lanes.count("gate_enrolments") == ENROLMENTS_OPEN_MAX
    for _ in range(CERTIFICATES_PER_DAY_MAX):
        assert (await post(api, tokens.pop())).status_code == 200
        tokens.append(await token_of(api))
    refused = await post(api, tokens[0])
    assert (refused.status_code, refused.json()["code"]) == (503, "GATE_CERTIFICATES_TOO_MANY")
    assert await api.lanes.count("gate_certificates") == CERTIFICATES_PER_DAY_MAX


async def test_a_key_that_was_revoked_is_not_certified_again(api: ApiWorld) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    assert (await post(api, await token_of(api), csr=request(key))).status_code == 200
    lane_id = api.lanes.entry.lane_id
    await gate_identity.revoke_lane(api.lanes.context, lane_id, "Lee", "stolen")
    answer = await post(api, await token_of(api), csr=request(key))
    assert (answer.status_code, answer.json()["field"]) == (400, "request")


async def test_a_renewed_certificate_that_was_revoked_is_not_given_again(api: ApiWorld) -> None:
    context, lane_id = api.lanes.context, api.lanes.entry.lane_id
    body = (await post(api, await token_of(api))).json()
    first = x509.load_pem_x509_certificate(body["certificate"].encode())
    shown = read_shown(first.public_bytes(serialization.Encoding.DER))
    flows = gate_identity.GateIdentityFlows(context)
    wanted = request().encode()
    renewed = await flows.renew(shown, wanted)
    assert await flows.renew(shown, wanted) == renewed
    rows = await gate_identity.certificates(context, lane_id)
    [made] = [row for row in rows if row.replaces_id == shown.certificate_id]
    await gate_identity.revoke_serial(context, made.id, "Lee", "stolen")
    with pytest.raises(InvalidInputError, match="request"):
        await flows.renew(shown, wanted)
    assert await api.lanes.count("gate_certificates") == 2


async def test_staff_acts_need_a_lane_a_name_and_a_reason(api: ApiWorld) -> None:
    context, lane_id = api.lanes.context, api.lanes.entry.lane_id
    calls: list[tuple[Any, str]] = [
        (gate_identity.open_enrolment(context, UUID(int=7), "Lee"), "lane"),
        (gate_identity.open_enrolment(context, lane_id, " "), "by"),
        (gate_identity.open_enrolment(context, lane_id, "Lee", timedelta(days=8)), "valid"),
        (gate_identity.revoke_lane(context, UUID(int=7), "Lee", "stolen"), "lane"),
        (gate_identity.revoke_lane(context, lane_id, "Lee\n", "x\ny"), "reason"),
        (gate_identity.revoke_serial(context, UUID(int=7), "Lee", "stolen"), "serial"),
    ]
    for call, field in calls:
        with pytest.raises(InvalidInputError) as caught:
            await call
        assert caught.value.field == field
    assert await api.lanes.count("gate_enrolments") == 0


async def test_what_was_decided_about_a_gate_cannot_be_rewritten(api: ApiWorld) -> None:
    assert (await post(api, await token_of(api))).status_code == 200
    lane_id = api.lanes.entry.lane_id
    await gate_identity.revoke_lane(api.lanes.context, lane_id, "Lee", "stolen")
    for statement in (
        "UPDATE gate_certificates SET revoked_at = NULL",
        "UPDATE gate_certificates SET revoked_by = 'Kim'",
        "DELETE FROM gate_certificates",
        "UPDATE gate_enrolments SET used_at = NULL",
        "DELETE FROM gate_enrolments",
    ):
        with pytest.raises(Exception, match="rows are never changed or deleted"):
            await api.lanes.rows_changed(statement)


async def test_the_authority_is_made_once_and_its_key_is_sealed(api: ApiWorld) -> None:
    made = await asyncio.gather(*(gate_identity.authority(api.lanes.context) for _ in range(3)))
    assert len({authority.trusted_pem() for authority in made}) == 1
    [row] = await api.lanes.rows("SELECT * FROM gate_authorities")
    assert row["certificate"] == made[0].trusted_pem()
    raw = made[0].key.private_numbers().private_value.to_bytes(32)
    assert raw not in row["key_sealed"]
    assert b"PRIVATE KEY" not in row["key_sealed"]
    assert "private" not in repr(made[0]).lower()
