"""Signing in and out, and where pushes go."""

from datetime import datetime
from typing import Annotated

import strawberry

from api.acting import Given, outcome_of, raise_refusal, refusable
from api.global_ids import decode_id, encode_id
from api.request import Info
from api.types.sign_in import DEVICE_ID
from api.viewer import Viewer
from parking.drivers import firebase_sign_in, models, service, web_push
from parking.drivers.web_push import WebPushTerms
from parking.kit.errors import InvalidInputError


@strawberry.type(description="A code is on its way by SMS.")
class SignInCodeSent:
    """A code is on its way."""

    request_id: strawberry.ID = strawberry.field(description="Goes back with the code.")
    expires_at: datetime


@strawberry.type(description="The tokens of a sign-in.")
class SignedIn:
    """The tokens of a sign-in."""

    access_token: str = strawberry.field(description="For `Authorization: Bearer`.")
    access_token_expires_at: datetime
    refresh_token: str = strawberry.field(
        description="Valid once; using an old one again ends the sign-in."
    )
    refresh_token_expires_at: datetime

    @classmethod
    def of(cls, signed_in: service.SignedIn) -> "SignedIn":
        """Return the tokens for the client."""
        return cls(
            access_token=signed_in.access_token,
            access_token_expires_at=signed_in.access_expires_at,
            refresh_token=signed_in.refresh_token,
            refresh_token_expires_at=signed_in.refresh_expires_at,
        )


@strawberry.type(description="The sign-in has ended, and so have the pushes to its device.")
class SignedOut:
    """The sign-in has ended."""

    viewer_id: strawberry.ID


@strawberry.type(description="Pushes go to this device.")
class DeviceRegistered:
    """Pushes go to this device."""

    device_id: strawberry.ID


@strawberry.input
class RequestSignInCodeInput:
    """Whom to send a code."""

    phone_number: str = strawberry.field(description="With its country, such as `+8613800138000`.")
    installation_id: str | None = strawberry.field(
        default=None,
        description="By which the app tells this installation from others, such as its Firebase "
        "installation id; codes are limited by it too.",
    )


@strawberry.input
class SignInInput:
    """A code, and the request that it belongs to."""

    request_id: strawberry.ID
    phone_number: str
    code: str
    device_name: str = strawberry.field(
        default="", description="Shown in the list of sign-ins, such as `Ada's phone`."
    )


@strawberry.input
class SignInWithFirebaseInput:
    """What Firebase's client library gave the app."""

    id_token: str = strawberry.field(description="A fresh ID token of our Firebase project.")
    device_name: str = strawberry.field(
        default="", description="Shown in the list of sign-ins, such as `Ada's phone`."
    )


@strawberry.input
class RefreshSignInInput:
    """The newest refresh token."""

    refresh_token: str


@strawberry.input
class WebPushKeysInput:
    """What a browser's `PushSubscription` has in `keys`."""

    p256dh: str = strawberry.field(description="Its public key, base64url.")
    auth: str = strawberry.field(description="Its secret, base64url.")


@strawberry.input
class RegisterDeviceInput:
    """Where pushes go."""

    kind: models.TargetKind
    target: str = strawberry.field(
        description="The installation id, the token, or for WEB_PUSH the subscription's `endpoint`."
    )
    platform: str = strawberry.field(description="`ios`, `android` or `web`.")
    keys: WebPushKeysInput | None = strawberry.field(
        default=None, description="Of the subscription: for WEB_PUSH, and only for it."
    )


@refusable
async def request_sign_in_code(
    info: Info, given: Annotated[RequestSignInCodeInput, Given]
) -> SignInCodeSent:
    """Send a code by SMS."""
    request = await service.request_sign_in_code(
        info.context.parking.database,
        info.context.config.sms,
        phone_number=given.phone_number,
        client_address=info.context.client_address,
        installation_id=given.installation_id,
        policy=info.context.config.sms_policy,
    )
    return SignInCodeSent(
        request_id=encode_id("SignInRequest", request.request_id), expires_at=request.expires_at
    )


@refusable
async def sign_in(info: Info, given: Annotated[SignInInput, Given]) -> SignedIn:
    """Sign in with a code."""
    request_id = decode_id(given.request_id, kind="SignInRequest", field="requestId")
    async with info.context.parking.database.begin() as unit:
        outcome = await service.sign_in(
            unit,
            info.context.config.tokens,
            request_id=request_id,
            phone_number=given.phone_number,
            code=given.code,
            device_name=given.device_name,
            client_address=info.context.client_address,
        )
    return SignedIn.of(raise_refusal(outcome))


@refusable
async def sign_in_with_firebase(
    info: Info, given: Annotated[SignInWithFirebaseInput, Given]
) -> SignedIn:
    """Sign in with a Firebase ID token."""
    signed_in = await firebase_sign_in.sign_in_with_firebase(
        info.context.parking.database,
        info.context.config.tokens,
        info.context.config.firebase,
        id_token=given.id_token,
        device_name=given.device_name,
        client_address=info.context.client_address,
    )
    return SignedIn.of(signed_in)


@refusable
async def refresh_sign_in(info: Info, given: Annotated[RefreshSignInInput, Given]) -> SignedIn:
    """Exchange the refresh token for new tokens."""
    async with info.context.parking.database.begin() as unit:
        outcome = await service.refresh_sign_in(
            unit, info.context.config.tokens, given.refresh_token
        )
    return SignedIn.of(raise_refusal(outcome))


@refusable
async def sign_out(info: Info) -> SignedOut:
    """End this sign-in."""
    identity = await info.context.driver()
    async with info.context.parking.database.begin() as unit:
        await service.sign_out(unit, identity)
    return SignedOut(viewer_id=Viewer.of(identity.driver_id).id)


@refusable
async def register_device(
    info: Info, given: Annotated[RegisterDeviceInput, Given]
) -> DeviceRegistered:
    """Send the driver's pushes to a device."""
    identity = await info.context.driver()
    push_keys = _push_keys(info.context.config.web_push, given)
    async with info.context.parking.database.begin() as unit:
        device_id = await service.register_device(
            unit,
            identity.driver_id,
            given.kind,
            given.target,
            given.platform,
            sign_in_id=identity.sign_in_id,
            push_keys=push_keys,
        )
    return DeviceRegistered(device_id=encode_id(DEVICE_ID, device_id))


def _push_keys(terms: WebPushTerms | None, given: RegisterDeviceInput) -> dict[str, str] | None:
    """Return a browser's keys, once its endpoint may be called; None for any other target."""
    if given.kind != models.TargetKind.WEB_PUSH:
        if given.keys is not None:
            raise InvalidInputError("keys", "none, unless the kind is WEB_PUSH")
        return None
    if terms is None:
        raise InvalidInputError("kind", "FID or TOKEN: Web Push is not set up here")
    if given.keys is None:
        raise InvalidInputError("keys", "those of the subscription")
    terms.services.check(given.target)
    keys = {"p256dh": given.keys.p256dh, "auth": given.keys.auth}
    web_push.check_keys(keys)
    return keys


@strawberry.type
class SignInMutations:
    """The mutations of this module."""

    request_sign_in_code = strawberry.mutation(
        request_sign_in_code,
        graphql_type=outcome_of(SignInCodeSent, "RequestSignInCodeResult"),
        description="Send a one-time code by SMS. The answer is the same whether or not the number "
        "has an account. A number gets at most five codes an hour.",
    )
    sign_in = strawberry.mutation(
        sign_in,
        graphql_type=outcome_of(SignedIn, "SignInResult"),
        description="Sign in with a code; a number that is new gets an account. A code lives ten "
        "minutes, works once, and may be tried five times.",
    )
    sign_in_with_firebase = strawberry.mutation(
        sign_in_with_firebase,
        graphql_type=outcome_of(SignedIn, "SignInWithFirebaseResult"),
        description="Sign in with a Firebase ID token instead of a code. The first time, the phone "
        "number by which the driver signed in to Firebase in the last five minutes leads to the "
        "account that has it; from then on the Firebase account alone does. "
        "`FIREBASE_TOKEN_REFUSED`: the token is not valid here, or was taken back.",
    )
    refresh_sign_in = strawberry.mutation(
        refresh_sign_in,
        graphql_type=outcome_of(SignedIn, "RefreshSignInResult"),
        description="Exchange the refresh token for new tokens. Keep the new refresh token: the "
        "old one, used again, ends the sign-in.",
    )
    sign_out = strawberry.mutation(
        sign_out,
        graphql_type=outcome_of(SignedOut, "SignOutResult"),
        description="End this sign-in and the pushes to its device, at once.",
    )
    register_device = strawberry.mutation(
        register_device,
        graphql_type=outcome_of(DeviceRegistered, "RegisterDeviceResult"),
        description="Send the driver's pushes to a device. Repeat it at every start of the app.",
    )
