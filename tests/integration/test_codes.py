"""What an attacker may not do with codes: cost money, guess, or learn who has an account."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from parking.drivers import rules, service
from parking.drivers.code_texts import code_text
from parking.drivers.errors import TooManyRequestsError
from parking.drivers.purposes import CodePurpose
from parking.drivers.texting import SmsPolicy
from parking.kit.errors import InvalidInputError
from tests.factories.identity import PHONE, World, open_world

ANY_SMS = SmsPolicy()
# Allocated ones of a town; the last four digits are a range's own.
TOWN = "+1650253"


@pytest.fixture
async def world(database_url: str) -> AsyncGenerator[World]:
    async with open_world(database_url) as world:
        yield world


async def ask(
    world: World, phone: str, index: int = 0, *, policy: SmsPolicy = ANY_SMS, app: str | None = None
) -> None:
    await service.request_sign_in_code(
        world.database,
        world.sms,
        phone_number=phone,
        # Another network each time: only the limit in question counts.
        client_address=f"198.18.{index // 250}.{index % 250}",
        installation_id=app,
        policy=policy,
    )


def test_a_code_cannot_be_guessed() -> None:
    assert 10**rules.CODE_DIGITS >= 2**20
    assert timedelta(minutes=10) >= rules.CODE_PERIOD


async def test_a_range_of_numbers_gets_a_hundred_codes_an_hour(world: World) -> None:
    for index in range(rules.CODES_PER_RANGE_MAX):
        await ask(world, f"{TOWN}{index:04d}", index)
    with pytest.raises(TooManyRequestsError) as refused:
        await ask(world, f"{TOWN}9999", 101)
    assert refused.value.retry_after_s == 3600
    assert len(world.sms.messages) == 100
    await ask(world, "+16502540000", 102)


async def test_an_installation_gets_ten_codes_an_hour(world: World) -> None:
    for index in range(rules.CODES_PER_INSTALLATION_MAX):
        await ask(world, f"{TOWN}{index:04d}", index, app="fid-1")
    with pytest.raises(TooManyRequestsError):
        await ask(world, f"{TOWN}9999", 11, app="fid-1")
    await ask(world, f"{TOWN}9999", 11, app="fid-2")
    for wrong in ("", "x" * 129, "\u00e9", "a\x00"):
        with pytest.raises(InvalidInputError, match="installation_id"):
            await ask(world, f"{TOWN}9999", 11, app=wrong)
    assert len(world.sms.messages) == 11


async def test_a_day_of_messages_has_a_budget(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = SmsPolicy(codes_per_day_max=5)
    for index in range(5):
        await ask(world, f"{TOWN}{index:04d}", index, policy=policy)
        world.clock.advance(timedelta(hours=2))
    assert capsys.readouterr().out.count("sign_in_codes.day_nearly_exhausted") == 1
    with pytest.raises(TooManyRequestsError) as refused:
        await ask(world, PHONE, policy=policy)
    assert refused.value.retry_after_s == 14 * 3600
    assert "sign_in_codes.day_exhausted" in capsys.readouterr().out
    world.clock.advance(timedelta(hours=14))
    await ask(world, PHONE, policy=policy)
    assert len(world.sms.messages) == 6


async def test_the_same_is_done_for_a_number_with_and_without_an_account(world: World) -> None:
    await world.sign_in(PHONE)
    done: list[list[str]] = []

    def note(*given: Any) -> None:  # noqa: ANN401 - SQLAlchemy's arguments
        done[-1].append(given[2])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        for phone in ("+16502530000", PHONE):
            done.append([])
            await ask(world, phone)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    unknown, known = done
    assert unknown == known
    assert len(known) > 4


@pytest.mark.parametrize("purpose", CodePurpose)
@pytest.mark.parametrize("locale", ["", "de", "en", "fr", "zh-CN"])
def test_every_message_begins_with_its_code(purpose: CodePurpose, locale: str) -> None:
    text = code_text("1234567", purpose, locale)
    assert text.startswith("1234567 ")
    assert len(text) <= (70 if locale == "zh-CN" else 160)
