"""The Valkey client of the events, with the signatures that it really has.

redis-py annotates its commands for sync and async clients at once, which strict typing cannot
follow; the casts stay in this file.
"""

from typing import Any, Final, Protocol, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

VALKEY_FAILURES: Final[tuple[type[Exception], ...]] = (RedisError, OSError, TimeoutError)
"""What a server that is away, restarting or loading raises."""

SOCKET_TIMEOUT_S: Final = 2.0
CONNECT_TIMEOUT_S: Final = 1.0
CONNECTIONS_MAX: Final = 16
POOL_WAIT_S: Final = 2.0


class Pipeline(Protocol):
    """Commands that travel together."""

    def publish(self, channel: str, message: bytes) -> object:
        """Add a PUBLISH."""
        ...

    async def execute(self) -> list[object]:
        """Send them; returns the answers in order."""
        ...


class Connection(Protocol):
    """One connection, outside the pool."""

    async def connect(self) -> None:
        """Connect and introduce ourselves."""
        ...

    async def disconnect(self) -> None:
        """Close the connection."""
        ...

    async def send_command(self, *words: str) -> None:
        """Send a command without waiting for its answer."""
        ...

    async def read_response(self, *, timeout: float) -> object:  # noqa: ASYNC109 - redis-py's name
        """Return what comes next, or None after `timeout` seconds."""
        ...


def open_valkey(url: str) -> Redis:
    """Return a client with a pool; nothing is connected yet.

    The pool makes callers wait for a connection: redis-py's default pool would fail them.
    """
    pool: Any = cast("Any", BlockingConnectionPool).from_url(
        url,
        socket_timeout=SOCKET_TIMEOUT_S,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        max_connections=CONNECTIONS_MAX,
        timeout=POOL_WAIT_S,
    )
    client: Any = cast("Any", Redis).from_pool(pool)
    return cast("Redis", client)


def open_pipeline(redis: Redis) -> Pipeline:
    """Return a pipeline that is no transaction."""
    return cast("Pipeline", cast("Any", redis).pipeline(transaction=False))


def open_connection(redis: Redis) -> Connection:
    """Return a connection to the same server that the pool does not count.

    It has no timeout for sending: redis-py would send through `asyncio.wait_for`, which loses
    cancellations before Python 3.12. Its reader notices a server that went silent.
    """
    pool = cast("Any", redis).connection_pool
    settings = {**pool.connection_kwargs, "socket_timeout": None}
    return cast("Connection", pool.connection_class(**settings))
