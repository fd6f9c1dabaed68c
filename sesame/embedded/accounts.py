"""The account that servers run as: the caller's own, or for root an unprivileged one."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sesame.embedded.errors import AccountMissingError

ACCOUNT_NAMES: Final = ("postgres", "nobody")
PROBE_TIMEOUT_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged account of this machine."""

    name: str
    user_id: int
    group_id: int

    def own(self, path: Path) -> None:
        """Make the account the owner of a file or folder."""
        os.chown(path, self.user_id, self.group_id, follow_symlinks=False)


def service_account() -> Account | None:
    """Return the account that servers must run as; None: the caller's own is fine.

    Raises:
        AccountMissingError: the caller is root and the machine has no such account.
    """
    if os.geteuid() != 0:
        return None
    for name in ACCOUNT_NAMES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=name, user_id=entry.pw_uid, group_id=entry.pw_gid)
    raise AccountMissingError(ACCOUNT_NAMES)


def run_as(
    account: Account | None,
    argv: list[str],
    environment: dict[str, str],
    timeout_s: float,
    kept: tuple[int, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """Run a short program as the account and return its output, whatever its exit status.

    Args:
        account: The account; None is the caller's.
        argv: Program and arguments.
        environment: The whole environment of the program.
        timeout_s: After this time it is killed.
        kept: File descriptors that it inherits.
    """
    return subprocess.run(  # noqa: S603 - the argv is built here, never by a user
        argv,
        user=account.user_id if account else None,
        group=account.group_id if account else None,
        extra_groups=[] if account else None,
        cwd="/",
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
        pass_fds=kept,
    )


def can_enter(account: Account, folder: Path) -> bool:
    """Say whether the account can step into a folder.

    The account tries it, because mode bits alone do not know about access lists and mounts.
    """
    attempt = run_as(account, ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)], {}, PROBE_TIMEOUT_S)
    return attempt.returncode == 0
