"""One-time codes by SMS: how often they are sent, and that each works once, for one purpose."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from prometheus_client import Counter

from parking.drivers import repository, rules
from parking.drivers.code_texts import code_text
from parking.drivers.errors import (
    SignInCodeExpiredError,
    SignInCodeWrongError,
    TooManyRequestsError,
)
from parking.drivers.models import SignInCode
from parking.drivers.port import SmsMessage
from parking.drivers.purposes import CodePurpose
from parking.drivers.texting import SmsPolicy
from parking.kit.crypto import Vault, same_digest
from parking.kit.database import UnitOfWork
from parking.kit.errors import ParkingError
from parking.kit.ids import new_id

# From this share of the day's budget on, a person should look at who asks.
_WARN_SHARE = 0.8
_CODES = Counter("sesame_codes", "One-time codes asked for, by what became of it", ["became"])
_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Asker:
    """From where a code is asked for.

    Attributes:
        address: The client's network address.
        installation_id: What the app calls itself on this device; None where it does not say.
    """

    address: str
    installation_id: str | None = None


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """A code is on its way; `request_id` goes back with it."""

    request_id: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class CodeUse:
    """What a code is shown for; all of it must be what the code was made for.

    Attributes:
        sign_in_id: Whose code it is; None to sign in.
    """

    request_id: UUID
    purpose: CodePurpose = CodePurpose.SIGN_IN
    sign_in_id: UUID | None = None


def phone_index(vault: Vault, phone_number: str) -> UUID:
    """Return the key under which a number (E.164) is found."""
    return vault.blind_index(rules.PHONE_CONTEXT, phone_number)


async def limit_codes(
    unit: UnitOfWork, number: str, asker: Asker, policy: SmsPolicy, *, is_own: bool = False
) -> None:
    """Count a code against every limit.

    Args:
        unit: The transaction.
        number: Where it goes.
        asker: Who wants it sent.
        policy: What is paid for.
        is_own: Whether who asks is signed in, and the number is theirs. Anybody may ask to sign in
            with it: that must not keep its owner from confirming what only they can.

    Raises:
        TooManyRequestsError: one of them is reached.
    """
    try:
        await _count(unit, number, asker, policy, is_own=is_own)
    except TooManyRequestsError:
        _CODES.labels("refused").inc()
        raise
    _CODES.labels("sent").inc()


async def limit_exports(unit: UnitOfWork, driver_id: UUID) -> None:
    """Count an export of an account: each reads all that there is.

    Raises:
        TooManyRequestsError: there were too many.
    """
    await limit(unit, "driver.exports", str(driver_id), requests_max=rules.EXPORTS_PER_DRIVER_MAX)


async def limit_uploads(unit: UnitOfWork, driver_id: UUID) -> None:
    """Count a picture that a driver sends, a broken one too: each is work to decode.

    Raises:
        TooManyRequestsError: there were too many.
    """
    await limit(unit, "driver.uploads", str(driver_id), requests_max=rules.UPLOADS_PER_DRIVER_MAX)


async def limit(
    unit: UnitOfWork,
    kind: str,
    text: str,
    *,
    requests_max: int,
    window: timedelta = rules.RATE_WINDOW,
) -> int:
    """Count one request of a kind; returns how many there were.

    Raises:
        TooManyRequestsError: it is one too many for the window.
    """
    key = unit.vault.blind_index(kind, text)
    requests, ends_at = await repository.count_request(unit, key, window)
    if requests > requests_max:
        raise TooManyRequestsError(max(1, int((ends_at - unit.now()).total_seconds())))
    return requests


def store_code(
    unit: UnitOfWork,
    number: str,
    *,
    purpose: CodePurpose = CodePurpose.SIGN_IN,
    sign_in_id: UUID | None = None,
    locale: str = "en",
) -> tuple[CodeRequest, SmsMessage]:
    """Make a code; the message is to be sent after the commit."""
    now = unit.now()
    code = f"{secrets.randbelow(10**rules.CODE_DIGITS):0{rules.CODE_DIGITS}d}"
    row = SignInCode(
        phone_index=phone_index(unit.vault, number),
        id=new_id(now),
        purpose=purpose,
        sign_in_id=sign_in_id,
        code_digest=b"",
        created_at=now,
        expires_at=now + rules.CODE_PERIOD,
    )
    row.code_digest = _code_digest(unit.vault, row.id, code)
    unit.session.add(row)
    text = code_text(code, purpose, locale)
    message = SmsMessage(
        row.id,
        number,
        text,
        template=f"code_{purpose}",
        language=locale.partition("-")[0],
        values={"code": code},
    )
    return CodeRequest(row.id, row.expires_at), message


async def use_code(unit: UnitOfWork, index: UUID, use: CodeUse, code: str) -> ParkingError | None:
    """Use up a code of a number; returns why it cannot be used, and counts that too."""
    row = await repository.lock_code(unit, index, use.request_id)
    if row is None or (row.purpose, row.sign_in_id) != (use.purpose, use.sign_in_id):
        return SignInCodeExpiredError()
    refusal = rules.code_refusal(row, unit.now())
    if refusal is not None:
        return refusal
    row.attempts += 1
    if not same_digest(row.code_digest, _code_digest(unit.vault, row.id, code)):
        return SignInCodeWrongError(rules.CODE_ATTEMPTS_MAX - row.attempts)
    row.used_at = unit.now()
    return None


async def _count(
    unit: UnitOfWork, number: str, asker: Asker, policy: SmsPolicy, *, is_own: bool
) -> None:
    # Always in this order: two requests never wait for each other's counters. Everybody's come
    # last, where they are locked for the shortest time.
    network = rules.address_network(asker.address)
    if network is not None:
        await limit(unit, "network.codes", network, requests_max=rules.CODES_PER_NETWORK_MAX)
    group = rules.address_group(asker.address)
    await limit(unit, "address.codes", group, requests_max=rules.CODES_PER_ADDRESS_MAX)
    if asker.installation_id is not None:
        installation = rules.check_installation(asker.installation_id)
        most = rules.CODES_PER_INSTALLATION_MAX
        await limit(unit, "installation.codes", installation, requests_max=most)
    kind = "confirmations" if is_own else "codes"
    await limit(unit, f"phone.{kind}", number, requests_max=rules.CODES_PER_PHONE_MAX)
    block = rules.number_range(number)
    await limit(unit, f"range.{kind}", block, requests_max=rules.CODES_PER_RANGE_MAX)
    await _count_all(unit, policy)


async def _count_all(unit: UnitOfWork, policy: SmsPolicy) -> None:
    # Nobody can sign in until the time is over: a person must look at who asks.
    hour_max, day_max = policy.codes_per_hour_max, policy.codes_per_day_max
    try:
        await limit(unit, "all.codes", "", requests_max=hour_max)
    except TooManyRequestsError:
        _log.error("sign_in_codes.exhausted", codes_per_hour_max=hour_max)
        raise
    try:
        sent = await limit(unit, "day.codes", "", requests_max=day_max, window=rules.DAY_WINDOW)
    except TooManyRequestsError:
        _log.error("sign_in_codes.day_exhausted", codes_per_day_max=day_max)
        raise
    if sent == int(day_max * _WARN_SHARE):
        _log.warning("sign_in_codes.day_nearly_exhausted", sent=sent, codes_per_day_max=day_max)


def _code_digest(vault: Vault, request_id: UUID, code: str) -> bytes:
    # The request's id is the salt: the same code twice has two digests.
    return vault.digest("sign_in_code", f"{request_id}|{code}")
