"""`sesame train detector`, `sesame train reader`, `sesame train pictures`."""

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from parking.kit.errors import InvalidInputError

train_app = typer.Typer(
    no_args_is_help=True, help="Train the networks and render pictures; needs the extra `train`."
)

OutOption = Annotated[Path, typer.Option(help="Folder for the checkpoint and the ONNX file.")]
StepsOption = Annotated[int, typer.Option(min=0, help="Batches; 0 only exports --initial.")]
SeedOption = Annotated[int, typer.Option(help="Of the first weights and of all samples.")]
RateOption = Annotated[float, typer.Option(help="Highest learning rate.")]
ThreadsOption = Annotated[int, typer.Option(min=1, help="Threads of the network.")]
DataOption = Annotated[
    Path | None,
    typer.Option(help="Folder with manifest.csv and pictures; only lines with use=train train."),
]
WithoutOption = Annotated[
    Path | None,
    typer.Option(help="Folder with a manifest.csv whose plates are kept for measuring."),
]
InitialOption = Annotated[Path | None, typer.Option(help="Checkpoint to start from.")]


@train_app.command("detector")
def train_detector_command(  # noqa: PLR0913 - each is an option of the command line
    *,
    out: OutOption,
    steps: StepsOption = 3600,
    seed: SeedOption = 7,
    rate: RateOption = 3e-3,
    threads: ThreadsOption = 1,
    data: DataOption = None,
    without: WithoutOption = None,
    initial: InitialOption = None,
    scenes: Annotated[int, typer.Option(min=1, help="Scenes painted before the start.")] = 700,
) -> None:
    """Train the detector on painted scenes and real pictures, and export it."""
    _require_training_packages()
    # torch is loaded only here: no other command may need it.
    from recognition.training.command import TrainingJob, run_detector  # noqa: PLC0415

    job = TrainingJob(out, steps, seed, rate, threads, data, without, initial, scenes)
    typer.echo(run_detector(job))


@train_app.command("reader")
def train_reader_command(  # noqa: PLR0913 - each is an option of the command line
    *,
    out: OutOption,
    steps: StepsOption = 2600,
    seed: SeedOption = 11,
    rate: RateOption = 3e-3,
    threads: ThreadsOption = 1,
    data: DataOption = None,
    without: WithoutOption = None,
    initial: InitialOption = None,
    plates: Annotated[int, typer.Option(min=1, help="Plates painted before the start.")] = 4000,
    real_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of real pictures among the samples.")
    ] = 0.3,
) -> None:
    """Train the reader on painted plates and real pictures, and export it with 8 bits."""
    _require_training_packages()
    # torch is loaded only here: no other command may need it.
    from recognition.training.command import TrainingJob, run_reader  # noqa: PLC0415

    job = TrainingJob(out, steps, seed, rate, threads, data, without, initial, plates, real_share)
    typer.echo(run_reader(job))


@train_app.command("pictures")
def train_pictures_command(*, out: OutOption) -> None:
    """Render the demo's camera pictures; the same ones every time."""
    _require_training_packages()
    # pillow is loaded only here: no other command may need it.
    from recognition.training.pictures import render_demo_pictures  # noqa: PLC0415

    for path in render_demo_pictures(out):
        typer.echo(path)


def _require_training_packages() -> None:
    missing = [name for name in ("torch", "onnx", "PIL") if not importlib.util.find_spec(name)]
    if missing:
        raise InvalidInputError("python packages", "torch, onnx and pillow: pip install '.[train]'")
