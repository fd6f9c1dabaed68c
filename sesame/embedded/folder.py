"""The data folder of one installation: its lock, secrets, ports, logs and server data."""

import fcntl
import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self, cast

from sesame.embedded.accounts import Account, can_enter
from sesame.embedded.errors import FolderBusyError, FolderRefusedError
from sesame.embedded.ports import free_port, is_free

LOCK_NAME: Final = "lock"
PORTS_NAME: Final = "ports.json"
# Servers of a killed supervisor hold the lock until they have written their data.
LOCK_WAIT_S: Final = 15.0
LOCK_POLL_S: Final = 0.05
LOG_BYTES_MAX: Final = 16 * 1024 * 1024
SYSTEM_FOLDERS: Final = {"linux": Path("/var/lib/sesame"), "darwin": Path("/var/db/sesame")}


def system_folder() -> Path:
    """Return the folder below which root keeps what the service account must reach.

    Raises:
        FolderRefusedError: somebody other than root could change what is in it.
    """
    folder = SYSTEM_FOLDERS["darwin" if os.uname().sysname == "Darwin" else "linux"]
    if not folder.exists():
        make_enterable(folder)
    state = folder.lstat()
    if folder.is_symlink() or state.st_uid != 0 or state.st_mode & 0o022:
        raise FolderRefusedError(f"{folder} must be a folder that only root can change")
    return folder


def make_enterable(folder: Path) -> None:
    """Make a folder that every account can enter, whatever the umask takes away."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)


class DataFolder:
    """One installation's folder; at most one process at a time holds its lock."""

    def __init__(self, root: Path, account: Account | None = None) -> None:
        self.root = root.absolute()
        self._account = account
        self._lock: int | None = None

    def __enter__(self) -> Self:
        self.lock()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.unlock()

    @property
    def lock_descriptor(self) -> int:
        """The descriptor that holds the lock; a server that inherits it holds the lock too."""
        if self._lock is None:
            raise FolderRefusedError(f"the data folder {self.root} is not locked")
        return self._lock

    def lock(self) -> None:
        """Take the lock of the folder, which is made if it does not exist.

        Raises:
            FolderBusyError: a living process holds it, or a killed one's servers do not end.
            FolderRefusedError: it is no folder, or another user's.
        """
        try:
            self._prepare()
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            descriptor = os.open(self.root / LOCK_NAME, flags, 0o600)
        except OSError as error:
            raise FolderRefusedError(f"the data folder {self.root}: {error.strerror}") from error
        try:
            self._await_lock(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._lock = descriptor

    def unlock(self) -> None:
        """Give the lock back; servers that still run keep it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def secret(self, name: str, size_bytes: int) -> bytes:
        """Return a secret of this installation: random once, the same ever after.

        Raises:
            FolderRefusedError: the stored secret has another size.
        """
        path = self.secret_file(name, lambda: secrets.token_bytes(size_bytes))
        value = path.read_bytes()
        if len(value) != size_bytes:
            raise FolderRefusedError(f"{path}: expected {size_bytes} bytes, found {len(value)}")
        return value

    def secret_file(self, name: str, make: Callable[[], bytes]) -> Path:
        """Return the path of a secret file, made once and readable only by its owner."""
        folder = self._folder("secrets")
        path = folder / name
        if not path.exists():
            self._create_secret(folder, path, make())
        return path

    def port(self, name: str, *, preferred: int | None = None) -> int:
        """Return the port of a server or process: one that is free now.

        The port of last time comes first, then the preferred one, then any.
        """
        path = self.root / PORTS_NAME
        ports = self._read_ports(path)
        for port in (ports.get(name), preferred):
            if port is not None and is_free(port):
                chosen = port
                break
        else:
            chosen = free_port()
        if ports.get(name) != chosen:
            fresh_path = path.with_suffix(".new")
            fresh_path.write_text(json.dumps(ports | {name: chosen}) + "\n", encoding="utf-8")
            fresh_path.replace(path)
        return chosen

    def logs(self) -> Path:
        """Return the folder of the log files."""
        return self._folder("logs")

    def log(self, name: str) -> Path:
        """Return the path of a log file; one that has grown too large becomes `….1`."""
        path = self.logs() / f"{name}.log"
        if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
            path.replace(path.with_suffix(".log.1"))
        return path

    def server_data(self, name: str) -> Path:
        """Return the folder of a server's data, owned by the account that the server runs as.

        Below a folder that the account cannot enter (root's home, say) it becomes a link to a
        folder of the system; the link is what later starts find the data by.
        """
        path = self.root / name
        if path.is_symlink() and not path.exists():
            raise FolderRefusedError(f"{path} points to {path.readlink()}, which is gone")
        if path.exists():
            return self._checked_owner(path.resolve())
        if self._account is None:
            path.mkdir(mode=0o700)
            return path
        if can_enter(self._account, self.root):
            path.mkdir(mode=0o700)
            self._account.own(path)
            return path
        return self._relocate(path, self._account)

    def _checked_owner(self, data: Path) -> Path:
        expected = self._account.user_id if self._account else os.geteuid()
        found = data.stat().st_uid
        if found != expected:
            raise FolderRefusedError(
                f"{data} belongs to user {found}, but the server would run as user {expected}: "
                f"run as the earlier user, or change the owner of everything in it"
            )
        return data

    def _relocate(self, path: Path, account: Account) -> Path:
        home = Path(tempfile.mkdtemp(prefix="data-", dir=system_folder()))
        home.chmod(0o711)
        (home / "origin").write_text(f"{self.root}\n", encoding="utf-8")
        data = home / path.name
        data.mkdir(mode=0o700)
        account.own(data)
        path.symlink_to(data)
        return data

    def _prepare(self) -> None:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        ours = (self.root / LOCK_NAME).exists() or not any(self.root.iterdir())
        # The service account passes through; what it must not read has stricter modes of its own.
        if ours and self._account is not None:
            self.root.chmod(0o711)

    def _await_lock(self, descriptor: int) -> None:
        deadline = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _living(os.pread(descriptor, 32, 0))
                if holder is not None or time.monotonic() > deadline:
                    raise FolderBusyError(self.root, holder) from None
                time.sleep(LOCK_POLL_S)
            else:
                return

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    @staticmethod
    def _create_secret(folder: Path, path: Path, value: bytes) -> None:
        descriptor, name = tempfile.mkstemp(prefix=".", dir=folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(value)
            file.flush()
            os.fsync(descriptor)
        try:
            # A link fails where a rename would replace: of two processes one wins, both read it.
            os.link(name, path)
        except FileExistsError:
            pass
        finally:
            Path(name).unlink()

    @staticmethod
    def _read_ports(path: Path) -> dict[str, int]:
        try:
            stored: object = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            # Lost or damaged: ports are a convenience and may change.
            return {}
        if not isinstance(stored, dict):
            return {}
        entries = cast("dict[str, object]", stored).items()
        return {name: port for name, port in entries if isinstance(port, int)}


def _living(written: bytes) -> int | None:
    """Return the process id that a lock file names, unless that process has ended."""
    if not written.strip().isdigit():
        return None
    process_id = int(written)
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return process_id
    return process_id
