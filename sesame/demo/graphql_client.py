"""A client of the API over real HTTP and graphql-transport-ws."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, ClassVar, Final

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from parking.kit.errors import ParkingError
from parking.kit.money import Money

HTTP_TIMEOUT_S: Final = 20.0
OPEN_TIMEOUT_S: Final = 10.0
CLOSE_TIMEOUT_S: Final = 1.0
MESSAGE_BYTES_MAX: Final = 1024 * 1024
DRIVER_PATH: Final = "/graphql"
STAFF_PATH: Final = "/staff/graphql"
SUBPROTOCOL: Final = Subprotocol("graphql-transport-ws")

Json = dict[str, Any]


def money(amount: Json) -> Money:
    """Return an amount as the API says it."""
    return Money(int(amount["amountMinor"]), amount["currency"])


class ApiRefusedError(ParkingError):
    """The API answered with a refusal or with errors; `refusal` is its own code."""

    code: ClassVar[str] = "API_REFUSED"

    def __init__(self, refusal: str, message: str) -> None:
        super().__init__(f"{refusal}: {message}")
        self.refusal = refusal


class GraphQLClient:
    """One person's connection; `token` is sent once it is known."""

    def __init__(self, api_url: str, path: str = DRIVER_PATH) -> None:
        self.token: str | None = None
        self._path = path
        self._client = httpx.AsyncClient(base_url=api_url, timeout=HTTP_TIMEOUT_S, trust_env=False)
        self._socket_url = f"{api_url.replace('http', 'ws', 1)}{path}"

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def run(self, document: str, **variables: object) -> Json:
        """Run a query or a mutation and return its only field.

        Raises:
            ApiRefusedError: the answer is a refusal, or carries errors.
        """
        body = {"query": document, "variables": variables}
        answer = await self._client.post(self._path, json=body, headers=self._headers())
        return _only_field(answer.json())

    async def run_list(self, document: str, **variables: object) -> list[Json]:
        """Run a query whose only field is a list.

        Raises:
            ApiRefusedError: the answer carries errors.
        """
        body = {"query": document, "variables": variables}
        answer = await self._client.post(self._path, json=body, headers=self._headers())
        return list(_field(answer.json()))

    async def download(self, url: str) -> bytes:
        """Return what an address of this API answers with.

        Raises:
            ApiRefusedError: it does not answer with 200.
        """
        answer = await self._client.get(url, headers=self._headers())
        if answer.status_code != HTTPStatus.OK:
            raise ApiRefusedError(str(answer.status_code), url)
        return answer.content

    def _headers(self) -> dict[str, str]:
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}

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


def _field(answer: Json) -> Any:  # noqa: ANN401 - whatever the document asked for
    if answer.get("errors"):
        raise _failure(answer["errors"])
    (value,) = answer["data"].values()
    return value


def _only_field(answer: Json) -> Json:
    value = _field(answer)
    if value.get("__typename") in {"InvalidInput", "Refused"}:
        raise ApiRefusedError(value["code"], value["message"])
    return dict(value)


def _failure(errors: list[Json]) -> ApiRefusedError:
    first = errors[0]
    return ApiRefusedError(first.get("extensions", {}).get("code", "ERROR"), first["message"])
