"""Firebase ID tokens against a stand-in that signs as Google does: every forgery is refused."""

import base64
import hmac
import json
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from parking.drivers.errors import (
    FirebaseNotSetUpError,
    FirebaseTokenRefusedError,
    FirebaseUnavailableError,
)
from parking.drivers.firebase_port import FirebaseUser, NullFirebaseVerifier
from parking.kit.clock import ManualClock
from parking.kit.errors import InvalidInputError
from sesame.firebase.opening import open_firebase
from sesame.firebase.service_account import ServiceAccount
from sesame.firebase.verifier import GoogleFirebaseVerifier
from sesame.sandbox.fcm import new_service_account
from sesame.sandbox.firebase import FirebaseStandIn, FirebaseStandInUser
from sesame.settings import Settings
from tests.factories.firebase import ACCOUNT, OTHER_KEY, PROJECT, FirebaseWorld, open_firebase_world

START: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOW: Final = int(START.timestamp())
UID: Final = "uid-1"
PHONE: Final = "+4915112345678"
Forge = Callable[[FirebaseStandIn], str]


@pytest.fixture
async def world() -> AsyncGenerator[FirebaseWorld]:
    async with open_firebase_world(ManualClock(START)) as opened:
        opened.google.add_user(FirebaseStandInUser(UID, PHONE))
        yield opened


def saying(**changes: object) -> Forge:
    return lambda google: google.mint(UID, **changes)


def without(name: str) -> Forge:
    def forge(google: FirebaseStandIn) -> str:
        claims = {key: value for key, value in google.claims(UID).items() if key != name}
        headers = {"kid": google.key_id}
        return jwt.encode(claims, google.key, algorithm="RS256", headers=headers)

    return forge


def signed(key: Any, algorithm: str = "RS256", **headers: object) -> Forge:  # noqa: ANN401 - of any kind
    def forge(google: FirebaseStandIn) -> str:
        head = {"kid": google.key_id, **headers}
        told = {name: value for name, value in head.items() if value is not None}
        return jwt.encode(google.claims(UID), key, algorithm=algorithm, headers=told)

    return forge


def by_public_key_as_secret(google: FirebaseStandIn) -> str:
    public = google.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    # By hand: the library refuses to make what an attacker would.
    header = {"alg": "HS256", "typ": "JWT", "kid": google.key_id}
    head = ".".join(encoded(json.dumps(part).encode()) for part in (header, google.claims(UID)))
    return f"{head}.{encoded(hmac.digest(public, head.encode(), 'sha256'))}"


def altered(google: FirebaseStandIn) -> str:
    head, _, signature = google.mint(UID).split(".")
    body = json.dumps(google.claims("uid-2")).encode()
    return f"{head}.{encoded(body)}.{signature}"


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


PHONE_ORIGIN: Final = {"sign_in_provider": "phone"}
FORGED: Final[dict[str, Forge]] = {
    "empty": lambda _: "",
    "no token": lambda _: "a.b.c",
    "too long": lambda _: "x" * 9000,
    "wrong key": signed(OTHER_KEY),
    "unknown key id": lambda google: jwt.encode(
        google.claims(UID), google.key, algorithm="RS256", headers={"kid": "other"}
    ),
    "no key id": signed(OTHER_KEY, kid=None),
    "key id too long": signed(OTHER_KEY, kid="k" * 201),
    "none": signed(None, "none"),
    "HS256": signed("s" * 64, "HS256"),
    "HS256 with the public key": by_public_key_as_secret,
    "PS256 of the right key": lambda google: signed(google.key, "PS256")(google),
    "altered": altered,
    "expired": saying(exp=NOW),
    "expires never": without("exp"),
    "expires at no time": saying(exp="soon"),
    "expires beyond time": saying(exp=10**30),
    "other project": saying(aud="mountain"),
    "also our project": saying(aud=[PROJECT, "mountain"]),
    "no audience": without("aud"),
    "other issuer": saying(iss="https://securetoken.google.com/mountain"),
    "an issuer like ours": saying(iss=f"https://securetoken.google.com/{PROJECT}/"),
    "issued in the future": saying(iat=NOW + 11),
    "issued at no time": without("iat"),
    "proven in the future": saying(auth_time=NOW + 11),
    "proven at no time": without("auth_time"),
    "proven as a truth": saying(auth_time=True),
    "no user": without("sub"),
    "an empty user": saying(sub=""),
    "a user too long": saying(sub="u" * 129),
    "a user that is a number": saying(sub=7),
    "anonymous": saying(firebase={"sign_in_provider": "anonymous"}),
    "no provider": without("firebase"),
    "of a tenant": saying(firebase={**PHONE_ORIGIN, "tenant": "other"}),
    "a phone that is the user's no more": saying(phone_number="+4915100000000"),
    "a phone that is none": saying(phone_number=7),
}


async def test_a_good_token_names_user_phone_and_proof(world: FirebaseWorld) -> None:
    token = world.google.mint(UID, auth_time=NOW - 60)
    expected = FirebaseUser(UID, PHONE, START - timedelta(seconds=60))
    assert await world.verifier.verify(token) == expected


@pytest.mark.parametrize("name", FORGED)
async def test_forged_tokens(world: FirebaseWorld, name: str) -> None:
    with pytest.raises(FirebaseTokenRefusedError) as refused:
        await world.verifier.verify(FORGED[name](world.google))
    assert str(refused.value) == "idToken: expected a valid ID token of our Firebase project"
    if "phone that is the" not in name:
        # Nothing is asked about a user whom nobody vouches for.
        assert world.google.looked_up == 0


@pytest.mark.parametrize(
    "user",
    [
        FirebaseStandInUser(UID, PHONE, disabled=True),
        FirebaseStandInUser(UID, PHONE, valid_since=NOW + 1),
        FirebaseStandInUser("somebody-else", PHONE),
    ],
    ids=["disabled", "taken back", "deleted"],
)
async def test_a_token_that_was_taken_back(world: FirebaseWorld, user: FirebaseStandInUser) -> None:
    token = world.google.mint(UID)
    world.google.users.clear()
    world.google.add_user(user)
    with pytest.raises(FirebaseTokenRefusedError):
        await world.verifier.verify(token)
    assert world.google.looked_up == 1


async def test_a_number_proves_nothing_unless_the_user_signed_in_by_it(
    world: FirebaseWorld,
) -> None:
    token = world.google.mint(UID, firebase={"sign_in_provider": "google.com"})
    assert (await world.verifier.verify(token)).phone_number is None


async def test_certificates_are_kept_as_long_as_google_says(world: FirebaseWorld) -> None:
    for _ in range(3):
        await world.verifier.verify(world.google.mint(UID))
    assert world.google.fetched == 1
    world.clock.advance(timedelta(hours=6) - timedelta(seconds=1))
    await world.verifier.verify(world.google.mint(UID))
    assert world.google.fetched == 1
    world.clock.advance(timedelta(seconds=1))
    await world.verifier.verify(world.google.mint(UID))
    assert world.google.fetched == 2


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        ("", timedelta(minutes=1)),
        ("no-store", timedelta(minutes=1)),
        ("max-age=0", timedelta(minutes=1)),
        ("max-age=999999999", timedelta(hours=24)),
        ("public, max-age=600", timedelta(minutes=10)),
    ],
)
async def test_the_time_that_certificates_are_kept_has_bounds(
    world: FirebaseWorld, header: str, kept: timedelta
) -> None:
    world.google.cache_control = header
    await world.verifier.verify(world.google.mint(UID))
    world.clock.advance(kept - timedelta(seconds=1))
    await world.verifier.verify(world.google.mint(UID))
    assert world.google.fetched == 1
    world.clock.advance(timedelta(seconds=1))
    await world.verifier.verify(world.google.mint(UID))
    assert world.google.fetched == 2


async def test_unknown_key_ids_do_not_make_us_ask_google_for_each(world: FirebaseWorld) -> None:
    for number in range(5):
        with pytest.raises(FirebaseTokenRefusedError):
            await world.verifier.verify(signed(OTHER_KEY, kid=f"k{number}")(world.google))
    assert world.google.fetched == 1
    # Google changes its key in the meantime: a minute later the new one is known.
    world.google.key_id = "key-2"
    world.clock.advance(timedelta(minutes=1))
    assert (await world.verifier.verify(world.google.mint(UID))).uid == UID
    assert world.google.fetched == 2


async def test_a_certificate_counts_between_its_two_times(world: FirebaseWorld) -> None:
    assert await world.certificates.key("key-1") is not None
    # Google's own clock stands still, and with it what it gives out.
    world.google.clock = ManualClock(START)
    world.clock.advance(timedelta(days=16) - timedelta(seconds=1))
    assert await world.certificates.key("key-1") is not None
    world.clock.advance(timedelta(seconds=1))
    assert await world.certificates.key("key-1") is None


async def test_one_access_token_serves_until_it_is_nearly_over(world: FirebaseWorld) -> None:
    for _ in range(3):
        await world.verifier.verify(world.google.mint(UID))
    assert world.google.grants.given == 1
    world.clock.advance(timedelta(minutes=55))
    await world.verifier.verify(world.google.mint(UID))
    assert world.google.grants.given == 2
    world.google.grants.revoke_all()
    with pytest.raises(FirebaseUnavailableError):
        await world.verifier.verify(world.google.mint(UID))
    assert (await world.verifier.verify(world.google.mint(UID))).uid == UID


async def test_without_google_nobody_is_let_in(world: FirebaseWorld) -> None:
    token = world.google.mint(UID)
    world.google.app.router.routes.clear()
    with pytest.raises(FirebaseUnavailableError):
        await world.verifier.verify(token)


async def test_another_account_may_not_look_up_users(
    world: FirebaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.google.grants, "_account", new_service_account(PROJECT))
    with pytest.raises(FirebaseUnavailableError):
        await world.verifier.verify(world.google.mint(UID))
    assert (world.google.grants.given, world.google.looked_up) == (0, 0)


async def test_without_settings_there_is_no_firebase() -> None:
    async with open_firebase(Settings()) as verifier:
        assert isinstance(verifier, NullFirebaseVerifier)
        with pytest.raises(FirebaseNotSetUpError):
            await verifier.verify("x")


async def test_the_settings_open_a_verifier(tmp_path: Path) -> None:
    file = tmp_path / "account.json"
    file.write_text(ACCOUNT.to_json("http://127.0.0.1:1"))
    settings = Settings(firebase_credentials_file=file)
    async with open_firebase(settings) as verifier:
        assert isinstance(verifier, GoogleFirebaseVerifier)
    plain = Settings(firebase_credentials_file=file, firebase_accounts_url="http://google.test")
    with pytest.raises(InvalidInputError, match=r"^SESAME_FIREBASE_ACCOUNTS_URL: "):
        async with open_firebase(plain):
            pass


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"private_key": 7}', "x" * 70_000])
def test_a_file_that_is_no_service_account(tmp_path: Path, text: str) -> None:
    file = tmp_path / "account.json"
    file.write_text(text)
    with pytest.raises(InvalidInputError, match=r"^FILE: expected a service account's JSON file"):
        ServiceAccount.read(file, name="FILE")


def test_nothing_starts_with_the_emulator_outside_development(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", "127.0.0.1:9099")
    with pytest.raises(InvalidInputError, match=r"^FIREBASE_AUTH_EMULATOR_HOST: expected no value"):
        Settings()
    assert Settings(development=True).development
