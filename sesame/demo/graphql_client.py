"""A client of the driver API over real HTTP and graphql-transport-ws."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Final

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from parking.kit.errors import ParkingError

HTTP_TIMEOUT_S: Final = 20.0
OPEN_TIMEOUT_S: Final = 10.0
CLOSE_TIMEOUT_S: Final = 1.0
MESSAGE_BYTES_MAX: Final = 1024 * 1024
SUBPROTOCOL: Final = Subprotocol("graphql-transport-ws")

Json = dict[str, Any]


class ApiRefusedError(ParkingError):
    """The API answered with a refusal or with errors; `refusal` is its own code."""

    code: ClassVar[str] = "API_REFUSED"

    def __init__(self, refusal: str, message: str) -> None:
        super().__init__(f"{refusal}: {message}")
        self.refusal = refusal


class GraphQLClient:
    """One phone's connection; `token` is sent once it is known."""

    def __init__(self, api_url: str) -> None:
        self.token: str | None = None
        self._client = httpx.AsyncClient(base_url=api_url, timeout=HTTP_TIMEOUT_S, trust_env=False)
        self._socket_url = f"{api_url.replace('http', 'ws', 1)}/graphql"

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def run(self, document: str, **variables: object) -> Json:
        """Run a query or a mutation and return its only field.

        Raises:
            ApiRefusedError: the answer is a refusal, or carries errors.
        """
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        body = {"query": document, "variables": variables}
        answer = await self._client.post("/graphql", json=body, headers=headers)
        return _only_field(answer.json())

    @asynccontextmanager
    async def follow(
        self, document: str, **variables: object
    ) -> AsyncGenerator[AsyncGenerator[Json]]:
        """Subscribe for the length of the block; gives what comes.

        Raises:
            ApiRefusedError: the API refuses; also later, from the generator.
        """
        async with connect(
            self._socket_url,
            subprotocols=[SUBPROTOCOL],
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=MESSAGE_BYTES_MAX,
            proxy=None,
        ) as socket:
            await self._begin(socket)
            payload = {"query": document, "variables": variables}
            await _send(socket, {"id": "1", "type": "subscribe", "payload": payload})
            messages = _messages(socket)
            try:
                yield messages
            finally:
                await messages.aclose()

    async def _begin(self, socket: ClientConnection) -> None:
        params = {"Authorization": f"Bearer {self.token}"}
        await _send(socket, {"type": "connection_init", "payload": params})
        answer = json.loads(await socket.recv())
        if answer["type"] != "connection_ack":
            raise ApiRefusedError("CONNECTION_REFUSED", str(answer))


async def _messages(socket: ClientConnection) -> AsyncGenerator[Json]:
    async for text in socket:
        message = json.loads(text)
        match message["type"]:
            case "next":
                yield _only_field(message["payload"])
            case "error":
                raise _failure(message["payload"])
            case "ping":
                await _send(socket, {"type": "pong"})
            case "complete":
                return
            case _:
                pass


async def _send(socket: ClientConnection, message: Json) -> None:
    await socket.send(json.dumps(message))


def _only_field(answer: Json) -> Json:
    if answer.get("errors"):
        raise _failure(answer["errors"])
    (value,) = answer["data"].values()
    if value.get("__typename") in {"InvalidInput", "Refused"}:
        raise ApiRefusedError(value["code"], value["message"])
    return dict(value)


def _failure(errors: list[Json]) -> ApiRefusedError:
    first = errors[0]
    return ApiRefusedError(first.get("extensions", {}).get("code", "ERROR"), first["message"])
