"""What only a driver may do who proved a short time ago who they are."""

from api.request import Info
from parking.drivers.confirmation import require_confirmed
from parking.drivers.purposes import CodePurpose
from parking.kit.tokens import DriverIdentity


async def confirmed_driver(info: Info, purpose: CodePurpose) -> DriverIdentity:
    """Return who is signed in, if they proved who they are, for this purpose.

    Raises:
        ReauthenticationRequiredError: their sign-in and their last code are too old.
        TokenRefusedError: nobody is signed in.
    """
    identity = await info.context.driver()
    async with info.context.parking.database.begin() as unit:
        await require_confirmed(unit, identity, purpose)
    return identity
