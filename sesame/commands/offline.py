"""`sesame place offline`: what a gate does without network, and what it did."""

import asyncio
import json
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.offline import repository, service
from parking.offline.bundle import Fallback
from parking.offline.models import OfflinePolicy, OfflineSetting
from parking.places import repository as places
from parking.places.models import AccessLane
from sesame.settings import Settings
from sesame.wiring import open_context

offline_app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="What gates do without network, and did."
)

OperatorId = Annotated[UUID, typer.Option("--operator", help="Whose lane or place it is.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@offline_app.command("show")
def show_command(
    lane: Annotated[UUID, typer.Argument(help="Id of the lane.")],
    *,
    operator: OperatorId,
    json_output: AsJson = False,
) -> None:
    """Show what a lane does without network, and which policy it can have."""
    _print(asyncio.run(_show(Settings(), operator, lane)), json_output=json_output)


@offline_app.command("set")
def set_command(  # noqa: PLR0913 - one parameter for each command-line option
    lane: Annotated[UUID, typer.Argument(help="Id of the lane.")],
    *,
    operator: OperatorId,
    by: Annotated[str, typer.Option(help="Who decides it; kept with the choice.")],
    fallback: Annotated[
        Fallback | None, typer.Option(help="For cars that the policy does not list.")
    ] = None,
    valid_hours: Annotated[int | None, typer.Option(help="How long a policy may be used.")] = None,
    cars: Annotated[int | None, typer.Option(help="How many cars may be risked.")] = None,
    risk_minor: Annotated[
        int | None, typer.Option(help="How much money may be risked, in minor units.")
    ] = None,
    car_risk_minor: Annotated[
        int | None, typer.Option(help="What a car without a price counts for, in minor units.")
    ] = None,
    json_output: AsJson = False,
) -> None:
    """Choose what a lane does without network; what is not named stays as it is."""
    changes = {
        "fallback": fallback,
        "valid_hours": valid_hours,
        "cars_max": cars,
        "risk_minor_max": risk_minor,
        "car_risk_minor": car_risk_minor,
    }
    named = {name: value for name, value in changes.items() if value is not None}
    _print(asyncio.run(_set(Settings(), operator, lane, named, by)), json_output=json_output)


@offline_app.command("review")
def review_command(
    place: Annotated[UUID, typer.Argument(help="Id of the place.")],
    *,
    operator: OperatorId,
    json_output: AsJson = False,
) -> None:
    """List what gates did without network that a person should look at, newest first."""
    found = asyncio.run(_review(Settings(), operator, place))
    if json_output:
        typer.echo(json.dumps({"passages": found}))
        return
    for item in found:
        typer.echo(
            f"{item['came_at']}  {item['direction']:<5}  {item['review']:<16} "
            f"{item['state']:<11} lane {item['lane_id']}  car {item['presentation_id']}"
        )
    typer.echo(f"{len(found)} to look at")


async def _show(settings: Settings, operator_id: UUID, lane_id: UUID) -> dict[str, Any]:
    async with open_context(settings) as context, context.database.begin() as unit:
        lane = await _lane(unit, operator_id, lane_id)
        setting = await service.setting_of(unit, operator_id, lane_id, lane.direction)
        policy = await repository.find_policy(unit, operator_id, lane_id)
        return _report(lane, setting, policy)


async def _set(
    settings: Settings, operator_id: UUID, lane_id: UUID, named: dict[str, Any], by: str
) -> dict[str, Any]:
    async with open_context(settings) as context, context.database.begin() as unit:
        lane = await _lane(unit, operator_id, lane_id)
        before = await service.setting_of(unit, operator_id, lane_id, lane.direction)
        chosen = OfflineSetting.model_validate(
            before.model_dump() | named | {"changed_by": by, "changed_at": unit.now()}
        )
        await service.choose(unit, chosen)
        policy = await repository.find_policy(unit, operator_id, lane_id)
        return _report(lane, chosen, policy)


async def _review(settings: Settings, operator_id: UUID, place_id: UUID) -> list[dict[str, Any]]:
    async with open_context(settings) as context, context.database.begin() as unit:
        found = await repository.list_for_review(unit, operator_id, place_id)
        return [
            {
                "id": str(item.id),
                "lane_id": str(item.lane_id),
                "presentation_id": str(item.presentation_id),
                "session_id": None if item.session_id is None else str(item.session_id),
                "direction": item.direction,
                "state": item.state.value,
                "review": item.review,
                "came_at": item.came_at.isoformat(),
            }
            for item in found
        ]


async def _lane(unit: UnitOfWork, operator_id: UUID, lane_id: UUID) -> AccessLane:
    lane = await places.find_lane(unit, operator_id, lane_id)
    if lane is None:
        raise InvalidInputError("lane", "the id of a lane of this operator")
    return lane


def _report(
    lane: AccessLane, setting: OfflineSetting, policy: OfflinePolicy | None
) -> dict[str, Any]:
    return {
        "lane_id": str(lane.id),
        "name": lane.name,
        "direction": str(lane.direction),
        "fallback": Fallback(setting.fallback).value,
        "valid_hours": setting.valid_hours,
        "cars_max": setting.cars_max,
        "risk_minor_max": setting.risk_minor_max,
        "car_risk_minor": setting.car_risk_minor,
        "changed_by": setting.changed_by,
        "policy_version": None if policy is None else policy.version,
        "policy_plates": None if policy is None else policy.plates,
        "policy_valid_until": _text(None if policy is None else policy.valid_until),
    }


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _print(report: dict[str, Any], *, json_output: bool) -> None:
    if json_output:
        typer.echo(json.dumps(report))
        return
    for name, value in report.items():
        typer.echo(f"{name:<19} {'-' if value is None else value}")
