"""Figures against vectors by hand, files that say what is wrong, and evaluating without a trace."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from parking.habits.telling import UsualDay, in_words
from parking.kit.database import Database
from sesame.bench.habits_bench import measure_habits
from sesame.cli import app
from sesame.habits.figures import average_precision, figures_of
from sesame.habits.session_file import SessionFileError, read_sessions
from sesame.habits.simulation import Scene, simulate, write_visits

HEADER = "driver,place,entered_at,left_at\n"


@pytest.mark.parametrize(
    ("scores", "outcomes", "expected"),
    [
        ([0.9, 0.8, 0.7, 0.6], [1, 0, 1, 0], 1 / 2 + 2 / 3 / 2),
        ([0.9, 0.8, 0.7, 0.6], [0, 0, 0, 1], 1 / 4),
        # Equal scores are one step: in whichever order they stand.
        ([0.5, 0.5, 0.5, 0.5], [1, 0, 0, 0], 1 / 4),
        ([0.5, 0.5, 0.1], [0, 1, 1], 1 / 2 / 2 + 2 / 3 / 2),
        ([0.9, 0.1], [1, 0], 1.0),
    ],
)
def test_average_precision_is_what_it_is_by_hand(
    scores: list[float], outcomes: list[int], expected: float
) -> None:
    found = average_precision(np.array(scores, np.float32), np.array(outcomes, bool))
    assert found == pytest.approx(expected)


def test_calibration_error_is_weighed_by_how_many_were_predicted() -> None:
    scores = np.array([0.2, 0.2, 0.2, 0.2, 0.8, 1.0], np.float32)
    outcomes = np.array([1, 0, 0, 0, 1, 1], bool)
    found = figures_of(scores, outcomes, scores >= 0.5)
    # Four are off by 0.05, one by 0.2, and certainty stands in the last bin.
    assert found.calibration_error == pytest.approx((4 * 0.05 + 0.2) / 6, abs=1e-5)
    assert (found.precision, found.recall, found.fired) == (1.0, pytest.approx(2 / 3), 2)
    assert [each.count for each in found.bins] == [4, 1, 1]
    assert figures_of(scores, outcomes, scores > 2).precision is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("driver,place,entered_at\n", "line 1: expected the columns .*; left_at missing"),
        (HEADER + "a,p,2026-01-05T09:00,\n,p,2026-01-05T09:00,\n", "line 3, driver: expected 1"),
        (HEADER + "a,,2026-01-05T09:00,\n", "line 2, place: expected 1 to"),
        (HEADER + "a,p,05/01/2026 09:00,\n", "line 2, entered_at: .* day may come before"),
        (HEADER + "a,p,2026-01-05T09:00,soon\n", "line 2, left_at: .* got 'soon'"),
        (HEADER + "a,p\n", "line 2, row: expected 4 cells, got 2"),
        (HEADER, "file: expected at least one session"),
    ],
)
def test_a_file_that_cannot_be_used_names_line_and_field(
    tmp_path: Path, text: str, problem: str
) -> None:
    path = tmp_path / "sessions.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SessionFileError, match=problem):
        read_sessions(path)


def test_evaluate_predicts_without_any_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: object, **__: object) -> None:
        raise AssertionError("a database was opened")

    monkeypatch.setattr(Database, "__init__", opened)
    path = tmp_path / "sessions.csv"
    write_visits(path, simulate(Scene.CITY, drivers=120, weeks=14, seed=5))
    before = path.read_bytes()
    result = CliRunner().invoke(app, ["habits", "evaluate", "--sessions", str(path), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["weeks"] == 8
    assert found["habits"]["expected_calibration_error"] < 0.05
    assert found["times_same_day_last_week"] > 2
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_the_bench_scores_and_counts_every_pair() -> None:
    report = measure_habits(500, rounds=1)
    assert report.is_right
    assert report.to_json()["pairs"] == 500


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en", "You usually park here on Friday about 18:00."),
        ("de-CH", "Sie parken hier meist am Freitag gegen 18:00."),
        ("zh", "您通常在星期五18:00左右停在这里。"),
        ("fr", "You usually park here on Friday about 18:00."),
    ],
)
def test_habits_are_told_in_the_language_of_messages(locale: str, words: str) -> None:
    friday = UsualDay.around(4, 70, centre=18 * 60, half=30)
    saturday = UsualDay.around(5, 20, centre=0, half=60)
    assert in_words([friday, saturday], 9, locale) == words
    assert (str(saturday.arrives_from), str(saturday.arrives_until)) == ("23:00:00", "01:00:00")
    assert in_words([saturday], 9, "en") == in_words([friday], 2, "en") == "No usual day yet."
