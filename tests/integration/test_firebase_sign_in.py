"""Whose account a Firebase token opens: on a real database."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from httpx import ASGITransport, AsyncClient
from sqlmodel import select

from parking.drivers import phone_change, rules
from parking.drivers.codes import Asker
from parking.drivers.confirmation import require_confirmed
from parking.drivers.errors import (
    FirebaseSignInTooOldError,
    FirebaseTokenRefusedError,
    ReauthenticationRequiredError,
    TooManyRequestsError,
)
from parking.drivers.firebase_sign_in import sign_in_with_firebase
from parking.drivers.models import Driver, FirebaseAccount, SignIn
from parking.drivers.purposes import CodePurpose
from parking.drivers.service import SignedIn
from parking.drivers.texting import SmsPolicy
from sesame.sandbox.firebase import FirebaseStandInUser
from tests.factories.firebase import FirebaseWorld, open_firebase_world
from tests.factories.identity import ADDRESS, PHONE, World, open_world

UID = "uid-1"
OTHER_PHONE = "+16502530000"


@dataclass(frozen=True, slots=True)
class Stage:
    """Both sides."""

    world: World
    firebase: FirebaseWorld

    def user(self, uid: str = UID, phone: str | None = PHONE) -> None:
        self.firebase.google.add_user(FirebaseStandInUser(uid, phone))

    def token(self, uid: str = UID, age_s: int = 0) -> str:
        proven_at = int(self.world.clock.now().timestamp()) - age_s
        return self.firebase.google.mint(uid, auth_time=proven_at)

    async def sign_in(self, token: str) -> SignedIn:
        return await sign_in_with_firebase(
            self.world.database,
            self.world.tokens,
            self.firebase.verifier,
            id_token=token,
            device_name="Phone",
            client_address=ADDRESS,
        )


@pytest.fixture
async def stage(database_url: str) -> AsyncGenerator[Stage]:
    async with open_world(database_url) as world, open_firebase_world(world.clock) as firebase:
        yield Stage(world, firebase)


async def count(stage: Stage, row: type[Driver | FirebaseAccount | SignIn]) -> int:
    async with stage.world.database.begin() as unit:
        return len((await unit.session.exec(select(row))).all())


async def test_the_number_leads_to_the_account_that_has_it(stage: Stage) -> None:
    by_code = await stage.world.sign_in(PHONE)
    stage.user()
    assert (await stage.sign_in(stage.token())).driver_id == by_code.driver_id
    assert await count(stage, Driver) == 1


async def test_a_new_user_gets_an_account_that_a_code_opens_too(stage: Stage) -> None:
    stage.user()
    signed_in = await stage.sign_in(stage.token())
    assert (await stage.world.sign_in(PHONE)).driver_id == signed_in.driver_id
    identity = stage.world.tokens.verify_driver(signed_in.access_token)
    assert identity.driver_id == signed_in.driver_id


async def test_from_the_second_time_on_the_firebase_account_counts_alone(stage: Stage) -> None:
    stage.user()
    first = await stage.sign_in(stage.token())
    other = await stage.world.sign_in(OTHER_PHONE)
    # The user changes the number at Firebase to one that has another account here.
    stage.user(phone=OTHER_PHONE)
    again = await stage.sign_in(stage.token(age_s=4000))
    assert again.driver_id == first.driver_id
    assert other.driver_id != first.driver_id


async def test_a_number_that_the_driver_gave_up_opens_nothing_of_theirs(stage: Stage) -> None:
    """Firebase knows a user by the number: whoever gets it next is the same user there."""
    stage.user()
    owner = await stage.sign_in(stage.token())
    stage.world.clock.advance(timedelta(minutes=1))
    await change_number(stage, owner, OTHER_PHONE)
    with pytest.raises(FirebaseSignInTooOldError):
        await stage.sign_in(stage.token(age_s=301))
    stranger = await stage.sign_in(stage.token())
    assert stranger.driver_id != owner.driver_id
    assert (await stage.sign_in(stage.token(age_s=4000))).driver_id == stranger.driver_id
    assert (await stage.world.sign_in(OTHER_PHONE)).driver_id == owner.driver_id
    assert (await count(stage, FirebaseAccount), await count(stage, Driver)) == (1, 2)


async def test_a_user_without_a_number_keeps_the_account_when_its_number_changes(
    stage: Stage,
) -> None:
    stage.user(phone=None)
    owner = await stage.sign_in(stage.token())
    stage.world.clock.advance(timedelta(minutes=1))
    await change_number(stage, owner, OTHER_PHONE)
    assert (await stage.sign_in(stage.token())).driver_id == owner.driver_id


async def change_number(stage: Stage, owner: SignedIn, phone: str) -> None:
    world = stage.world
    asker, policy = Asker(ADDRESS), SmsPolicy()
    identity = world.tokens.verify_driver(owner.access_token)
    asked = await phone_change.request_number_change(
        world.database, world.sms, identity, phone, asker=asker, policy=policy
    )
    async with world.database.begin() as unit:
        changed = await phone_change.change_number(
            unit,
            identity,
            request_id=asked.request_id,
            phone_number=phone,
            code=world.last_code(),
        )
    assert isinstance(changed, phone_change.NumberChanged)


async def test_a_number_that_was_proven_long_ago_opens_nothing(stage: Stage) -> None:
    await stage.world.sign_in(PHONE)
    for uid, phone in ((UID, PHONE), ("uid-2", OTHER_PHONE)):
        stage.user(uid, phone)
        with pytest.raises(FirebaseSignInTooOldError):
            await stage.sign_in(stage.token(uid, age_s=301))
    assert (await count(stage, FirebaseAccount), await count(stage, Driver)) == (0, 1)
    assert await count(stage, SignIn) == 1
    assert (await stage.sign_in(stage.token(age_s=298))).driver_id


async def test_a_user_without_a_number_has_an_account_of_their_own(stage: Stage) -> None:
    by_code = await stage.world.sign_in(PHONE)
    stage.user(phone=None)
    first = await stage.sign_in(stage.token())
    assert first.driver_id != by_code.driver_id
    assert (await stage.sign_in(stage.token())).driver_id == first.driver_id
    assert await count(stage, Driver) == 2


async def test_two_phones_at_one_moment_make_one_account(stage: Stage) -> None:
    stage.user(phone=None)
    signed_in = await asyncio.gather(*(stage.sign_in(stage.token()) for _ in range(4)))
    assert len({one.driver_id for one in signed_in}) == 1
    assert (await count(stage, Driver), await count(stage, FirebaseAccount)) == (1, 1)


async def test_a_dump_shows_no_uid(stage: Stage) -> None:
    stage.user()
    await stage.sign_in(stage.token())
    async with stage.world.database.begin() as unit:
        row = (await unit.session.exec(select(FirebaseAccount))).one()
    assert UID not in repr(row)
    assert stage.world.vault.open(row.uid_sealed, context="firebase_uid") == UID


async def test_what_firebase_proved_long_ago_confirms_nothing(stage: Stage) -> None:
    stage.user(phone=None)
    old = await stage.sign_in(stage.token(age_s=301))
    fresh = await stage.sign_in(stage.token(age_s=290))
    async with stage.world.database.begin() as unit:
        old_identity = stage.world.tokens.verify_driver(old.access_token)
        with pytest.raises(ReauthenticationRequiredError):
            await require_confirmed(unit, old_identity, CodePurpose.DELETE_ACCOUNT)
        identity = stage.world.tokens.verify_driver(fresh.access_token)
        await require_confirmed(unit, identity, CodePurpose.DELETE_ACCOUNT)


async def test_guesses_from_one_address_are_counted(stage: Stage) -> None:
    for _ in range(rules.SIGN_INS_PER_ADDRESS_MAX):
        with pytest.raises(FirebaseTokenRefusedError):
            await stage.sign_in("x")
    stage.user()
    with pytest.raises(TooManyRequestsError):
        await stage.sign_in(stage.token())
    assert (await count(stage, Driver), stage.firebase.google.fetched) == (0, 0)
    stage.world.clock.advance(timedelta(hours=1))
    assert (await stage.sign_in(stage.token())).driver_id


async def test_a_user_is_added_to_the_stand_in_by_hand(stage: Stage) -> None:
    transport = ASGITransport(stage.firebase.google.app)
    async with AsyncClient(transport=transport, base_url="http://127.0.0.1") as by_hand:
        added = await by_hand.post("/_users", json={"uid": UID, "phoneNumber": PHONE})
        nobody = await by_hand.post("/_users", json={"uid": ""})
    by_code = await stage.world.sign_in(PHONE)
    assert (await stage.sign_in(added.json()["idToken"])).driver_id == by_code.driver_id
    assert (nobody.status_code, list(stage.firebase.google.users)) == (400, [UID])
    async with AsyncClient(transport=transport, base_url="http://google.test") as remote:
        assert (await remote.post("/_users", json={"uid": "uid-2"})).status_code == 403
    assert list(stage.firebase.google.users) == [UID]
