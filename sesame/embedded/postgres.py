"""The embedded PostgreSQL: loopback only, password always, data of one major version."""

import shutil
import signal
import tempfile
from pathlib import Path
from typing import ClassVar, Final

from sesame.embedded.accounts import run_as
from sesame.embedded.errors import FolderRefusedError
from sesame.embedded.ports import LOOPBACK
from sesame.embedded.programs import SYSTEM_ENVIRONMENT, find_postgres
from sesame.embedded.server import Placement, Server

USER: Final = "postgres"
DATABASE: Final = "postgres"
PASSWORD_BYTES: Final = 24
INITDB_TIMEOUT_S: Final = 120.0
ITERATIONS_VERSION: Final = 16
BUILTIN_LOCALE_VERSION: Final = 17
STATUS_LINE: Final = 7
CONNECTIONS_MAX: Final = 200


class Postgres(Server):
    """PostgreSQL from the wheel or the system."""

    name: ClassVar[str] = "postgres"
    # Fast shutdown: open transactions are rolled back, data is written.
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT

    def __init__(self, placement: Placement) -> None:
        super().__init__(placement)
        self._program = find_postgres(placement.account)
        self._data = placement.folder.server_data(self.name)
        self._password = placement.folder.secret("postgres_password", PASSWORD_BYTES).hex()

    @property
    def url(self) -> str:
        """Where clients connect, password included."""
        return f"postgresql://{USER}:{self._password}@{LOOPBACK}:{self.port}/{DATABASE}"

    def prepare(self) -> None:
        """Create the cluster on the first start; refuse that of another major version."""
        version_file = self._data / "PG_VERSION"
        if not version_file.exists():
            self._initialise()
        version = int(version_file.read_text(encoding="ascii"))
        if version != self._program.version:
            raise FolderRefusedError(
                f"{self._data} was made by PostgreSQL {version}, but {self._program.path} is "
                f"{self._program.version}: install PostgreSQL {version} or choose another folder"
            )

    def argv(self) -> list[str]:
        """Return program and arguments."""
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            # No socket file: it would need a folder that everybody can write to.
            "unix_socket_directories": "",
            "max_connections": str(CONNECTIONS_MAX),
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not self.placement.durable:
            # Commits stay synchronous, so that a killed server keeps what it confirmed.
            settings |= {"fsync": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._program.path), "-D", str(self._data), *options]

    def standard_input(self) -> bytes:
        """Return nothing: PostgreSQL reads no input."""
        return b""

    def environment(self) -> dict[str, str]:
        """Return the whole environment of the program."""
        return dict(SYSTEM_ENVIRONMENT)

    def ready(self) -> bool:
        """Say whether the server has written that it takes connections."""
        try:
            lines = (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        # After a kill the file of the earlier server may still lie there.
        ours = bool(lines) and lines[0] == str(self.pid)
        return ours and len(lines) > STATUS_LINE and lines[STATUS_LINE].strip() == "ready"

    def _initialise(self) -> None:
        # Beside the data and renamed at the end: a killed initdb leaves a cluster that looks whole.
        fresh = self._data.with_name(f"{self.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir=fresh.parent, encoding="ascii") as password:
            password.write(self._password)
            password.flush()
            if self.placement.account is not None:
                self.placement.account.own(fresh)
                self.placement.account.own(Path(password.name))
            self._run_initdb(fresh, Path(password.name))
        fresh.rename(self._data)

    def _run_initdb(self, cluster: Path, password_file: Path) -> None:
        argv = [
            str(self._program.path.with_name("initdb")),
            f"--pgdata={cluster}",
            f"--username={USER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            *self._locale(),
            "--no-instructions",
            *(() if self.placement.durable else self._hasty()),
        ]
        # It holds the lock as well: of a killed start, initdb goes on to its end.
        kept = (self.placement.folder.lock_descriptor,)
        done = run_as(self.placement.account, argv, self.environment(), INITDB_TIMEOUT_S, kept)
        if done.returncode != 0:
            self._log.write_text(done.stdout + done.stderr, encoding="utf-8")
            raise self._failure(f"could not be initialised (status {done.returncode})")

    def _hasty(self) -> tuple[str, ...]:
        """Return what makes a cluster that is thrown away quicker to make and to connect to."""
        if self._program.version < ITERATIONS_VERSION:
            return ("--no-sync",)
        # Nobody guesses 192 drawn bits; every connection would hash them 4,096 times.
        return ("--no-sync", "--set=scram_iterations=1")

    def _locale(self) -> tuple[str, ...]:
        """Return a locale that exists on every machine and orders by code point."""
        if self._program.version < BUILTIN_LOCALE_VERSION:
            return ("--locale=C",)
        return ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
