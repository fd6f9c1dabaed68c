"""Signing in with codes, refreshing, ending: on a real database."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select

from parking.drivers import rules, service, sign_in_check
from parking.drivers.errors import (
    SignInCodeExpiredError,
    SignInCodeWrongError,
    TooManyRequestsError,
)
from parking.drivers.models import (
    Device,
    Driver,
    PhoneNumber,
    RequestCount,
    SignIn,
    SignInCode,
    TargetKind,
)
from parking.drivers.port import NullSmsSender, SmsNotSentError
from parking.drivers.service import SignedIn
from parking.drivers.texting import SmsPolicy
from parking.events.models import OutboxRow
from parking.kit.errors import InvalidInputError
from parking.kit.token_errors import TokenRefusedError
from parking.kit.tokens import DriverIdentity, RefreshToken
from tests.factories.identity import ADDRESS, PHONE, World, open_world
from tests.factories.push_targets import target_of

ANY_SMS = SmsPolicy()


@pytest.fixture
async def world(database_url: str) -> AsyncGenerator[World]:
    async with open_world(database_url) as world:
        yield world


async def request(
    world: World, phone: str = PHONE, address: str = ADDRESS, policy: SmsPolicy = ANY_SMS
) -> UUID:
    asked = await service.request_sign_in_code(
        world.database, world.sms, phone_number=phone, client_address=address, policy=policy
    )
    return asked.request_id


def other_code(code: str) -> str:
    return f"{(int(code) + 1) % 10**7:07d}"


async def events(world: World) -> list[tuple[str, dict[str, object]]]:
    async with world.database.begin() as unit:
        rows = await unit.session.exec(select(OutboxRow).order_by(col(OutboxRow.id)))
        return [(row.type, row.payload) for row in rows]


async def refresh(world: World, token: str) -> SignedIn | Exception:
    async with world.database.begin() as unit:
        return await service.refresh_sign_in(unit, world.tokens, token)


async def stands(world: World, signed_in: SignedIn) -> bool:
    identity = DriverIdentity(
        signed_in.driver_id, signed_in.sign_in_id, signed_in.access_expires_at
    )
    return await sign_in_check.stands(world.database, identity)


async def test_a_new_number_gets_an_account_and_keeps_it(world: World) -> None:
    first = await world.sign_in(" +49 151 12345678 ")
    again = await world.sign_in(PHONE)
    assert again.driver_id == first.driver_id
    assert again.sign_in_id != first.sign_in_id
    assert first.access_expires_at == world.clock.now().replace(microsecond=0) + timedelta(
        minutes=15
    )
    assert first.refresh_expires_at == world.clock.now() + timedelta(days=60)
    identity = world.tokens.verify_driver(first.access_token)
    assert identity == DriverIdentity(first.driver_id, first.sign_in_id, first.access_expires_at)
    message = world.sms.messages[0]
    assert message.phone_number == PHONE
    assert message.text == (
        f"{message.text[:7]} is your Sesame code. Nobody from Sesame will ask you for it."
    )
    # Of one moment, so that their ids are in no order.
    told = {(name, payload["is_first"]) for name, payload in await events(world)}
    assert told == {("DriverSignedIn", True), ("DriverSignedIn", False)}


async def test_a_dump_shows_neither_number_nor_code_nor_token(world: World) -> None:
    signed_in = await world.sign_in()
    async with world.database.begin() as unit:
        dumped = repr(
            [
                (await unit.session.exec(select(row))).all()
                for row in (PhoneNumber, SignInCode, SignIn, Driver)
            ]
        )
        phone = (await unit.session.exec(select(PhoneNumber))).one()
    assert PHONE not in dumped
    assert PHONE[1:] not in dumped
    assert world.last_code() not in dumped
    assert signed_in.refresh_token not in dumped
    assert world.vault.open(phone.phone_sealed, context="phone") == PHONE


async def test_a_code_works_once(world: World) -> None:
    request_id = await request(world)
    code = world.last_code()
    assert isinstance(await world.try_sign_in(request_id, code), SignedIn)
    assert isinstance(await world.try_sign_in(request_id, code), SignInCodeExpiredError)


async def test_a_code_works_once_also_for_two_at_the_same_moment(world: World) -> None:
    request_id = await request(world)
    code = world.last_code()
    results = await asyncio.gather(*(world.try_sign_in(request_id, code) for _ in range(4)))
    assert sum(isinstance(result, SignedIn) for result in results) == 1
    assert sum(isinstance(result, SignInCodeExpiredError) for result in results) == 3


async def test_five_attempts_and_no_more(world: World) -> None:
    request_id = await request(world)
    code = world.last_code()
    left: list[int] = []
    for _ in range(5):
        refused = await world.try_sign_in(request_id, other_code(code))
        assert isinstance(refused, SignInCodeWrongError)
        left.append(refused.attempts_left)
    assert left == [4, 3, 2, 1, 0]
    assert isinstance(await world.try_sign_in(request_id, code), SignInCodeExpiredError)
    async with world.database.begin() as unit:
        assert (await unit.session.exec(select(Driver))).all() == []


async def test_a_code_lives_ten_minutes(world: World) -> None:
    request_id = await request(world)
    code = world.last_code()
    world.clock.advance(timedelta(minutes=10))
    assert isinstance(await world.try_sign_in(request_id, code), SignInCodeExpiredError)


async def test_a_code_belongs_to_its_request_and_its_number(world: World) -> None:
    first = await request(world)
    first_code = world.last_code()
    second = await request(world)
    second_code = world.last_code()
    assert isinstance(await world.try_sign_in(uuid4(), second_code), SignInCodeExpiredError)
    other_number = await world.try_sign_in(second, second_code, phone="+16502530000")
    assert isinstance(other_number, SignInCodeExpiredError)
    if first_code != second_code:
        crossed = await world.try_sign_in(first, second_code)
        assert isinstance(crossed, SignInCodeWrongError)
    assert isinstance(await world.try_sign_in(first, first_code), SignedIn)


async def test_a_number_gets_five_codes_an_hour(world: World) -> None:
    for index in range(5):
        await request(world, address=f"203.0.113.{index}")
    world.clock.advance(timedelta(minutes=20))
    with pytest.raises(TooManyRequestsError) as refused:
        await request(world, address="203.0.113.99")
    assert refused.value.retry_after_s == 2400
    assert len(world.sms.messages) == 5
    await request(world, "+16502530000", "203.0.113.99")
    world.clock.advance(timedelta(minutes=40))
    await request(world)
    assert len(world.sms.messages) == 7


async def test_the_limit_holds_for_requests_at_the_same_moment(world: World) -> None:
    results = await asyncio.gather(*(request(world) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(result, UUID) for result in results) == 5
    assert sum(isinstance(result, TooManyRequestsError) for result in results) == 3
    assert len(world.sms.messages) == 5


async def test_an_address_gets_thirty_codes_an_hour(world: World) -> None:
    for index in range(rules.CODES_PER_ADDRESS_MAX):
        await request(world, f"+1650253{index:04d}", f"2001:db8::{index:x}")
    with pytest.raises(TooManyRequestsError):
        await request(world, "+16502539999", "2001:db8::ffff")
    assert len(world.sms.messages) == 30


async def test_a_network_gets_a_hundred_and_twenty_codes_an_hour(world: World) -> None:
    for index in range(rules.CODES_PER_NETWORK_MAX):
        await request(world, f"+1650{253 + index % 2}{index:04d}", f"2001:db8:0:{index:x}::1")
    with pytest.raises(TooManyRequestsError):
        await request(world, "+16502539999", "2001:db8:0:ffff::1")
    assert len(world.sms.messages) == 120
    await request(world, "+16502539999", "2001:db8:1::1")


async def test_the_whole_service_has_a_limit(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = SmsPolicy(codes_per_hour_max=2)
    for index in range(2):
        await request(world, f"+1650253{index:04d}", f"203.0.113.{index}", policy)
    world.clock.advance(timedelta(minutes=20))
    with pytest.raises(TooManyRequestsError) as refused:
        await request(world, "+16502539999", "198.51.100.1", policy)
    assert refused.value.retry_after_s == 2400
    assert "sign_in_codes.exhausted" in capsys.readouterr().out
    assert len(world.sms.messages) == 2
    world.clock.advance(timedelta(minutes=40))
    await request(world, "+16502539999", "198.51.100.1", policy)


async def test_a_number_that_costs_too_much_is_not_even_counted(world: World) -> None:
    for number in ("+979123456789", "+881612345678", "+447012345678"):
        with pytest.raises(InvalidInputError):
            await request(world, number)
    with pytest.raises(InvalidInputError):
        await request(world, PHONE, policy=SmsPolicy(countries=frozenset({"CN"})))
    async with world.database.begin() as unit:
        assert (await unit.session.exec(select(RequestCount))).all() == []
        assert (await unit.session.exec(select(SignInCode))).all() == []
    assert world.sms.messages == []


async def test_an_address_gets_sixty_tries_an_hour(world: World) -> None:
    for _ in range(rules.SIGN_INS_PER_ADDRESS_MAX):
        assert isinstance(await world.try_sign_in(uuid4(), "000000"), SignInCodeExpiredError)
    assert isinstance(await world.try_sign_in(uuid4(), "000000"), TooManyRequestsError)


async def test_a_refused_number_stores_and_sends_nothing(world: World) -> None:
    with pytest.raises(InvalidInputError):
        await request(world, "12345")
    async with world.database.begin() as unit:
        assert (await unit.session.exec(select(SignInCode))).all() == []
    assert world.sms.messages == []


async def test_without_a_gateway_the_request_says_so(world: World) -> None:
    with pytest.raises(SmsNotSentError):
        await service.request_sign_in_code(
            world.database, NullSmsSender(), phone_number=PHONE, client_address=ADDRESS
        )


async def test_refresh_tokens_rotate(world: World) -> None:
    first = await world.sign_in()
    world.clock.advance(timedelta(days=59))
    second = await refresh(world, first.refresh_token)
    assert isinstance(second, SignedIn)
    assert (second.driver_id, second.sign_in_id) == (first.driver_id, first.sign_in_id)
    assert second.refresh_token != first.refresh_token
    world.clock.advance(timedelta(days=59))
    assert isinstance(await refresh(world, second.refresh_token), SignedIn)


@pytest.mark.parametrize("seconds", [0, 29])
async def test_an_answer_that_got_lost_is_given_once_more(world: World, seconds: int) -> None:
    first = await world.sign_in()
    second = await refresh(world, first.refresh_token)
    world.clock.advance(timedelta(seconds=seconds))
    again = await refresh(world, first.refresh_token)
    assert isinstance(second, SignedIn)
    assert isinstance(again, SignedIn)
    assert again.refresh_token == second.refresh_token
    assert again.refresh_expires_at == second.refresh_expires_at
    assert await stands(world, again)
    assert isinstance(await refresh(world, again.refresh_token), SignedIn)
    async with world.database.begin() as unit:
        [row] = (await unit.session.exec(select(SignIn))).all()
    # Neither token is kept: what is kept opens nothing.
    assert row.refresh_digest not in (first.refresh_token.encode(), second.refresh_token.encode())


async def test_an_old_refresh_token_ends_the_sign_in_after_the_grace(world: World) -> None:
    first = await world.sign_in()
    second = await refresh(world, first.refresh_token)
    assert isinstance(second, SignedIn)
    world.clock.advance(rules.REFRESH_GRACE)
    assert isinstance(await refresh(world, first.refresh_token), TokenRefusedError)
    assert isinstance(await refresh(world, second.refresh_token), TokenRefusedError)
    assert not await stands(world, second)
    told = await events(world)
    assert told[-1][0] == "SignInEnded"
    assert told[-1][1]["reason"] == "token_reused"
    assert len(told) == 2


async def test_an_old_refresh_token_ends_the_sign_in_once_its_successor_is_used(
    world: World,
) -> None:
    first = await world.sign_in()
    second = await refresh(world, first.refresh_token)
    assert isinstance(second, SignedIn)
    third = await refresh(world, second.refresh_token)
    assert isinstance(third, SignedIn)
    assert isinstance(await refresh(world, first.refresh_token), TokenRefusedError)
    assert not await stands(world, third)
    assert isinstance(await refresh(world, third.refresh_token), TokenRefusedError)


async def test_no_grace_brings_back_a_sign_in_that_ended(world: World) -> None:
    first = await world.sign_in()
    second = await refresh(world, first.refresh_token)
    assert isinstance(second, SignedIn)
    async with world.database.begin() as unit:
        await service.end_one(unit, first.driver_id, first.sign_in_id, reason="signed_out")
    assert isinstance(await refresh(world, first.refresh_token), TokenRefusedError)


async def test_two_refreshes_with_one_token_at_the_same_moment(world: World) -> None:
    first = await world.sign_in()
    results = await asyncio.gather(*(refresh(world, first.refresh_token) for _ in range(2)))
    tokens = {result.refresh_token for result in results if isinstance(result, SignedIn)}
    assert len(tokens) == 1
    assert [type(result) for result in results] == [SignedIn, SignedIn]
    assert await stands(world, first)


async def test_a_forged_refresh_token_ends_nothing(world: World) -> None:
    signed_in = await world.sign_in()
    forged = signed_in.refresh_token[:-4] + "AAAA"
    assert isinstance(await refresh(world, forged), TokenRefusedError)
    unknown = RefreshToken.mint(world.vault, uuid4(), uuid4()).text
    assert isinstance(await refresh(world, unknown), TokenRefusedError)
    assert await stands(world, signed_in)
    assert isinstance(await refresh(world, signed_in.refresh_token), SignedIn)


async def test_a_sign_in_ends_when_it_is_not_refreshed(world: World) -> None:
    signed_in = await world.sign_in()
    world.clock.advance(timedelta(days=60))
    assert isinstance(await refresh(world, signed_in.refresh_token), TokenRefusedError)


async def test_signing_out_ends_one_sign_in_and_its_pushes(world: World) -> None:
    here, there = await world.sign_in(), await world.sign_in()
    async with world.database.begin() as unit:
        for signed_in, target in ((here, "token-here"), (there, "token-there")):
            await service.register_device(
                unit,
                here.driver_id,
                TargetKind.TOKEN,
                target,
                "ios",
                sign_in_id=signed_in.sign_in_id,
            )
    for _ in range(2):
        async with world.database.begin() as unit:
            identity = world.tokens.verify_driver(here.access_token)
            await service.sign_out(unit, identity)
    assert (await stands(world, here), await stands(world, there)) == (False, True)
    assert await active_targets(world) == [(here.driver_id, "token-there")]
    assert [name for name, _ in await events(world)].count("SignInEnded") == 1


async def test_a_driver_has_at_most_twenty_sign_ins(world: World) -> None:
    first = await world.sign_in()
    later: list[SignedIn] = []
    for _ in range(20):
        world.clock.advance(timedelta(minutes=13))
        later.append(await world.sign_in())
    assert not await stands(world, first)
    assert [await stands(world, one) for one in later] == [True] * 20
    async with world.database.begin() as unit:
        standing = await unit.session.exec(
            select(SignIn.id).where(col(SignIn.revoked_at).is_(None))
        )
        assert len(standing.all()) == 20


async def active_targets(world: World) -> list[tuple[UUID, str]]:
    async with world.database.begin() as unit:
        statement = select(Device).where(col(Device.disabled_at).is_(None))
        devices = (await unit.session.exec(statement)).all()
    return sorted((device.driver_id, target_of(world.vault, device)) for device in devices)


async def put_device(world: World, driver_id: UUID, target: str = "target") -> UUID:
    async with world.database.begin() as unit:
        return await service.register_device(unit, driver_id, TargetKind.FID, target, "android")


async def test_registering_a_device_twice_is_one_device(world: World) -> None:
    driver_id = await world.add_driver()
    assert await put_device(world, driver_id) == await put_device(world, driver_id)
    assert await active_targets(world) == [(driver_id, "target")]


async def test_a_phone_that_changes_hands(world: World) -> None:
    one, other = await world.add_driver(), await world.add_driver()
    first = await put_device(world, one)
    await put_device(world, other)
    assert await active_targets(world) == [(other, "target")]
    assert await put_device(world, one) == first
    assert await active_targets(world) == [(one, "target")]


async def test_two_drivers_register_one_target_at_the_same_moment(world: World) -> None:
    drivers = [await world.add_driver() for _ in range(4)]
    await asyncio.gather(*(put_device(world, driver_id) for driver_id in drivers))
    assert len(await active_targets(world)) == 1


async def test_a_driver_has_at_most_twenty_devices(world: World) -> None:
    driver_id = await world.add_driver()
    for index in range(22):
        world.clock.advance(timedelta(seconds=1))
        await put_device(world, driver_id, f"target-{index:02d}")
    expected = [(driver_id, f"target-{index:02d}") for index in range(2, 22)]
    assert await active_targets(world) == expected
