"""Proving again who asks, before something that a stolen phone must not be able to do.

A code that a driver asks for is bound to one purpose, which its message names, and to the sign-in
that asked: read out to a stranger, it does what the message says and nothing else.
"""

from datetime import datetime
from uuid import UUID

from parking.drivers import repository, rules
from parking.drivers.codes import (
    Asker,
    CodeRequest,
    CodeUse,
    limit_codes,
    phone_index,
    store_code,
    use_code,
)
from parking.drivers.deliveries import find_locale
from parking.drivers.errors import PhoneNumberMissingError, ReauthenticationRequiredError
from parking.drivers.models import SignIn
from parking.drivers.port import SmsSender
from parking.drivers.purposes import CodePurpose
from parking.drivers.texting import SmsPolicy, textable_phone
from parking.kit.database import Database, UnitOfWork
from parking.kit.errors import ParkingError
from parking.kit.locks import lock
from parking.kit.token_errors import TokenRefusedError
from parking.kit.tokens import DriverIdentity


async def request_confirmation_code(
    database: Database,
    sender: SmsSender,
    identity: DriverIdentity,
    purpose: CodePurpose,
    *,
    asker: Asker,
    policy: SmsPolicy,
) -> CodeRequest:
    """Send a code for one purpose to the driver's own number.

    Raises:
        PhoneNumberMissingError: there is none; signing in again proves as much.
        InvalidInputError: codes are not sent to its country any more.
        TooManyRequestsError: too many codes were asked for.
        SmsNotSentError: the gateway did not take it.
    """
    async with database.begin() as unit:
        number = textable_phone(await require_phone(unit, identity.driver_id), policy)
        await limit_codes(unit, number, asker, policy, is_own=True)
        locale = await find_locale(unit, identity.driver_id)
        request, message = store_code(
            unit, number, purpose=purpose, sign_in_id=identity.sign_in_id, locale=locale or ""
        )
    # After the commit: the gateway may be slow, and the driver may type the code at once.
    await sender.send(message)
    return request


async def confirm_with_code(
    unit: UnitOfWork, identity: DriverIdentity, *, request_id: UUID, purpose: CodePurpose, code: str
) -> datetime | ParkingError:
    """Prove with a code who asks; returns until when its purpose needs no other.

    Raises:
        PhoneNumberMissingError: the account has no number any more.
    """
    index = phone_index(unit.vault, await require_phone(unit, identity.driver_id))
    use = CodeUse(request_id, purpose, identity.sign_in_id)
    refusal = await use_code(unit, index, use, code)
    if refusal is not None:
        return refusal
    row = await lock(unit, SignIn, driver_id=identity.driver_id, id=identity.sign_in_id)
    if row is None or row.revoked_at is not None:
        return TokenRefusedError()
    row.confirmed_for, row.confirmed_at = purpose, unit.now()
    return row.confirmed_at + rules.CONFIRMED_PERIOD


async def require_confirmed(
    unit: UnitOfWork, identity: DriverIdentity, purpose: CodePurpose
) -> None:
    """Let only drivers go on who proved a short time ago, for this purpose, who they are.

    Raises:
        ReauthenticationRequiredError: the sign-in and its last code are too old, or the code was
            for something else.
        TokenRefusedError: the sign-in has ended.
    """
    row = await repository.find_sign_in(unit, identity.driver_id, identity.sign_in_id)
    if row is None or row.revoked_at is not None:
        raise TokenRefusedError
    if not rules.is_confirmed(row, purpose, unit.now()):
        raise ReauthenticationRequiredError(purpose)


async def require_phone(unit: UnitOfWork, driver_id: UUID) -> str:
    """Return the driver's number in E.164.

    Raises:
        PhoneNumberMissingError: there is none.
    """
    sealed = await repository.find_phone(unit, driver_id)
    if sealed is None:
        raise PhoneNumberMissingError
    return unit.vault.open(sealed, context=rules.PHONE_CONTEXT)
