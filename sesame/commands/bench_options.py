"""The options of `sesame bench`."""

from pathlib import Path
from typing import Annotated, Final

import typer

from sesame.bench.standing import STAYS_MAX

RATE_PER_S_MAX: Final = 200.0
EXITS_MAX: Final = 5000
GATES_MAX: Final = 10_000

Name = Annotated[str | None, typer.Argument(help="What to measure; see --list.")]
List = Annotated[bool, typer.Option("--list", help="Say what can be measured.")]
Rate = Annotated[
    list[float] | None,
    typer.Option(
        min=0.1,
        max=RATE_PER_S_MAX,
        help="Exits a second; may be repeated. gates: cars a second.",
    ),
]
Exits = Annotated[
    int | None, typer.Option(min=1, max=EXITS_MAX, help="Cars at each rate, or in all.")
]
Recognizers = Annotated[
    int, typer.Option(min=1, max=16, help="Recognition workers; `sesame up` starts one.")
]
Cores = Annotated[int | None, typer.Option(min=1, help="Confine everything to this many cores.")]
Folder = Annotated[
    Path | None,
    typer.Option(
        exists=True, file_okay=False, help="Where the temporary data goes: on a real disk."
    ),
]
Tables = Annotated[
    Path | None,
    typer.Option(help="tariff: a JSON file with the rate tables to quote from."),
]
OpenStays = Annotated[
    int,
    typer.Option(
        min=0,
        max=STAYS_MAX,
        help="tariff: how many open stays to fill a database with; 0: none.",
    ),
]
Provider = Annotated[
    list[str] | None,
    typer.Option(help="money: whose stand-in; may be repeated. All by default."),
]
Seed = Annotated[int, typer.Option(help="money: the same seed is the same plan.")]
Gates = Annotated[int, typer.Option(min=2, max=GATES_MAX, help="gates: how many, on one bridge.")]
Tls = Annotated[
    bool, typer.Option("--tls/--plain", help="gates: with certificates, or with tokens.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Deductions = Annotated[
    int, typer.Option(min=1, help="notifications: how many deductions drivers are told of.")
]
Drivers = Annotated[
    int, typer.Option(min=1000, help="campaign: how many drivers it is selected from.")
]
