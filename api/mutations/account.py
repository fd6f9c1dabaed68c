"""The driver's own account: who is signed in, and proving again who asks."""

from datetime import datetime
from typing import Annotated

import strawberry
import structlog

from api.acting import Given, outcome_of, raise_refusal, refusable
from api.global_ids import decode_id, encode_id
from api.refusals import ConfirmationPurpose
from api.request import Info
from api.types.sign_in import DEVICE_ID, SIGN_IN_ID
from parking.drivers import confirmation, phone_change, signed_in_devices
from parking.drivers.codes import Asker
from parking.drivers.port import SmsNotSentError
from parking.drivers.purposes import CodePurpose
from parking.flows.accounts import deletion

REQUEST_ID = "ConfirmationRequest"

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@strawberry.type(description="A code is on its way to the driver's number by SMS.")
class ConfirmationCodeSent:
    """A code is on its way."""

    request_id: strawberry.ID = strawberry.field(description="Goes back with the code.")
    expires_at: datetime = strawberry.field(description="When the code stops working.")


@strawberry.type(description="The driver has proven who they are, for one purpose.")
class Confirmed:
    """The driver has proven who they are."""

    purpose: ConfirmationPurpose = strawberry.field(description="What needs no other code now.")
    confirmed_until: datetime = strawberry.field(description="Until then, on this sign-in.")


@strawberry.type(description="The sign-in has ended, and so have the pushes to its device.")
class SignInEnded:
    """The sign-in has ended."""

    sign_in_id: strawberry.ID = strawberry.field(description="The one that was named.")


@strawberry.type(description="Every sign-in but this one has ended.")
class OtherSignInsEnded:
    """The other sign-ins have ended."""

    ended_count: int = strawberry.field(description="How many ended now.")


@strawberry.type(description="No push goes to the device any more, until it registers again.")
class DeviceRemoved:
    """The device is removed."""

    device_id: strawberry.ID = strawberry.field(description="The one that was named.")


@strawberry.type(description="Codes go to the new number, and signing in works by it alone.")
class PhoneNumberChanged:
    """The number is the driver's."""

    changed_at: datetime = strawberry.field(description="From then on.")


@strawberry.type(description="The account is gone.")
class AccountDeleted:
    """The account is gone."""

    deleted_at: datetime = strawberry.field(description="From then on no token opens anything.")


@strawberry.input
class RequestConfirmationCodeInput:
    """What the code is for."""

    purpose: ConfirmationPurpose = strawberry.field(
        description="The message names it; the code works for nothing else."
    )
    installation_id: str | None = strawberry.field(
        default=None, description="As in `requestSignInCode`."
    )


@strawberry.input
class ConfirmWithCodeInput:
    """A code, and what it was asked for."""

    request_id: strawberry.ID = strawberry.field(description="Of `requestConfirmationCode`.")
    purpose: ConfirmationPurpose = strawberry.field(description="What the code was asked for.")
    code: str = strawberry.field(description="As the message gave it.")


@strawberry.input
class RequestPhoneNumberChangeInput:
    """The new number."""

    phone_number: str = strawberry.field(description="With its country, such as `+8613800138000`.")
    installation_id: str | None = strawberry.field(
        default=None, description="As in `requestSignInCode`."
    )


@strawberry.input
class ChangePhoneNumberInput:
    """The new number, and the code that was sent to it."""

    request_id: strawberry.ID = strawberry.field(description="Of `requestPhoneNumberChange`.")
    phone_number: str = strawberry.field(description="As it was asked for.")
    code: str = strawberry.field(description="As the message gave it.")


@strawberry.input
class EndSignInInput:
    """Which sign-in."""

    sign_in_id: strawberry.ID = strawberry.field(description="From `viewer.signIns`.")


@strawberry.input
class RemoveDeviceInput:
    """Which device."""

    device_id: strawberry.ID = strawberry.field(description="From `viewer.devices`.")


@refusable
async def request_confirmation_code(
    info: Info, given: Annotated[RequestConfirmationCodeInput, Given]
) -> ConfirmationCodeSent:
    """Send a code for one purpose."""
    identity = await info.context.driver()
    request = await confirmation.request_confirmation_code(
        info.context.parking.database,
        info.context.config.sms,
        identity,
        CodePurpose(given.purpose),
        asker=Asker(info.context.client_address, given.installation_id),
        policy=info.context.config.sms_policy,
    )
    return ConfirmationCodeSent(
        request_id=encode_id(REQUEST_ID, request.request_id), expires_at=request.expires_at
    )


@refusable
async def confirm_with_code(info: Info, given: Annotated[ConfirmWithCodeInput, Given]) -> Confirmed:
    """Prove with a code who asks."""
    identity = await info.context.driver()
    request_id = decode_id(given.request_id, kind=REQUEST_ID, field="requestId")
    async with info.context.parking.database.begin() as unit:
        outcome = await confirmation.confirm_with_code(
            unit,
            identity,
            request_id=request_id,
            purpose=CodePurpose(given.purpose),
            code=given.code,
        )
    return Confirmed(purpose=given.purpose, confirmed_until=raise_refusal(outcome))


@refusable
async def end_sign_in(info: Info, given: Annotated[EndSignInInput, Given]) -> SignInEnded:
    """End one of the driver's sign-ins."""
    driver_id = await info.context.driver_id()
    sign_in_id = decode_id(given.sign_in_id, kind=SIGN_IN_ID, field="signInId")
    async with info.context.parking.database.begin() as unit:
        await signed_in_devices.end_sign_in(unit, driver_id, sign_in_id)
    return SignInEnded(sign_in_id=given.sign_in_id)


@refusable
async def end_other_sign_ins(info: Info) -> OtherSignInsEnded:
    """End every sign-in but this one."""
    identity = await info.context.driver()
    async with info.context.parking.database.begin() as unit:
        ended = await signed_in_devices.end_other_sign_ins(unit, identity)
    return OtherSignInsEnded(ended_count=ended)


@refusable
async def remove_device(info: Info, given: Annotated[RemoveDeviceInput, Given]) -> DeviceRemoved:
    """Stop the pushes to a device."""
    driver_id = await info.context.driver_id()
    device_id = decode_id(given.device_id, kind=DEVICE_ID, field="deviceId")
    async with info.context.parking.database.begin() as unit:
        await signed_in_devices.remove_device(unit, driver_id, device_id)
    return DeviceRemoved(device_id=given.device_id)


@refusable
async def request_phone_number_change(
    info: Info, given: Annotated[RequestPhoneNumberChangeInput, Given]
) -> ConfirmationCodeSent:
    """Send a code to another number."""
    identity = await info.context.driver()
    request = await phone_change.request_number_change(
        info.context.parking.database,
        info.context.config.sms,
        identity,
        given.phone_number,
        asker=Asker(info.context.client_address, given.installation_id),
        policy=info.context.config.sms_policy,
    )
    return ConfirmationCodeSent(
        request_id=encode_id(REQUEST_ID, request.request_id), expires_at=request.expires_at
    )


@refusable
async def change_phone_number(
    info: Info, given: Annotated[ChangePhoneNumberInput, Given]
) -> PhoneNumberChanged:
    """Make another number the driver's."""
    identity = await info.context.driver()
    async with info.context.parking.database.begin() as unit:
        outcome = await phone_change.change_number(
            unit,
            identity,
            request_id=decode_id(given.request_id, kind=REQUEST_ID, field="requestId"),
            phone_number=given.phone_number,
            code=given.code,
        )
    for message in raise_refusal(outcome).farewells:
        try:
            await info.context.config.sms.send(message)
        except SmsNotSentError as error:
            # The number is changed all the same; the event tells the driver's devices.
            _log.warning("phone_number.farewell_not_sent", reason=error.code)
    return PhoneNumberChanged(changed_at=info.context.parking.clock.now())


@refusable
async def delete_account(info: Info) -> AccountDeleted:
    """Delete the driver's account."""
    identity = await info.context.driver()
    await deletion.delete_account(info.context.parking, identity)
    return AccountDeleted(deleted_at=info.context.parking.clock.now())


@strawberry.type
class AccountMutations:
    """The mutations of this module."""

    request_confirmation_code = strawberry.mutation(
        request_confirmation_code,
        graphql_type=outcome_of(ConfirmationCodeSent, "RequestConfirmationCodeResult"),
        description="Send a one-time code to your own number, for what `REAUTHENTICATION_REQUIRED` "
        "asked for. `PHONE_NUMBER_MISSING`: you have none; sign in again instead.",
    )
    confirm_with_code = strawberry.mutation(
        confirm_with_code,
        graphql_type=outcome_of(Confirmed, "ConfirmWithCodeResult"),
        description="Prove with the code that it is you; for five minutes its purpose needs no "
        "other on this sign-in.",
    )
    end_sign_in = strawberry.mutation(
        end_sign_in,
        graphql_type=outcome_of(SignInEnded, "EndSignInResult"),
        description="End one of your sign-ins and the pushes to its device, at once. Repeating it "
        "changes nothing.",
    )
    end_other_sign_ins = strawberry.mutation(
        end_other_sign_ins,
        graphql_type=outcome_of(OtherSignInsEnded, "EndOtherSignInsResult"),
        description="End every sign-in but this one, at once. Needs a sign-in or a confirmation "
        "code (END_SIGN_INS) of the last five minutes.",
    )
    remove_device = strawberry.mutation(
        remove_device,
        graphql_type=outcome_of(DeviceRemoved, "RemoveDeviceResult"),
        description="Send no more pushes to a device. Repeating it changes nothing.",
    )
    request_phone_number_change = strawberry.mutation(
        request_phone_number_change,
        graphql_type=outcome_of(ConfirmationCodeSent, "RequestPhoneNumberChangeResult"),
        description="Send a code to the number that is to be yours. Needs a sign-in or a "
        "confirmation code (CHANGE_PHONE_NUMBER) of the last five minutes.",
    )
    change_phone_number = strawberry.mutation(
        change_phone_number,
        graphql_type=outcome_of(PhoneNumberChanged, "ChangePhoneNumberResult"),
        description="Make the number yours with its code; the former one is told, and opens the "
        "account no more. `PHONE_NUMBER_TAKEN`: it has an account of its own.",
    )
    delete_account = strawberry.mutation(
        delete_account,
        graphql_type=outcome_of(AccountDeleted, "DeleteAccountResult"),
        description="Delete your account, at once and for good: plates are unbound, authorizations "
        "end at their providers too, and only the records that tax law asks for are kept, without "
        "anything that leads to you. `ACCOUNT_NOT_DELETABLE` while something is unsettled, see "
        "`viewer.deletionObstacles`. Needs a sign-in or a confirmation code (DELETE_ACCOUNT) of "
        "the last five minutes.",
    )
