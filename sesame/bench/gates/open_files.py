"""How many files a process may have open: each connection is one."""

import resource
from typing import Final

from parking.kit.errors import InvalidInputError

# Of a process beside its connections: its database, its logs, its libraries.
OTHERS: Final = 200


def raise_open_files(connections: int) -> None:
    """Let this process, and what it starts, have so many connections open.

    Raises:
        InvalidInputError: the system permits fewer; it says how many, and what to do.
    """
    wanted = connections + OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise InvalidInputError(
            "gates",
            f"at most {max(0, hard - OTHERS)}: this system lets a process open {hard} files, and"
            f" {wanted} are needed (`ulimit -Hn` shows the limit; an administrator may raise it)",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
