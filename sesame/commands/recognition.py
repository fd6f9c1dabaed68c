"""`sesame recognize`, `sesame evaluate` and `sesame recognizer`."""

import asyncio
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Column, Table

from recognition.errors import PictureError
from recognition.evaluate import Evaluation, evaluate, load_manifest
from recognition.frame_queue import FrameQueue, connect
from recognition.pipeline import ReadPlate, Recognizer
from recognition.worker import Worker, stop_on_signals
from sesame.settings import Settings

_PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
ThreadsOption = Annotated[int, typer.Option(min=1, max=2, help="Threads of one run of a network.")]


def recognize_command(
    paths: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.")],
    *,
    threads: ThreadsOption = 1,
    json_output: JsonOption = False,
) -> None:
    """Read the plates on pictures; exit code 1 if one of them could not be read as a picture."""
    recognizer = Recognizer.load(threads=threads)
    results = [_result(recognizer, path) for path in _pictures(paths)]
    failed = any("error" in result for result in results)
    if json_output:
        typer.echo(json.dumps({"model": recognizer.name, "results": results}, ensure_ascii=False))
    else:
        _print_results(results)
    raise typer.Exit(1 if failed or not results else 0)


def _pictures(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(
                each for each in path.iterdir() if each.suffix.lower() in _PICTURE_SUFFIXES
            )
        else:
            yield path


def _result(recognizer: Recognizer, path: Path) -> dict[str, Any]:
    try:
        recognition = recognizer.recognize(path.read_bytes())
    except OSError as error:
        return {"file": str(path), "error": _problem("path", f"a readable file, {error.strerror}")}
    except PictureError as error:
        return {"file": str(path), "error": _problem(error.field, error.expected, error.code)}
    plates = [_plate(each) for each in recognition.plates]
    return {"file": str(path), "plates": plates, "timings_ms": recognition.timings_ms}


def _problem(field: str, expected: str, code: str = "FILE_UNREADABLE") -> dict[str, str]:
    return {"code": code, "field": field, "expected": expected}


def _plate(plate: ReadPlate) -> dict[str, Any]:
    corners = [[round(float(x), 1), round(float(y), 1)] for x, y in plate.detection.corners]
    return {
        **plate.read.model_dump(mode="json"),
        "corners": corners,
        "detection_score": round(plate.detection.score, 4),
    }


def _print_results(results: list[dict[str, Any]]) -> None:
    console = Console()
    table = Table("plate", "confidence", "region", "time", Column("file", overflow="fold"))
    for result in results:
        for row in _rows(result):
            table.add_row(*row, result["file"])
    console.print(table)
    for result in results:
        if "error" in result:
            problem = result["error"]
            text = f"{result['file']}: {problem['field']}: expected {problem['expected']}"
            console.print(text, style="red", markup=False)


def _rows(result: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    if "error" in result:
        return []
    spent = f"{sum(result['timings_ms'].values()):.1f} ms"
    plates = result["plates"]
    if not plates:
        return [("no plate", "", "", spent)]
    return [
        (each["text"], f"{each['confidence']:.3f}", each["region"] or "", spent) for each in plates
    ]


def evaluate_command(
    manifest: Annotated[
        Path, typer.Option(help="CSV with file, text, x, y, w, h, region; paths relative to it.")
    ],
    *,
    only: Annotated[
        str, typer.Option(help="Only files whose name begins so, such as `china-crops/`.")
    ] = "",
    threads: ThreadsOption = 1,
    json_output: JsonOption = False,
) -> None:
    """Measure detection and reading against pictures whose plates are known."""
    pictures = [each for each in load_manifest(manifest) if each.file.startswith(only)]
    recognizer = Recognizer.load(threads=threads)
    progress = track(pictures, "evaluating", console=Console(stderr=True))
    result = evaluate(recognizer, manifest.parent, progress)
    if json_output:
        report = {"model": recognizer.name, "manifest": str(manifest), **asdict(result)}
        typer.echo(json.dumps(report, ensure_ascii=False))
    else:
        _print_evaluation(result)


def _print_evaluation(result: Evaluation) -> None:
    table = Table("region", "plates", "detected", "plate accuracy", "O=0, I=1", "characters")
    for score in (result.overall, *result.regions):
        table.add_row(
            score.region,
            str(score.plates),
            _percent(score.detection_recall),
            _percent(score.plate_accuracy),
            _percent(score.plate_accuracy_folded),
            _percent(score.character_accuracy),
        )
    console = Console()
    console.print(table)
    sure = Table("confidence", "reads", "exact", "of all plates")
    for at in result.by_confidence:
        sure.add_row(
            f"{at.confidence:g}", str(at.reads), _percent(at.precision), _percent(at.coverage)
        )
    console.print(sure)
    for step, percentiles in result.timings_ms.items():
        figures = ", ".join(f"{name} {value:.1f} ms" for name, value in percentiles.items())
        console.print(f"{step}: {figures}")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def recognizer_command(*, threads: ThreadsOption = 1) -> None:
    """Answer the frames that gates send, until SIGTERM; run as many as there are cores."""
    url = Settings().require_redis_url()
    # Loaded before the first frame, so that a damaged model stops the start and not a car.
    recognizer = Recognizer.load(threads=threads)
    asyncio.run(_serve(url, recognizer))


async def _serve(url: str, recognizer: Recognizer) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    client = connect(url)
    consumer = f"{socket.gethostname()}-{os.getpid()}"
    _log.info("recognizer_started", consumer=consumer, model=recognizer.name)
    try:
        await Worker(FrameQueue(client, consumer), recognizer).run(stop)
    finally:
        await client.aclose()
    _log.info("recognizer_stopped", consumer=consumer)
