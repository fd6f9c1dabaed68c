"""`sesame gate-agent`. Nothing of the domain's storage is imported: an agent starts in no time."""

import asyncio
import json
from pathlib import Path
from typing import Final

import typer

from gate_bridge.agent.backoff import LONGEST_S
from gate_bridge.agent.options import AgentOptions
from gate_bridge.agent.pictures import CarPictures, photos_in
from gate_bridge.agent.reports import Report, Reporter
from gate_bridge.agent.runner import Play, Tally, run_play
from parking.kit.clock import SystemClock
from parking.kit.errors import InvalidInputError, ParkingError
from sesame.commands import gate_agent_options as option
from sesame.commands.ending import failure, stop_on_signals
from sesame.commands.gate_agent_enrol import enrol_command
from sesame.commands.gate_site import check_site_file, serve_site

TOKEN_BYTES_MAX: Final = 4096

gate_agent_app = typer.Typer(add_completion=False)
gate_agent_app.command("enrol")(enrol_command)


@gate_agent_app.callback(invoke_without_command=True)
def gate_agent_command(  # noqa: PLR0913 - one parameter for each option of the command
    context: typer.Context,
    *,
    url: option.Url = None,
    lane: option.Lane = None,
    token_file: option.TokenFile = None,
    certificate: option.Certificate = None,
    journal: option.Journal = None,
    photos: option.Photos = None,
    photo: option.Photo = None,
    car_per_photo: option.CarPerPhoto = False,
    video: option.Video = None,
    seconds_per_car: option.SecondsPerCar = None,
    wait_s: option.WaitSeconds = 30.0,
    once: option.Once = False,
    control: option.Control = None,
    tls_ca: option.TlsCa = None,
    plain_allowed: option.PlainAllowed = False,
    reconnect_s_max: option.ReconnectSecondsMax = LONGEST_S,
    site: option.Site = None,
    check: option.Check = False,
    json_output: option.Json = False,
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
