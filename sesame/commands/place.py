"""`sesame place`: set up what an operator owns on the ground."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from parking.kit.errors import InvalidInputError
from parking.places import service as places
from parking.places.models import Direction
from parking.tariffs import service as tariffs
from sesame.commands.antennas import antenna_command
from sesame.commands.forecast import forecast_command
from sesame.commands.occupancy import occupancy_app
from sesame.commands.offline import offline_app
from sesame.commands.positions import positions_app
from sesame.commands.vehicles import vehicles_app
from sesame.settings import Settings
from sesame.wiring import open_context

RATE_TABLE_BYTES_MAX = 1 << 20

place_app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Set up operators, places, lanes and rates."
)


@dataclass(frozen=True, slots=True)
class _NewPlace:
    operator_id: UUID | None
    operator_name: str | None
    name: str
    timezone: str
    currency: str
    area: str
    supply: int
    lanes: list[tuple[Direction, str]]
    rate_table: dict[str, Any]


place_app.add_typer(vehicles_app, name="vehicles")
place_app.add_typer(occupancy_app, name="occupancy")
place_app.add_typer(offline_app, name="offline")
place_app.add_typer(positions_app, name="positions")
place_app.command("antenna")(antenna_command)
place_app.command("forecast")(forecast_command)


@place_app.command("add")
def add_command(  # noqa: PLR0913 - one parameter for each command-line option
    *,
    name: Annotated[str, typer.Option(help="What drivers call the place.")],
    timezone: Annotated[str, typer.Option(help="IANA name, such as Europe/Berlin.")],
    currency: Annotated[str, typer.Option(help="ISO 4217 code, such as EUR.")],
    supply: Annotated[int, typer.Option(help="How many spaces it has.")],
    rate_table: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="JSON file, as `tariff quote` reads.")
    ],
    lane: Annotated[
        list[str], typer.Option(help="`entry:NAME` or `exit:NAME`; once for each lane.")
    ],
    operator: Annotated[UUID | None, typer.Option(help="Id of an operator that exists.")] = None,
    operator_name: Annotated[str | None, typer.Option(help="Name of a new operator.")] = None,
    area: Annotated[str, typer.Option(help="Name of the area that the lanes lead to.")] = "Level 1",
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Add a place with an area, lanes and a rate table.

    Each lane's device token is shown this once: only its digest is stored.
    """
    if (operator is None) == (operator_name is None):
        raise InvalidInputError("operator", "either --operator or --operator-name")
    new = _NewPlace(
        operator_id=operator,
        operator_name=operator_name,
        name=name,
        timezone=timezone,
        currency=currency,
        area=area,
        supply=supply,
        lanes=[_lane(text) for text in lane],
        rate_table=_rate_table(rate_table),
    )
    report = asyncio.run(_add(Settings(), new))
    if json_output:
        typer.echo(json.dumps(report))
        return
    typer.echo(f"operator {report['operator_id']}\nplace    {report['place_id']}")
    for made in report["lanes"]:
        typer.echo(f"lane     {made['lane_id']}  {made['direction']:<5} {made['name']}")
        typer.echo(f"         device token {made['device_token']}")


async def _add(settings: Settings, new: _NewPlace) -> dict[str, Any]:
    async with open_context(settings) as context, context.database.begin() as unit:
        operator_id = new.operator_id
        if operator_id is None:
            operator_id = places.add_operator(unit, new.operator_name or "").id
            await unit.session.flush()
        place = places.add_place(
            unit, operator_id, name=new.name, timezone=new.timezone, currency=new.currency
        )
        await unit.session.flush()
        area = places.add_area(unit, place, name=new.area, supply=new.supply)
        await unit.session.flush()
        made = [
            places.add_lane(unit, area, name=name, direction=direction)
            for direction, name in new.lanes
        ]
        version = await tariffs.publish(
            unit, operator_id, place.id, currency=place.currency, body=new.rate_table
        )
        return {
            "operator_id": str(operator_id),
            "place_id": str(place.id),
            "rate_table_id": str(version.id),
            "lanes": [
                {
                    "lane_id": str(item.lane.id),
                    "name": item.lane.name,
                    "direction": item.lane.direction,
                    "device_token": item.device_token,
                }
                for item in made
            ],
        }


def _lane(text: str) -> tuple[Direction, str]:
    direction, _, name = text.partition(":")
    try:
        return Direction(direction), name
    except ValueError as error:
        raise InvalidInputError("lane", "entry:NAME or exit:NAME") from error


def _rate_table(path: Path) -> dict[str, Any]:
    if path.stat().st_size > RATE_TABLE_BYTES_MAX:
        raise InvalidInputError("rate_table", f"a file of at most {RATE_TABLE_BYTES_MAX} bytes")
    try:
        body: Any = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInputError("rate_table", "a JSON file") from error
    if not isinstance(body, dict):
        raise InvalidInputError("rate_table", "one rate table")
    return body  # pyright: ignore[reportUnknownVariableType] - read_rate_table checks every field
