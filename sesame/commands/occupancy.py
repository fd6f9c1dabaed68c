"""`sesame place occupancy`: how full a place is, and setting it right."""

import asyncio
import json
from typing import Annotated, Any
from uuid import UUID

import typer

from parking.flows import occupancy_desk
from parking.flows.occupancy_desk import AreaView
from parking.kit.errors import InvalidInputError
from sesame.settings import Settings
from sesame.wiring import open_context

occupancy_app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="How full a place is, and setting it right."
)
Operator = Annotated[UUID, typer.Option(help="Whose place it is.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@occupancy_app.command("show")
def show_command(
    place: Annotated[UUID, typer.Argument(help="Id of the place.")],
    *,
    operator: Operator,
    json_output: AsJson = False,
) -> None:
    """Show supply, occupied and free of each area, beside its open stays."""
    rows = asyncio.run(_show(Settings(), operator, place))
    if not rows:
        raise InvalidInputError("place", "the id of a place of this operator")
    total = {name: sum(row[name] for row in rows) for name in ("spaces", "occupied", "free")}
    if json_output:
        typer.echo(json.dumps({"pools": rows, "total": total}))
        return
    for row in rows:
        sign = "  FULL" if row["is_full"] else ""
        hour = row["recount_hour"]
        recount = "" if hour is None else f"  recounted at {hour:02}:00"
        typer.echo(
            f"{row['pool_id']}  {row['area']:<16} {row['kept_for'] or 'public':<16} "
            f"{row['occupied']:>5} of {row['spaces']:<5} {row['sessions']:>5} stays{sign}{recount}"
        )
    typer.echo(f"{total['occupied']} of {total['spaces']} taken, {total['free']} free")


@occupancy_app.command("set")
def set_command(
    pool: Annotated[UUID, typer.Argument(help="Id of the pool; an area's is its public one.")],
    *,
    operator: Operator,
    by: Annotated[str, typer.Option(help="Who counted.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    occupied: Annotated[int | None, typer.Option(help="How many cars stand there.")] = None,
    by_stays: Annotated[bool, typer.Option("--by-stays", help="As many as open stays.")] = False,
    json_output: AsJson = False,
) -> None:
    """Set how many cars stand in a pool; who and why are kept."""
    if (occupied is None) != by_stays:
        raise InvalidInputError("occupied", "either --occupied or --by-stays")
    if not by.strip():
        raise InvalidInputError("by", "who counted")
    report = asyncio.run(_set(Settings(), operator, pool, occupied, by.strip(), reason))
    typer.echo(
        json.dumps(report)
        if json_output
        else f"{report['before']} -> {report['after']} ({report['sessions']} stays)"
    )


@occupancy_app.command("sign")
def sign_command(
    area: Annotated[UUID, typer.Argument(help="Id of the area; `show` has it.")],
    *,
    operator: Operator,
    keep_closed: Annotated[
        bool, typer.Option("--keep-closed/--sign-only", help="Whether full keeps cars out.")
    ],
    reopen_free: Annotated[int, typer.Option(help="Free spaces that end a full sign.")] = 1,
) -> None:
    """Say what a full area does: show its sign only, or keep cars out as well."""
    asyncio.run(_sign(Settings(), operator, area, keep_closed=keep_closed, reopen_free=reopen_free))
    typer.echo("kept closed when full" if keep_closed else "a sign only")


@occupancy_app.command("recount")
def recount_command(
    area: Annotated[UUID, typer.Argument(help="Id of the area; `show` has it.")],
    *,
    operator: Operator,
    hour: Annotated[int | None, typer.Option(help="Hour of the place's day, 0 to 23.")] = None,
    never: Annotated[bool, typer.Option("--never", help="Set no count by itself.")] = False,
) -> None:
    """Say at which hour of every night an area's counts are set to its open stays."""
    if (hour is None) != never:
        raise InvalidInputError("hour", "either --hour or --never")
    asyncio.run(_recount(Settings(), operator, area, hour))
    typer.echo("never recounted by itself" if hour is None else f"recounted at {hour:02}:00")


async def _recount(settings: Settings, operator_id: UUID, area_id: UUID, hour: int | None) -> None:
    async with open_context(settings) as context:
        await occupancy_desk.set_recount(context, operator_id, area_id, hour)


async def _show(settings: Settings, operator_id: UUID, place_id: UUID) -> list[dict[str, Any]]:
    async with open_context(settings) as context:
        views = await occupancy_desk.show(context, operator_id, place_id)
    return [row for view in views for row in _rows(view)]


def _rows(view: AreaView) -> list[dict[str, Any]]:
    pools = [view.public, *view.reserved]
    return [
        {
            "pool_id": str(pool.row.id),
            "area_id": str(view.area.id),
            "area": view.area.name,
            "kept_for": pool.kept_for,
            "spaces": pool.row.spaces,
            "occupied": pool.row.occupied,
            "free": pool.free,
            "sessions": pool.sessions,
            "is_full": pool.row.is_full,
            "keeps_closed": pool.row.keeps_closed,
            "below_zero": pool.row.below_zero,
            "overflowed": pool.row.overflowed,
            "recount_hour": pool.row.recount_hour,
        }
        for pool in pools
    ]


async def _set(
    settings: Settings, operator_id: UUID, pool_id: UUID, occupied: int | None, by: str, reason: str
) -> dict[str, Any]:
    async with open_context(settings) as context:
        count = await occupancy_desk.set_count(
            context, operator_id, pool_id, occupied=occupied, by=f"command:{by}", reason=reason
        )
    return {
        "pool_id": str(pool_id),
        "before": count.occupied_before,
        "after": count.occupied_after,
        "sessions": count.sessions,
        "by": count.counted_by,
    }


async def _sign(
    settings: Settings, operator_id: UUID, area_id: UUID, *, keep_closed: bool, reopen_free: int
) -> None:
    async with open_context(settings) as context:
        await occupancy_desk.set_sign(
            context, operator_id, area_id, keeps_closed=keep_closed, reopen_free=reopen_free
        )
