"""`sesame gate-agent`. Nothing of the domain's storage is imported: an agent starts in no time."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import typer

from gate_bridge.agent.backoff import LONGEST_S
from gate_bridge.agent.options import AgentOptions
from gate_bridge.agent.pictures import CarPictures, photos_in
from gate_bridge.agent.reports import Report, Reporter
from gate_bridge.agent.runner import Play, Tally, run_play
from parking.kit.clock import SystemClock
from parking.kit.errors import InvalidInputError, ParkingError
from sesame.commands.ending import failure, stop_on_signals
from sesame.commands.gate_agent_enrol import enrol_command
from sesame.commands.gate_site import check_site_file, serve_site

TOKEN_BYTES_MAX: Final = 4096

PhotoOption = Annotated[
    list[Path] | None, typer.Option("--photo", help="A picture of the car; may be repeated.")
]


gate_agent_app = typer.Typer(add_completion=False)
gate_agent_app.command("enrol")(enrol_command)


@gate_agent_app.callback(invoke_without_command=True)
def gate_agent_command(  # noqa: PLR0913 - one parameter for each option of the command
    context: typer.Context,
    *,
    url: Annotated[
        str | None, typer.Option(help="The bridge: wss://host:port, or ws:// on loopback.")
    ] = None,
    lane: Annotated[UUID | None, typer.Option(help="The lane's id.")] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File that holds the lane's device token.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="The lane's certificate and key, as `enrol` wrote them.")
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(help="SQLite file of this lane; created if missing.")
    ] = None,
    photos: Annotated[
        Path | None, typer.Option(help="Folder of pictures: frames of one car, by name.")
    ] = None,
    photo: PhotoOption = None,
    car_per_photo: Annotated[
        bool, typer.Option("--car-per-photo", help="Every picture is a car of its own.")
    ] = False,
    video: Annotated[Path | None, typer.Option(help="Video, sampled at 5 frames a second.")] = None,
    seconds_per_car: Annotated[
        float | None, typer.Option(min=1, help="Cut the video into cars of this length.")
    ] = None,
    wait_s: Annotated[
        float, typer.Option(min=1, help="How long a car waits before it backs out.")
    ] = 30.0,
    once: Annotated[bool, typer.Option("--once", help="End after the last car.")] = False,
    control: Annotated[
        Path | None, typer.Option(help="Take JSON lines from this socket, or `-` for stdin.")
    ] = None,
    tls_ca: Annotated[Path | None, typer.Option(help="CA of the bridge's certificate.")] = None,
    plain_allowed: Annotated[
        bool, typer.Option("--plain-allowed", help="Permit ws:// beyond loopback.")
    ] = False,
    reconnect_s_max: Annotated[
        float, typer.Option(min=0.1, help="Longest pause between two tries to connect.")
    ] = LONGEST_S,
    site: Annotated[
        Path | None, typer.Option(help="Serve real lanes, as this file describes them.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="With --site: only say what the file sets up.")
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Report in lines of JSON.")] = False,
) -> None:
    """Serve the lanes of a site, or play one lane: a simulated barrier that shows your pictures.

    A lane proves itself with --certificate, or on a listener without TLS with --token-file.

    Exit code with --once: 0 if every car was let through, else 1.
    """
    if context.invoked_subcommand is not None:
        return
    try:
        if site is not None:
            _site(site, check=check, json_output=json_output)
            return
        if url is None or lane is None or journal is None:
            raise InvalidInputError("gate-agent", "--url, --lane and --journal")
        play = Play(
            cars=_cars(photos, photo or [], video, seconds_per_car, car_per_photo=car_per_photo),
            once=once,
            wait_s=wait_s,
            control=control,
        )
        options = AgentOptions(
            url=url,
            lane_id=lane,
            token=None if token_file is None else _token(token_file),
            certificate=certificate,
            tls_ca=tls_ca,
            plain_allowed=plain_allowed,
            reconnect_s_max=reconnect_s_max,
        )
        tally = asyncio.run(_play(options, journal, play, json_output=json_output))
    except (ParkingError, OSError) as error:
        raise failure(error) from error
    if once and tally.let_through < tally.presentations:
        raise typer.Exit(1)


def _site(path: Path, *, check: bool, json_output: bool) -> None:
    if check:
        check_site_file(path, json_output=json_output)
    else:
        serve_site(path, _reporter(json_output=json_output))


def _reporter(*, json_output: bool) -> Reporter:
    def report(record: Report) -> None:
        typer.echo(json.dumps(record, ensure_ascii=False) if json_output else _line(record))

    return report


async def _play(options: AgentOptions, journal: Path, play: Play, *, json_output: bool) -> Tally:
    stop, report = stop_on_signals(), _reporter(json_output=json_output)
    tally = await run_play(options, journal, SystemClock(), play, report, stop)
    report(tally.report())
    return tally


def _cars(
    folder: Path | None,
    photos: list[Path],
    video: Path | None,
    seconds_per_car: float | None,
    *,
    car_per_photo: bool,
) -> list[CarPictures]:
    given = [name for name, value in _sources(folder, photos, video).items() if value]
    if len(given) > 1:
        raise InvalidInputError(" and ".join(given), "only one of them")
    if video is not None:
        # OpenCV takes long to load, and only videos need it.
        from gate_bridge.agent.video import cars_in  # noqa: PLC0415

        return cars_in(video, seconds_per_car)
    pictures = photos_in(folder) if folder is not None else photos
    if car_per_photo:
        return [CarPictures(photos=(path.absolute(),)) for path in pictures]
    return [CarPictures(photos=tuple(path.absolute() for path in pictures))] if pictures else []


def _sources(folder: Path | None, photos: list[Path], video: Path | None) -> dict[str, object]:
    return {"--photos": folder, "--photo": photos, "--video": video}


def _token(path: Path) -> str:
    with path.open("rb") as file:
        token = file.read(TOKEN_BYTES_MAX).decode("utf-8", errors="replace").strip()
    if not token:
        raise InvalidInputError("token-file", "a file that holds the lane's device token")
    return token


def _line(report: Report) -> str:
    details = " ".join(
        f"{name}={value}" for name, value in report.items() if name != "event" and value is not None
    )
    return f"{report['event']}: {details}" if details else str(report["event"])
