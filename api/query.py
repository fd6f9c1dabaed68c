"""What a driver may ask."""

import strawberry

from api import reads
from api.bill_reads import BillQueries
from api.global_ids import Node
from api.nearby import NearbyQueries
from api.quotes import QuoteQueries
from api.request import Info
from api.reservation_reads import ReservationQueries
from api.selection import asks_for
from api.types.availability import AreaAvailability
from api.types.passes import PassProduct
from api.viewer import Viewer


@strawberry.type
class Query(QuoteQueries, BillQueries, NearbyQueries, ReservationQueries):
    """The reads of the driver's schema."""

    @strawberry.field(
        description="The signed-in driver. Without a valid token it is null, with an error whose "
        "code is `UNAUTHENTICATED` or `TOKEN_EXPIRED`."
    )
    async def viewer(self, info: Info) -> Viewer | None:
        """Return the signed-in driver."""
        if not asks_for(info, "activeSessions"):
            return Viewer.of(await info.context.driver_id())
        driver_id, views = await info.context.look()
        return Viewer.of(driver_id, views)

    @strawberry.field(
        description="Anything of the driver's, by its id; null for anybody else's, as for none."
    )
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:  # noqa: A002 - Relay's name
        """Return one of the driver's things."""
        driver_id = await info.context.driver_id()
        viewer = Viewer.of(driver_id)
        return viewer if id == viewer.id else await reads.node(info.context, driver_id, id)

    @strawberry.field(description="What can be bought as a pass for a place, newest first.")
    async def pass_products(self, info: Info, place_id: strawberry.ID) -> list[PassProduct]:
        """Return the products on sale for a place."""
        await info.context.driver_id()
        return await reads.pass_products(info.context, place_id)

    @strawberry.field(description="How much room a place has for anybody, area by area.")
    async def availability(self, info: Info, place_id: strawberry.ID) -> list[AreaAvailability]:
        """Return how much room a place has."""
        await info.context.driver_id()
        return await reads.availability(info.context, place_id)
