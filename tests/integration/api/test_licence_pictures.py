"""Pictures of the vehicle licence: who may send and see them, and what is left of them."""

import zlib
from typing import Any
from uuid import UUID

import cv2
import httpx
import numpy as np
import pytest

from parking.drivers.rules import UPLOADS_PER_DRIVER_MAX
from tests.factories.api import ApiWorld
from tests.factories.lane_world import PLATE

STAFF = "/staff/graphql"
SECRET = b"GPS 52.5200 N 13.4050 E <script>alert(1)</script>"
BIND = """
mutation Bind($plate: String!) { bindPlate(input: {plate: $plate}) {
  ... on PlateClaimed { claim { id licencePictures } }
} }
"""
REVIEWS = """
{ claimsInReview { id plate inReview isContested licencePictures { url uploadedAt } } }
"""
DECIDE = {
    "refuse": """
mutation Refuse($id: ID!) { refusePlateBinding(input: {claimId: $id, reason: UNREADABLE}) {
  ... on BindingRefused { claimId }
} }
""",
    "approve": """
mutation Approve($id: ID!) { approvePlateBinding(input: {claimId: $id, licenceChecked: true}) {
  ... on BindingApproved { plate }
} }
""",
}


def picture(extension: str = ".jpg", width_px: int = 320, height_px: int = 200) -> bytes:
    ramp = np.linspace(0, 255, width_px * height_px * 3).astype(np.uint8)
    return cv2.imencode(extension, ramp.reshape(height_px, width_px, 3))[1].tobytes()


def with_secrets() -> bytes:
    """A JPEG with metadata before the picture and a second file behind it."""
    plain = picture()
    metadata = b"\xff\xe1" + (len(SECRET) + 2).to_bytes(2) + SECRET
    return plain[:2] + metadata + plain[2:] + b"PK\x03\x04" + SECRET


def chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return len(content).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)


def with_more_pixels(bytes_more: int) -> bytes:
    """A PNG of 64 x 64 whose pixels inflate to more than there are of them."""
    header = chunk(b"IHDR", (64).to_bytes(4) * 2 + b"\x08\x02\0\0\0")
    pixels = zlib.compress(b"\0" * (64 * (1 + 64 * 3) + bytes_more))
    end = chunk(b"IEND", b"")
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + chunk(b"IDAT", pixels[:99])
        + chunk(b"IDAT", pixels[99:])
        + end
    )


async def claim(api: ApiWorld, token: str, plate: str = PLATE) -> str:
    claimed: str = (await api.ask(BIND, {"plate": plate}, token=token))["bindPlate"]["claim"]["id"]
    return claimed


async def upload(
    api: ApiWorld,
    token: str | None,
    claim_id: str,
    content: bytes | None = None,
    kind: str = "image/jpeg",
) -> httpx.Response:
    headers = {"content-type": kind} | ({"authorization": f"Bearer {token}"} if token else {})
    return await api.http.post(
        f"/plate-claims/{claim_id}/pictures",
        content=picture() if content is None else content,
        headers=headers,
    )


async def stored(api: ApiWorld) -> list[dict[str, Any]]:
    return await api.lanes.rows("SELECT * FROM licence_pictures ORDER BY id")


@pytest.fixture
def staff(api: ApiWorld) -> str:
    return api.tokens.issue_staff(api.lanes.entry.operator_id, "Ada")[0]


@pytest.fixture
async def driver_id(api: ApiWorld) -> UUID:
    return await api.lanes.add_driver("ZZ99999")


@pytest.fixture
async def driver(api: ApiWorld, driver_id: UUID) -> str:
    return await api.token_of(driver_id)


async def test_staff_see_the_picture_and_nothing_that_hid_in_it(
    api: ApiWorld, staff: str, driver: str
) -> None:
    claim_id = await claim(api, driver)
    sent = await upload(api, driver, claim_id, with_secrets())
    assert (sent.status_code, sent.json()) == (201, {"pictures": 1})
    [row] = await stored(api)
    assert row["picture_sealed"][:1] == b"\x01"
    [waiting] = (await api.ask(REVIEWS, token=staff, path=STAFF))["claimsInReview"]
    assert (waiting["plate"], waiting["inReview"], waiting["isContested"]) == (PLATE, False, False)
    [shown] = waiting["licencePictures"]
    path = shown["url"].removeprefix(api.lanes.context.public_url)
    seen = await api.http.get(path, headers={"authorization": f"Bearer {staff}"})
    assert (seen.status_code, seen.headers["content-type"]) == (200, "image/jpeg")
    assert seen.headers["cache-control"] == "private, no-store"
    assert seen.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert SECRET not in seen.content
    assert b"PK\x03\x04" not in seen.content
    assert b"\xff\xe1" not in seen.content[:64]
    made = cv2.imdecode(np.frombuffer(seen.content, np.uint8), cv2.IMREAD_COLOR)
    assert made is not None
    assert made.shape == (200, 320, 3)
    for token, status in ((driver, 401), (None, 401), ("x", 401)):
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        assert (await api.http.get(path, headers=headers)).status_code == status
    for wrong in ("x", path.rpartition("/")[2][:-4] + "AAAA"):
        answer = await api.http.get(
            f"/staff/licence-pictures/{wrong}", headers={"authorization": f"Bearer {staff}"}
        )
        assert (answer.status_code, answer.json()) == (404, {"code": "PICTURE_UNKNOWN"})


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b"GIF89a", "image/gif", 415, "INVALID_INPUT"),
        (picture(), "text/html", 415, "INVALID_INPUT"),
        (b"", "image/jpeg", 400, "INVALID_INPUT"),
        (b"%PDF-1.7", "image/jpeg", 400, "INVALID_INPUT"),
        (picture()[:200], "image/jpeg", 400, "INVALID_INPUT"),
        (picture(width_px=32, height_px=32), "image/jpeg", 400, "INVALID_INPUT"),
        (picture(".png"), "image/png", 201, None),
        (with_more_pixels(0), "image/png", 201, None),
        (with_more_pixels(1_000_000), "image/png", 400, "INVALID_INPUT"),
        (picture(".webp"), "image/webp", 201, None),
        (b"x" * (8 * 1024 * 1024 + 1), "image/jpeg", 413, "PAYLOAD_TOO_LARGE"),
    ],
    ids=["gif", "html", "empty", "pdf", "cut", "tiny", "png", "own", "bomb", "webp", "large"],
)
async def test_only_whole_pictures_of_known_kinds_are_kept(
    api: ApiWorld, driver: str, content: bytes, kind: str, status: int, code: str | None
) -> None:
    claim_id = await claim(api, driver)
    sent = await upload(api, driver, claim_id, content, kind)
    assert (sent.status_code, sent.json().get("code")) == (status, code)
    assert len(await stored(api)) == (1 if code is None else 0)


async def test_a_claim_has_four_pictures_and_a_driver_twelve_a_day(
    api: ApiWorld, driver: str, driver_id: UUID
) -> None:
    small = picture(width_px=64, height_px=64)
    for number in range(3):
        claim_id = await claim(api, driver, f"AB {number}{number}")
        for _ in range(4):
            assert (await upload(api, driver, claim_id, small)).status_code == 201
        refused = await upload(api, driver, claim_id, small)
        assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_PICTURES")
    other = await claim(api, driver)
    assert (await upload(api, driver, other, small)).status_code == 429
    assert len(await stored(api)) == 12
    api.lanes.wait(days=1, seconds=1)
    driver = await api.token_of(driver_id)
    other = await claim(api, driver)
    assert (await upload(api, driver, other, small)).status_code == 201


async def test_broken_pictures_are_counted_too(api: ApiWorld, driver: str) -> None:
    claim_id = await claim(api, driver)
    for _ in range(UPLOADS_PER_DRIVER_MAX):
        assert (await upload(api, driver, claim_id, b"GIF89a")).status_code == 400
    refused = await upload(api, driver, claim_id)
    assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_REQUESTS")
    assert refused.headers["retry-after"] == "3600"
    assert await stored(api) == []


async def test_nobody_sends_pictures_for_somebody_elses_claim(api: ApiWorld, driver: str) -> None:
    claim_id = await claim(api, driver)
    _, other = await api.add_driver("YY11111")
    refused = [await upload(api, other, claim_id), await upload(api, other, "x")]
    assert [(one.status_code, one.json()["code"]) for one in refused] == [
        (404, "CLAIM_NOT_FOUND")
    ] * 2
    assert refused[0].content == refused[1].content
    assert (await upload(api, None, claim_id)).status_code == 401
    assert await stored(api) == []


@pytest.mark.parametrize("decision", ["approve", "refuse"])
async def test_the_period_of_a_picture_begins_with_the_decision(
    api: ApiWorld, staff: str, driver: str, driver_id: UUID, decision: str
) -> None:
    claim_id = await claim(api, driver)
    await upload(api, driver, claim_id)
    now = api.lanes.clock.now()
    assert [(row["ends_at"] - now).days for row in await stored(api)] == [30]
    [waiting] = (await api.ask(REVIEWS, token=staff, path=STAFF))["claimsInReview"]
    api.lanes.wait(hours=1)
    await api.ask(DECIDE[decision], {"id": waiting["id"]}, token=staff, path=STAFF)
    assert [row["ends_at"] for row in await stored(api)] == [api.lanes.clock.now()]
    again = await upload(api, await api.token_of(driver_id), claim_id)
    assert (again.status_code, again.json()["code"]) == (409, "CLAIM_REFUSED")
    assert (await api.ask(REVIEWS, token=staff, path=STAFF))["claimsInReview"] == []
    [event] = await api.lanes.rows(
        "SELECT payload FROM outbox WHERE type IN ('PlateBound', 'PlateClaimRefused')"
    )
    assert UUID(event["payload"]["driver_id"])
    assert event["payload"].get("refusal") == (None if decision == "approve" else "unreadable")
