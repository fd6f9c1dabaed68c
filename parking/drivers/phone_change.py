"""Another phone number: asked for by a driver who proved who they are, proven by a code to it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from parking.drivers import events, rules
from parking.drivers.account_rows import lock_account
from parking.drivers.code_texts import number_changed_text
from parking.drivers.codes import (
    Asker,
    CodeRequest,
    CodeUse,
    limit_codes,
    phone_index,
    store_code,
    use_code,
)
from parking.drivers.confirmation import require_confirmed
from parking.drivers.deliveries import find_locale
from parking.drivers.errors import PhoneNumberTakenError
from parking.drivers.models import PhoneNumber
from parking.drivers.port import SmsMessage, SmsSender
from parking.drivers.purposes import CodePurpose
from parking.drivers.texting import SmsPolicy, textable_phone
from parking.events import outbox
from parking.kit.database import Database, UnitOfWork
from parking.kit.errors import ParkingError
from parking.kit.ids import new_id
from parking.kit.tokens import DriverIdentity


@dataclass(frozen=True, slots=True)
class NumberChanged:
    """The number is the driver's.

    Attributes:
        farewells: To the numbers that are not theirs any more; sent after the commit.
    """

    farewells: Sequence[SmsMessage] = field(default=(), repr=False)


async def request_number_change(
    database: Database,
    sender: SmsSender,
    identity: DriverIdentity,
    phone_number: str,
    *,
    asker: Asker,
    policy: SmsPolicy,
) -> CodeRequest:
    """Send a code to the number that is to be the driver's; whose it is now is not looked at.

    Raises:
        ReauthenticationRequiredError: the driver did not prove a short time ago who they are.
        InvalidInputError: no phone number reads so, or none that the policy pays for.
        TooManyRequestsError: too many codes were asked for.
        SmsNotSentError: the gateway did not take it.
    """
    number = textable_phone(phone_number, policy)
    async with database.begin() as unit:
        await require_confirmed(unit, identity, CodePurpose.CHANGE_PHONE_NUMBER)
        await limit_codes(unit, number, asker, policy)
        request, message = store_code(
            unit,
            number,
            purpose=CodePurpose.NEW_PHONE_NUMBER,
            sign_in_id=identity.sign_in_id,
            locale=await find_locale(unit, identity.driver_id) or "",
        )
    # After the commit: the gateway may be slow, and the driver may type the code at once.
    await sender.send(message)
    return request


async def change_number(
    unit: UnitOfWork, identity: DriverIdentity, *, request_id: UUID, phone_number: str, code: str
) -> NumberChanged | ParkingError:
    """Make a number the driver's only one, if the code proves it.

    Raises:
        InvalidInputError: no phone number reads so.
        TokenRefusedError: the account is gone.
    """
    number = rules.normalise_phone(phone_number)
    await lock_account(unit, identity.driver_id)
    index = phone_index(unit.vault, number)
    use = CodeUse(request_id, CodePurpose.NEW_PHONE_NUMBER, identity.sign_in_id)
    refusal = await use_code(unit, index, use, code)
    if refusal is not None:
        return refusal
    phone = PhoneNumber(
        phone_index=index,
        driver_id=identity.driver_id,
        phone_sealed=unit.vault.seal(number, context=rules.PHONE_CONTEXT),
        verified_at=unit.now(),
    )
    if await _owner(unit, phone) != identity.driver_id:
        return PhoneNumberTakenError()
    former = await _forget_others(unit, phone)
    if former:
        outbox.append(unit, events.phone_number_changed(unit, identity.driver_id))
    text = number_changed_text(await find_locale(unit, identity.driver_id) or "")
    return NumberChanged([SmsMessage(new_id(unit.now()), one, text) for one in former])


async def _owner(unit: UnitOfWork, phone: PhoneNumber) -> UUID:
    statement = (
        insert(PhoneNumber)
        .values(**phone.model_dump())
        .on_conflict_do_update(
            index_elements=["phone_index"],
            set_={"verified_at": phone.verified_at},
            where=col(PhoneNumber.driver_id) == phone.driver_id,
        )
    )
    await unit.run(statement)
    owner = select(PhoneNumber.driver_id).where(col(PhoneNumber.phone_index) == phone.phone_index)
    return (await unit.session.exec(owner)).one()


async def _forget_others(unit: UnitOfWork, phone: PhoneNumber) -> list[str]:
    """Delete the driver's other numbers; returns them in E.164."""
    statement = (
        delete(PhoneNumber)
        .where(col(PhoneNumber.driver_id) == phone.driver_id)
        .where(col(PhoneNumber.phone_index) != phone.phone_index)
        .returning(col(PhoneNumber.phone_sealed))
    )
    sealed = (await unit.run(statement)).scalars().all()
    return [unit.vault.open(one, context=rules.PHONE_CONTEXT) for one in sealed]
