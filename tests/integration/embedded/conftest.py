"""Folders for servers of their own, apart from the stack that the other tests share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sesame.embedded.folder import SYSTEM_FOLDERS
from tests.servers import throwaway_folder


@pytest.fixture
def root() -> Iterator[Path]:
    """An empty data folder that a service account can reach."""
    with throwaway_folder() as folder:
        yield folder


@pytest.fixture
def private(root: Path) -> Path:
    """A folder that only its owner can enter."""
    root.chmod(0o711)
    folder = root / "private"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def system(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of the one that root keeps shared things in."""
    place = root / "system"
    for platform in tuple(SYSTEM_FOLDERS):
        monkeypatch.setitem(SYSTEM_FOLDERS, platform, place)
    return place


@pytest.fixture
def as_root() -> None:
    """Skip where the tests do not run as root."""
    if os.geteuid() != 0:
        pytest.skip("only root can change the account")
