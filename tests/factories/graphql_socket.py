"""A client of graphql-transport-ws that hides nothing."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

WAIT_S: Final = 10


class GraphQLSocket:
    """One connection."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, message: object) -> None:
        await self.connection.send(json.dumps(message))

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(WAIT_S):
            received = await self.connection.recv()
        assert isinstance(received, str), "the protocol knows text frames only"
        return json.loads(received)

    async def closed(self) -> tuple[int, str]:
        """Return the close code and reason; what comes before the end is dropped."""
        async with asyncio.timeout(WAIT_S):
            with suppress(ConnectionClosed):
                while True:
                    await self.connection.recv()
            await self.connection.wait_closed()
        code, reason = self.connection.close_code, self.connection.close_reason
        assert code is not None
        return code, reason or ""

    async def init(self, token: str | None) -> None:
        payload = {} if token is None else {"Authorization": f"Bearer {token}"}
        await self.send({"type": "connection_init", "payload": payload})

    async def subscribe(self, operation_id: str, query: str, **variables: object) -> None:
        payload = {"query": query, "variables": variables}
        await self.send({"id": operation_id, "type": "subscribe", "payload": payload})

    async def data(self, operation_id: str = "1") -> Any:  # noqa: ANN401 - JSON
        message = await self.next()
        assert (message["type"], message.get("id")) == ("next", operation_id), message
        assert "errors" not in message["payload"], message
        return message["payload"]["data"]


@asynccontextmanager
async def open_socket(
    address: str, *, protocol: str = "graphql-transport-ws"
) -> AsyncGenerator[GraphQLSocket]:
    """Connect without any greeting."""
    async with connect(
        f"ws://{address}/graphql", subprotocols=[Subprotocol(protocol)], compression=None
    ) as connection:
        yield GraphQLSocket(connection)


@asynccontextmanager
async def signed_in_socket(address: str, token: str) -> AsyncGenerator[GraphQLSocket]:
    """Connect and be let in."""
    async with open_socket(address) as client:
        await client.init(token)
        assert await client.next() == {"type": "connection_ack"}
        yield client
