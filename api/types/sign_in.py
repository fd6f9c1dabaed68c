"""Sign-ins and devices as their driver sees them."""

from datetime import datetime

import strawberry

from api.global_ids import encode_id
from parking.drivers.models import Device, SignIn, TargetKind

SIGN_IN_ID = "SignIn"
DEVICE_ID = "Device"

strawberry.enum(
    TargetKind,
    name="TargetKind",
    description="What a push is addressed to: a Firebase installation id, or a token.",
)


@strawberry.type(name="SignIn", description="A device or browser that is signed in.")
class SignInInfo:
    """A device or browser that is signed in."""

    id: strawberry.ID = strawberry.field(description="For `endSignIn`.")
    device_name: str = strawberry.field(description="As the app gave it; may be empty.")
    created_at: datetime = strawberry.field(description="When it signed in.")
    last_used_at: datetime = strawberry.field(
        description="When it last exchanged its refresh token: at least every 15 minutes in use."
    )
    authenticated_at: datetime = strawberry.field(
        description="When the driver last proved who they are to sign in. For five minutes from "
        "then on nothing needs a confirmation code."
    )
    is_current: bool = strawberry.field(description="Whether this request came from it.")

    @classmethod
    def of(cls, row: SignIn, current: object) -> "SignInInfo":
        """Return a sign-in for its driver; `current` is the id of the one that asks."""
        return cls(
            id=encode_id(SIGN_IN_ID, row.id),
            device_name=row.device_name,
            created_at=row.created_at,
            last_used_at=row.refreshed_at,
            authenticated_at=row.authenticated_at,
            is_current=row.id == current,
        )


@strawberry.type(name="Device", description="Where the driver's pushes go.")
class DeviceInfo:
    """Where the driver's pushes go."""

    id: strawberry.ID = strawberry.field(description="For `removeDevice`.")
    kind: TargetKind = strawberry.field(description="What its target is.")
    platform: str = strawberry.field(description="`ios`, `android` or `web`.")
    registered_at: datetime = strawberry.field(description="When it last registered.")
    sign_in_id: strawberry.ID | None = strawberry.field(
        description="The sign-in that registered it; the pushes end with it."
    )

    @classmethod
    def of(cls, row: Device) -> "DeviceInfo":
        """Return a device for its driver; its target stays with us."""
        return cls(
            id=encode_id(DEVICE_ID, row.id),
            kind=row.target_kind,
            platform=row.platform,
            registered_at=row.registered_at,
            sign_in_id=None if row.sign_in_id is None else encode_id(SIGN_IN_ID, row.sign_in_id),
        )
