"""The options of `sesame gate-agent`. Like the command, they import nothing that takes long."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

Url = Annotated[str | None, typer.Option(help="The bridge: wss://host:port, or ws:// on loopback.")]
Lane = Annotated[UUID | None, typer.Option(help="The lane's id.")]
TokenFile = Annotated[Path | None, typer.Option(help="File that holds the lane's device token.")]
Certificate = Annotated[
    Path | None, typer.Option(help="The lane's certificate and key, as `enrol` wrote them.")
]
Journal = Annotated[Path | None, typer.Option(help="SQLite file of this lane; created if missing.")]
Photos = Annotated[
    Path | None, typer.Option(help="Folder of pictures: frames of one car, by name.")
]
Photo = Annotated[
    list[Path] | None, typer.Option("--photo", help="A picture of the car; may be repeated.")
]
CarPerPhoto = Annotated[
    bool, typer.Option("--car-per-photo", help="Every picture is a car of its own.")
]
Video = Annotated[Path | None, typer.Option(help="Video, sampled at 5 frames a second.")]
SecondsPerCar = Annotated[
    float | None, typer.Option(min=1, help="Cut the video into cars of this length.")
]
WaitSeconds = Annotated[
    float, typer.Option(min=1, help="How long a car waits before it backs out.")
]
Once = Annotated[bool, typer.Option("--once", help="End after the last car.")]
Control = Annotated[
    Path | None, typer.Option(help="Take JSON lines from this socket, or `-` for stdin.")
]
TlsCa = Annotated[Path | None, typer.Option(help="CA of the bridge's certificate.")]
PlainAllowed = Annotated[
    bool, typer.Option("--plain-allowed", help="Permit ws:// beyond loopback.")
]
ReconnectSecondsMax = Annotated[
    float, typer.Option(min=0.1, help="Longest pause between two tries to connect.")
]
Site = Annotated[Path | None, typer.Option(help="Serve real lanes, as this file describes them.")]
Check = Annotated[
    bool, typer.Option("--check", help="With --site: only say what the file sets up.")
]
Json = Annotated[bool, typer.Option("--json", help="Report in lines of JSON.")]
