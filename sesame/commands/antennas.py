"""`sesame place antenna`: which ETC antenna is above a lane."""

import asyncio
import json
from typing import Annotated
from uuid import UUID

import typer

from parking.kit.errors import InvalidInputError
from parking.places import service as places
from sesame.settings import Settings
from sesame.wiring import open_context


def antenna_command(
    lane: Annotated[UUID, typer.Argument(help="Id of the lane.")],
    *,
    operator: Annotated[UUID, typer.Option(help="Whose lane it is.")],
    antenna: Annotated[
        str | None, typer.Option(help="The ETC acquirer's name of the antenna.")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="The lane has no antenna.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say which ETC antenna is above a lane, so that ETC cars are charged through it."""
    if (antenna is None) != none:
        raise InvalidInputError("antenna", "either --antenna or --none")
    name = asyncio.run(_set(Settings(), operator, lane, antenna))
    report = {"lane_id": str(lane), "name": name, "antenna": antenna}
    typer.echo(json.dumps(report) if json_output else f"{name}: {antenna or 'no antenna'}")


async def _set(settings: Settings, operator_id: UUID, lane_id: UUID, antenna: str | None) -> str:
    async with open_context(settings) as context, context.database.begin() as unit:
        lane = await places.set_antenna(unit, operator_id, lane_id, antenna)
        return lane.name
