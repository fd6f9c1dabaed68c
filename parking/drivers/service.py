"""Signing in with a code sent by SMS, keeping it alive, ending it; where pushes go.

A refusal that must leave a trace (a counted attempt, an ended sign-in) is returned, not raised:
raising would roll the trace back.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from parking.drivers import events, repository, rules, web_push
from parking.drivers.codes import (
    Asker,
    CodeRequest,
    CodeUse,
    limit,
    limit_codes,
    phone_index,
    store_code,
    use_code,
)
from parking.drivers.errors import TooManyRequestsError
from parking.drivers.models import Device, PhoneNumber, SignIn, TargetKind
from parking.drivers.port import SmsSender
from parking.drivers.texting import SmsPolicy, textable_phone
from parking.events import outbox
from parking.kit.database import Database, UnitOfWork
from parking.kit.errors import ParkingError
from parking.kit.ids import new_id
from parking.kit.token_errors import TokenRefusedError
from parking.kit.tokens import DriverIdentity, RefreshToken, TokenIssuer

_ANY_SMS: Final = SmsPolicy()


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A sign-in with its tokens; the refresh token is valid once."""

    driver_id: UUID
    sign_in_id: UUID
    access_token: str = field(repr=False)
    access_expires_at: datetime
    refresh_token: str = field(repr=False)
    refresh_expires_at: datetime


async def request_sign_in_code(
    database: Database,
    sender: SmsSender,
    *,
    phone_number: str,
    client_address: str,
    installation_id: str | None = None,
    policy: SmsPolicy = _ANY_SMS,
) -> CodeRequest:
    """Send a code to a number; the answer is the same whether or not the number has an account.

    Raises:
        InvalidInputError: no phone number reads so, or none that the policy pays for.
        TooManyRequestsError: the number, the address, its network or everybody asked too often.
        SmsNotSentError: the gateway did not take it.
    """
    number = textable_phone(phone_number, policy)
    async with database.begin() as unit:
        await limit_codes(unit, number, Asker(client_address, installation_id), policy)
        request, message = store_code(unit, number)
    # After the commit: the gateway may be slow, and the driver may type the code at once.
    await sender.send(message)
    return request


async def sign_in(
    unit: UnitOfWork,
    tokens: TokenIssuer,
    *,
    request_id: UUID,
    phone_number: str,
    code: str,
    device_name: str,
    client_address: str,
) -> SignedIn | ParkingError:
    """Sign in with the code of one request; a number that is new gets an account.

    Raises:
        InvalidInputError: no phone number reads so, or the device's name is unusable.
    """
    number = rules.normalise_phone(phone_number)
    device_name = rules.check_device_name(device_name)
    index = phone_index(unit.vault, number)
    try:
        group = rules.address_group(client_address)
        await limit(unit, "address.sign_ins", group, requests_max=rules.SIGN_INS_PER_ADDRESS_MAX)
    except TooManyRequestsError as error:
        return error
    refusal = await use_code(unit, index, CodeUse(request_id), code)
    if refusal is not None:
        return refusal
    now = unit.now()
    phone = PhoneNumber(
        phone_index=index,
        driver_id=new_id(now),
        phone_sealed=unit.vault.seal(number, context=rules.PHONE_CONTEXT),
        verified_at=now,
    )
    driver_id = await repository.driver_of_phone(unit, phone)
    return await open_sign_in(unit, tokens, driver_id, device_name, authenticated_at=now)


async def open_sign_in(
    unit: UnitOfWork,
    tokens: TokenIssuer,
    driver_id: UUID,
    device_name: str,
    *,
    authenticated_at: datetime,
) -> SignedIn:
    """Sign a driver in who has proven who they are; the oldest sign-in gives way to too many.

    Args:
        unit: The transaction.
        tokens: Signs the access token.
        driver_id: Who signs in.
        device_name: As `rules.check_device_name` returned it.
        authenticated_at: When they proved it; not in the future.
    """
    is_first = not await repository.has_signed_in(unit, driver_id)
    for displaced in await repository.displaced_sign_ins(unit, driver_id):
        await end_one(unit, displaced.driver_id, displaced.id, reason="displaced")
    now = unit.now()
    refresh = RefreshToken.mint(unit.vault, driver_id, new_id(now))
    row = SignIn(
        driver_id=driver_id,
        id=refresh.sign_in_id,
        refresh_digest=refresh.digest(unit.vault),
        device_name=device_name,
        created_at=now,
        authenticated_at=authenticated_at,
        refreshed_at=now,
        expires_at=now + rules.SIGN_IN_PERIOD,
    )
    unit.session.add(row)
    outbox.append(unit, events.driver_signed_in(row, is_first=is_first))
    return _signed_in(tokens, refresh, row.expires_at)


async def refresh_sign_in(
    unit: UnitOfWork, tokens: TokenIssuer, refresh_token: str
) -> SignedIn | ParkingError:
    """Exchange a refresh token for new tokens; a token that was exchanged before ends the sign-in.

    Whoever holds a copy of a used token, thief or owner: one of them is the wrong one. Only who
    comes again within REFRESH_GRACE, before the new token was used, gets that one once more: the
    answer may have been lost.
    """
    try:
        token = RefreshToken.read(unit.vault, refresh_token)
    except TokenRefusedError as error:
        return error
    expires_at = unit.now() + rules.SIGN_IN_PERIOD
    fresh = token.successor(unit.vault)
    renewed = SignIn(
        driver_id=token.owner_id,
        id=token.sign_in_id,
        refresh_digest=fresh.digest(unit.vault),
        device_name="",
        created_at=unit.now(),
        authenticated_at=unit.now(),
        refreshed_at=unit.now(),
        expires_at=expires_at,
    )
    old_digest = token.digest(unit.vault)
    if await repository.rotate_refresh(unit, renewed, old_digest=old_digest, expires_at=expires_at):
        return _signed_in(tokens, fresh, expires_at)
    since = unit.now() - rules.REFRESH_GRACE
    lasts_until = await repository.lately_refreshed(unit, renewed, since=since)
    if lasts_until is None:
        await end_one(unit, token.owner_id, token.sign_in_id, reason="token_reused")
        return TokenRefusedError()
    return _signed_in(tokens, fresh, lasts_until)


async def sign_out(unit: UnitOfWork, identity: DriverIdentity) -> None:
    """End the sign-in and the pushes to its device; idempotent."""
    await end_one(unit, identity.driver_id, identity.sign_in_id, reason="signed_out")


async def register_device(
    unit: UnitOfWork,
    driver_id: UUID,
    target_kind: TargetKind,
    target: str,
    platform: str,
    *,
    sign_in_id: UUID | None = None,
    push_keys: dict[str, str] | None = None,
) -> UUID:
    """Send this driver's pushes to a target; returns the device's id. Idempotent.

    A target has one driver: for any other it is disabled with the same commit. What a browser
    gave has been checked by `parking.drivers.web_push`.

    Raises:
        InvalidInputError: the target or the platform is unusable.
    """
    rules.check_target(target, platform)
    target_index = rules.target_index(unit.vault, target)
    await repository.lock_target(unit, target_index)
    await repository.disable_target_of_others(unit, driver_id, target_index)
    device = Device(
        driver_id=driver_id,
        id=new_id(unit.now()),
        sign_in_id=sign_in_id,
        target_kind=target_kind,
        target_index=target_index,
        target_sealed=unit.vault.seal(target, context=rules.TARGET_CONTEXT),
        push_keys_sealed=None if push_keys is None else web_push.seal_keys(unit.vault, push_keys),
        platform=platform,
        registered_at=unit.now(),
    )
    device_id = await repository.put_device(unit, device)
    await repository.disable_surplus_devices(unit, driver_id)
    return device_id


def _signed_in(tokens: TokenIssuer, refresh: RefreshToken, expires_at: datetime) -> SignedIn:
    access_token, access_expires_at = tokens.issue_driver(refresh.owner_id, refresh.sign_in_id)
    return SignedIn(
        driver_id=refresh.owner_id,
        sign_in_id=refresh.sign_in_id,
        access_token=access_token,
        access_expires_at=access_expires_at,
        refresh_token=refresh.text,
        refresh_expires_at=expires_at,
    )


async def end_one(unit: UnitOfWork, driver_id: UUID, sign_in_id: UUID, *, reason: str) -> None:
    """End one sign-in and the pushes to its device; one that has ended stays as it is."""
    ended = await repository.end_sign_in(unit, driver_id, sign_in_id)
    if ended is not None:
        outbox.append(unit, events.sign_in_ended(unit, ended, reason=reason))
