"""A socket does not outlive the sign-in that opened it."""

from api.request import RequestContext
from parking.drivers.events import SIGN_IN_ENDED
from parking.events.listener import Listener
from parking.events.pokes import Poke, driver_channel
from parking.kit.errors import UnavailableError
from parking.kit.token_errors import TokenRefusedError


async def wait_for_end(context: RequestContext) -> bool:
    """Return once the sign-in of a socket has ended; False where that cannot be known here.

    A lost poke costs little: every operation, and each subscription's own look, checks again.
    """
    driver_id = await context.driver_id()
    try:
        async with context.parking.bus.listen(driver_channel(driver_id)) as listener:
            await _next_end(listener)
            while await _stands(context):
                await _next_end(listener)
    except UnavailableError:
        # The bus has no place left, or closes with the process.
        return False
    return True


async def _next_end(listener: Listener) -> None:
    poke = await listener.next()
    while isinstance(poke, Poke) and poke.type != SIGN_IN_ENDED:
        poke = await listener.next()


async def _stands(context: RequestContext) -> bool:
    try:
        await context.recheck()
    except TokenRefusedError:
        return False
    except UnavailableError:
        # A database that is away ends nobody's sign-in.
        return True
    return True
