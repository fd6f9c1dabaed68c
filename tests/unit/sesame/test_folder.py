"""The data folder: secrets, ports, lock, refusals."""

import os
import socket
import stat
from pathlib import Path

import pytest

from sesame.embedded.errors import FolderBusyError, FolderRefusedError
from sesame.embedded.folder import DataFolder


def test_a_secret_is_random_once_and_private(tmp_path: Path) -> None:
    first = DataFolder(tmp_path / "one").secret("field_key", 32)
    assert len(first) == 32
    assert DataFolder(tmp_path / "one").secret("field_key", 32) == first
    assert DataFolder(tmp_path / "two").secret("field_key", 32) != first
    file = tmp_path / "one" / "secrets" / "field_key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [path.name for path in file.parent.iterdir()] == ["field_key"]


def test_a_secret_of_another_size_is_refused_and_left_alone(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    value = folder.secret("field_key", 16)
    with pytest.raises(FolderRefusedError, match=r"field_key: expected 32 bytes, found 16"):
        folder.secret("field_key", 32)
    assert folder.secret("field_key", 16) == value


def test_a_secret_file_is_made_once(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    path = folder.secret_file("token_key.pem", lambda: b"first")
    assert folder.secret_file("token_key.pem", lambda: b"second") == path
    assert path.read_bytes() == b"first"


def test_a_port_is_kept_while_it_is_free(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    port = folder.port("api")
    assert folder.port("api") == port
    assert folder.port("gates") != port
    with socket.create_server(("127.0.0.1", port)):
        assert folder.port("api") != port


def test_the_preferred_port_is_taken_when_it_is_free(tmp_path: Path) -> None:
    for name in ("busy", "free"):
        (tmp_path / name).mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        other = DataFolder(tmp_path / "busy").port("api", preferred=taken)
        assert other != taken
    assert DataFolder(tmp_path / "free").port("api", preferred=taken) == taken
    assert DataFolder(tmp_path / "busy").port("api", preferred=taken) == other


@pytest.mark.parametrize("damage", ["", "[]", '{"api": "x"}', "{"])
def test_a_damaged_port_file_is_written_anew(tmp_path: Path, damage: str) -> None:
    (tmp_path / "ports.json").write_text(damage)
    port = DataFolder(tmp_path).port("api")
    assert (tmp_path / "ports.json").read_text() == f'{{"api": {port}}}\n'


def test_one_holder_at_a_time_and_the_next_after_it(tmp_path: Path) -> None:
    with DataFolder(tmp_path) as first:
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
        with pytest.raises(FolderBusyError) as refusal:
            DataFolder(tmp_path).lock()
        assert (refusal.value.folder, refusal.value.process_id) == (tmp_path, os.getpid())
        assert first.lock_descriptor > 0
    with DataFolder(tmp_path) as second:
        assert second.lock_descriptor > 0
    with pytest.raises(FolderRefusedError, match="is not locked"):
        _ = second.lock_descriptor


def test_something_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(FolderRefusedError, match=f"the data folder {file}: File exists"):
        DataFolder(file).lock()
    assert file.read_text() == "mine"


def test_a_large_log_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sesame.embedded.folder.LOG_BYTES_MAX", 3)
    log = DataFolder(tmp_path).log("postgres")
    log.write_text("1234")
    assert DataFolder(tmp_path).log("postgres") == log
    assert not log.exists()
    assert (tmp_path / "logs" / "postgres.log.1").read_text() == "1234"


def test_data_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "postgres").mkdir()
    owner = os.geteuid()
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    with pytest.raises(FolderRefusedError, match=f"belongs to user {owner}, but the server would"):
        DataFolder(tmp_path).server_data("postgres")
