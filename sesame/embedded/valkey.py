"""The embedded Valkey: loopback only, password always, configured through its input."""

import signal
import socket
from typing import ClassVar, Final

from sesame.embedded.ports import LOOPBACK
from sesame.embedded.programs import SYSTEM_ENVIRONMENT, find_valkey
from sesame.embedded.server import Placement, Server

PASSWORD_BYTES: Final = 24
PING_TIMEOUT_S: Final = 1.0
ANSWER_BYTES_MAX: Final = 4096


class Valkey(Server):
    """Valkey from the wheel, or Valkey or Redis of the system."""

    name: ClassVar[str] = "valkey"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, placement: Placement) -> None:
        super().__init__(placement)
        self._program = find_valkey(placement.account)
        self._data = placement.folder.server_data(self.name)
        self._password = placement.folder.secret("valkey_password", PASSWORD_BYTES).hex()

    @property
    def url(self) -> str:
        """Where clients connect, password included."""
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    def prepare(self) -> None:
        """Do nothing: an empty folder is enough."""

    def argv(self) -> list[str]:
        """Return program and arguments; the settings come through the input."""
        return [str(self._program.path), "-"]

    def standard_input(self) -> bytes:
        """Return the settings, the password among them."""
        settings = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "dir": f'"{self._data}"',
            "requirepass": self._password,
            "appendonly": "yes" if self.placement.durable else "no",
            "appendfsync": "everysec",
            "save": '""',
            # Job payloads carry an expiry: any policy that evicts would delete waiting jobs.
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return "".join(f"{name} {value}\n" for name, value in settings.items()).encode()

    def environment(self) -> dict[str, str]:
        """Return the whole environment of the program."""
        return dict(SYSTEM_ENVIRONMENT)

    def ready(self) -> bool:
        """Say whether the server answers; while it loads its data it does not."""
        question = f"AUTH {self._password}\r\nPING\r\n".encode()
        try:
            with socket.create_connection((LOOPBACK, self.port), PING_TIMEOUT_S) as connection:
                connection.sendall(question + b"QUIT\r\n")
                return b"+PONG" in _read_all(connection)
        except OSError:
            return False


def _read_all(connection: socket.socket) -> bytes:
    answer = b""
    while len(answer) < ANSWER_BYTES_MAX:
        part = connection.recv(ANSWER_BYTES_MAX)
        if not part:
            break
        answer += part
    return answer
