"""Whether what the domain needs answers."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text

from parking.events.pokes import Poke
from parking.flows.context import ParkingContext
from parking.kit.errors import UnavailableError

_CHANNEL: Final = "sesame:{health}"
_POKE: Final = Poke(UUID(int=0), "Health")
_ONE: Final = text("SELECT 1")


@dataclass(frozen=True, slots=True)
class Health:
    """What answers now."""

    database: bool
    valkey: bool

    @property
    def is_ready(self) -> bool:
        """Whether all of it does."""
        return self.database and self.valkey


async def check(context: ParkingContext) -> Health:
    """Ask PostgreSQL and Valkey; the caller limits the time."""
    try:
        async with context.database.begin() as unit:
            await unit.run(_ONE)
        database = True
    except UnavailableError:
        database = False
    return Health(database=database, valkey=await context.bus.publish([(_CHANNEL, _POKE)]))
