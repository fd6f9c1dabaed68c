"""`sesame recognize` and `sesame evaluate` on the pictures and weights of the repository."""

import csv
import json
from pathlib import Path
from typing import Any, Final

import pytest
import typer
from typer.testing import CliRunner

from recognition.pipeline import Recognizer
from sesame.commands.recognition import evaluate_command, recognize_command

PICTURES: Final = Path(__file__).parents[2] / "sesame" / "demo" / "pictures"
# Dirt makes a B of the 8: the demo's car that is misread at the exit.
MISREAD: Final = {"jiangsu-dirty-1.jpg": "苏E6PBT5", "jiangsu-dirty-2.jpg": "苏E6PBT5"}
CONFIDENCE_MIN: Final = 0.9


def known_pictures() -> list[tuple[str, str, str]]:
    with (PICTURES / "manifest.csv").open(encoding="utf-8", newline="") as lines:
        return [(row["file"], row["text"], row["region"]) for row in csv.DictReader(lines)]


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer.load()


def run(*arguments: str) -> tuple[int, dict[str, Any]]:
    app = typer.Typer()
    app.command("recognize")(recognize_command)
    app.command("evaluate")(evaluate_command)
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, json.loads(result.stdout) if result.stdout else {}


@pytest.mark.parametrize(("file", "text", "region"), known_pictures())
def test_every_demo_picture_is_read(
    recognizer: Recognizer, file: str, text: str, region: str
) -> None:
    recognition = recognizer.recognize((PICTURES / file).read_bytes())
    assert set(recognition.timings_ms) == {"decode", "detect", "read"}
    if not text:
        assert recognition.plates == ()
        return
    assert recognition.read is not None
    assert recognition.read.text == MISREAD.get(file, text)
    assert recognition.read.region == region
    assert recognition.read.confidence >= CONFIDENCE_MIN


def test_there_are_two_pictures_of_each_car() -> None:
    names = [file for file, _, _ in known_pictures()]
    assert len(names) == 25
    assert all((PICTURES / name).stat().st_size <= 60_000 for name in names)


def test_a_folder_and_bad_files(tmp_path: Path) -> None:
    good = (PICTURES / "munich-1.jpg").read_bytes()
    (tmp_path / "good.jpg").write_bytes(good)
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "cut.jpg").write_bytes(good[:20_000])
    code, report = run("recognize", "--json", str(tmp_path), str(tmp_path / "missing.jpg"))
    assert code == 1
    cut, empty, read, missing = report["results"]
    assert cut["error"] == {
        "code": "PICTURE_INVALID",
        "field": "image",
        "expected": "a whole jpeg picture, got one that is cut off",
    }
    assert empty["error"]["expected"] == "a JPEG, PNG or WebP picture, got 0 bytes"
    assert missing["error"]["code"] == "FILE_UNREADABLE"
    assert [plate["text"] for plate in read["plates"]] == ["MKL4731"]
    assert len(read["plates"][0]["corners"]) == 4


def test_good_pictures_end_with_zero() -> None:
    code, report = run("recognize", "--json", str(PICTURES / "london-1.jpg"))
    assert code == 0
    assert report["results"][0]["plates"][0]["text"] == "LN64WYT"


def test_evaluate_prints_figures() -> None:
    code, report = run("evaluate", "--json", "--manifest", str(PICTURES / "manifest.csv"))
    assert code == 0
    assert report["failed"] == []
    # 22 of the 24 plates are read; two are soiled on purpose.
    assert report["overall"]["plate_accuracy"] == 0.9167
    assert report["overall"]["detection_recall"] is None
    assert [score["region"] for score in report["regions"]] == ["cn", "de", "eu", "gb", "unknown"]
    sure = {at["confidence"]: at for at in report["by_confidence"]}
    assert sure[0.5] == {"confidence": 0.5, "reads": 24, "precision": 0.9167, "coverage": 1.0}
    assert sure[0.995]["reads"] == 22
    assert sure[0.995]["coverage"] == 0.9167
    assert set(report["timings_ms"]["decode"]) == {"p50", "p95", "p99"}
