"""Following a log file."""

from pathlib import Path

import pytest

from sesame import log_follower
from sesame.log_follower import LogFollower


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def test_only_new_and_complete_lines_are_returned(tmp_path: Path) -> None:
    log = tmp_path / "porter.log"
    append(log, "of an earlier run\n")
    follower = LogFollower(log)
    assert follower.read() == []
    append(log, "one\ntwo\nthr")
    assert follower.read() == ["one", "two"]
    append(log, "ee\n")
    assert follower.read() == ["three"]


def test_a_file_that_comes_later_is_followed(tmp_path: Path) -> None:
    follower = LogFollower(tmp_path / "porter.log")
    assert follower.read() == []
    append(tmp_path / "porter.log", "one\n")
    assert follower.read() == ["one"]


def test_a_line_without_end_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_follower, "LINE_BYTES_MAX", 4)
    follower = LogFollower(tmp_path / "porter.log")
    append(tmp_path / "porter.log", "123456")
    assert follower.read() == ["1234"]
    append(tmp_path / "porter.log", "\nnext\n")
    assert follower.read() == ["", "next"]


def test_a_large_file_is_emptied_and_kept_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_follower, "LOG_BYTES_MAX", 5)
    log = tmp_path / "porter.log"
    follower = LogFollower(log)
    append(log, "one\ntwo\n")
    assert follower.read() == ["one", "two"]
    assert log.read_text() == ""
    assert (tmp_path / "porter.log.1").read_text() == "one\ntwo\n"
    append(log, "three\n")
    assert follower.read() == ["three"]


def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    follower = LogFollower(tmp_path / "porter.log")
    (tmp_path / "porter.log").write_bytes(b"\xff\xfe\n")
    assert follower.read() == ["\ufffd\ufffd"]
