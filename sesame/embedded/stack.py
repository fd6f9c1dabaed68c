"""The servers of one installation, put together."""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sesame.embedded.accounts import service_account
from sesame.embedded.errors import ServerExternalError
from sesame.embedded.folder import DataFolder
from sesame.embedded.postgres import Postgres
from sesame.embedded.server import Placement, Server
from sesame.embedded.valkey import Valkey

DATABASE_SETTING: Final = "DATABASE_URL"
REDIS_SETTING: Final = "REDIS_URL"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the servers are, passwords included."""

    database_url: str
    redis_url: str


class Stack:
    """PostgreSQL and Valkey on one data folder.

    A server that a setting names is used and never started, stopped or killed.
    """

    def __init__(
        self, root: Path, *, durable: bool = True, settings: Mapping[str, str] | None = None
    ) -> None:
        """Describe the stack; nothing starts yet.

        Args:
            root: The data folder; made if it does not exist.
            durable: False for throw-away data: no fsync, Valkey only in memory.
            settings: Where DATABASE_URL and REDIS_URL are looked up; the environment if None.
        """
        chosen = os.environ if settings is None else settings
        self._external = {name: chosen.get(name) for name in (DATABASE_SETTING, REDIS_SETTING)}
        self._durable = durable
        self._account = None if all(self._external.values()) else service_account()
        self._servers: dict[str, Server] = {}
        self._running = ExitStack()
        self.folder = DataFolder(root, self._account)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def postgres(self) -> Server:
        """The PostgreSQL that this stack started."""
        return self._own(DATABASE_SETTING)

    @property
    def valkey(self) -> Server:
        """The Valkey that this stack started."""
        return self._own(REDIS_SETTING)

    @property
    def endpoints(self) -> Endpoints:
        """Where the started servers are."""
        return Endpoints(
            database_url=self._external[DATABASE_SETTING] or self.postgres.url,
            redis_url=self._external[REDIS_SETTING] or self.valkey.url,
        )

    def start(self) -> Endpoints:
        """Lock the folder and start what no setting names; on a failure nothing stays running.

        Raises:
            FolderBusyError: another process uses the folder.
            EmbeddedError: a server cannot be started.
        """
        with ExitStack() as undo:
            undo.enter_context(self.folder)
            undo.callback(self._servers.clear)
            placement = Placement(self.folder, self._account, self._durable)
            for setting, kind in ((DATABASE_SETTING, Postgres), (REDIS_SETTING, Valkey)):
                if self._external[setting]:
                    continue
                server = kind(placement)
                undo.callback(server.stop)
                server.start()
                self._servers[setting] = server
            self._running = undo.pop_all()
        return self.endpoints

    def stop(self) -> None:
        """Stop what was started, Valkey first, and give the folder back."""
        self._running.close()

    def revive(self) -> list[str]:
        """Start servers again that have crashed; returns their names.

        Raises:
            ServerFailedError: one does not start any more.
        """
        crashed = [server for server in self._servers.values() if server.has_crashed()]
        for server in crashed:
            server.restart()
        return [server.name for server in crashed]

    def _own(self, setting: str) -> Server:
        server = self._servers.get(setting)
        if server is None:
            raise ServerExternalError(setting)
        return server
