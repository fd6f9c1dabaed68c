"""Every read of the driver's schema, in one place; all are scoped to one driver."""

from uuid import UUID

from api.config import PAGE_SIZE_MAX
from api.global_ids import Node, decode_id, encode_id, read_id
from api.request import RequestContext
from api.types.mandate import Mandate
from api.types.plate import Plate, PlateClaim
from api.types.session import PageInfo, Session, SessionConnection, SessionEdge
from parking.flows import driver_view
from parking.flows import mandates as mandate_flows
from parking.kit.errors import InvalidInputError
from parking.plates import service as plate_service

_CURSOR = "SessionCursor"


async def plates(context: RequestContext, driver_id: UUID) -> list[Plate]:
    """Return the bound plates."""
    async with context.parking.database.begin() as unit:
        return [Plate.of(bound) for bound in await plate_service.list_plates(unit, driver_id)]


async def plate_claims(context: RequestContext, driver_id: UUID) -> list[PlateClaim]:
    """Return the open claims."""
    async with context.parking.database.begin() as unit:
        return [PlateClaim.of(claim) for claim in await plate_service.list_claims(unit, driver_id)]


async def mandates(context: RequestContext, driver_id: UUID) -> list[Mandate]:
    """Return the standing permissions."""
    views = await mandate_flows.list_mandates(context.parking, driver_id)
    return [Mandate.of(view) for view in views]


async def active_sessions(context: RequestContext, driver_id: UUID) -> list[Session]:
    """Return the running stays."""
    views = await driver_view.active_sessions(context.parking, driver_id)
    return [Session.of(view) for view in views]


async def page_of_sessions(
    context: RequestContext, driver_id: UUID, *, first: int, after: str | None
) -> SessionConnection:
    """Return one page of every stay, newest first.

    Raises:
        InvalidInputError: the page's size or the cursor is unusable.
    """
    if not 0 <= first <= PAGE_SIZE_MAX:
        raise InvalidInputError("first", f"0 to {PAGE_SIZE_MAX}")
    before = None if after is None else decode_id(after, kind=_CURSOR, field="after")
    # One more than asked for tells whether there is a next page.
    views = await driver_view.page_sessions(
        context.parking, driver_id, first=first + 1, before=before
    )
    edges = [
        SessionEdge(cursor=encode_id(_CURSOR, view.id), node=Session.of(view))
        for view in views[:first]
    ]
    return SessionConnection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=len(views) > first,
            has_previous_page=before is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
    )


async def node(context: RequestContext, driver_id: UUID, global_id: str) -> Node | None:
    """Return one of the driver's things; None for anybody else's, as for none."""
    try:
        kind, (key,) = read_id(global_id)
    except ValueError:
        return None
    if kind == "Session":
        view = await driver_view.find_session(context.parking, driver_id, key)
        return None if view is None else Session.of(view)
    if kind == "Mandate":
        mandate = await mandate_flows.find_mandate(context.parking, driver_id, key)
        return None if mandate is None else Mandate.of(mandate)
    if kind == "Plate":
        async with context.parking.database.begin() as unit:
            bound = await plate_service.find_plate(unit, driver_id, key)
        return None if bound is None else Plate.of(bound)
    if kind == "PlateClaim":
        claims = await plate_claims(context, driver_id)
        return next((claim for claim in claims if claim.id == global_id), None)
    return None
