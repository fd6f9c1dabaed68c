"""What can go wrong while servers start."""

from pathlib import Path
from typing import ClassVar

from parking.kit.errors import ParkingError


class EmbeddedError(ParkingError):
    """An embedded server cannot be started or used."""

    code: ClassVar[str] = "EMBEDDED"


class ProgramMissingError(EmbeddedError):
    """No usable program of a server was found."""

    code: ClassVar[str] = "PROGRAM_MISSING"

    def __init__(self, program: str, remedy: str, tried: tuple[str, ...]) -> None:
        found = "; ".join(tried) if tried else "nothing found"
        super().__init__(f"no usable {program} ({found}): {remedy}")
        self.program = program
        self.tried = tried


class AccountMissingError(EmbeddedError):
    """Root has no unprivileged account to run the servers as."""

    code: ClassVar[str] = "ACCOUNT_MISSING"

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(
            f"PostgreSQL refuses to run as root and no account {' or '.join(names)} exists: "
            "create one, run as another user, or set DATABASE_URL and REDIS_URL"
        )
        self.names = names


class FolderBusyError(EmbeddedError):
    """Another process uses the data folder."""

    code: ClassVar[str] = "FOLDER_BUSY"
    retryable: ClassVar[bool] = True

    def __init__(self, folder: Path, process_id: int | None) -> None:
        holder = f"process {process_id}" if process_id else "another process"
        super().__init__(
            f"the data folder {folder} is in use by {holder}: "
            "stop it first, or choose another folder with --data"
        )
        self.folder = folder
        self.process_id = process_id


class FolderRefusedError(EmbeddedError):
    """The data folder holds something that cannot be used as it is."""

    code: ClassVar[str] = "FOLDER_REFUSED"


class ServerFailedError(EmbeddedError):
    """A server ended or did not become ready; the end of its log says why."""

    code: ClassVar[str] = "SERVER_FAILED"

    def __init__(self, server: str, reason: str, log: Path, log_end: str) -> None:
        super().__init__(f"{server} {reason}; the end of {log}:\n{log_end}")
        self.server = server
        self.reason = reason
        self.log = log


class ServerExternalError(EmbeddedError):
    """The server is somebody else's, named by a setting: it is not ours to stop."""

    code: ClassVar[str] = "SERVER_EXTERNAL"

    def __init__(self, setting: str) -> None:
        super().__init__(f"the server of {setting} was not started here")
        self.setting = setting
