"""The API as its clients meet it: over ASGI for requests, over loopback for WebSockets."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import httpx
import uvicorn
from starlette.applications import Starlette

from api.app import create_app
from api.config import ApiConfig, Rate, Rates
from parking.drivers.models import SignIn
from parking.drivers.port import RecordingSmsSender
from parking.kit.ids import new_id
from parking.kit.tokens import TokenIssuer
from sesame.commands.api import server_config
from tests.factories.identity import TOKEN_KEY
from tests.factories.lane_world import PLATE, LaneWorld, open_lane_world

BASE_URL: Final = "https://sesame.test"
CLIENT_ADDRESS: Final = "203.0.113.7"
START_TIMEOUT_S: Final = 10
# The clock of most tests stands still, which fills no bucket.
PLENTY: Final = Rates(Rate(10**9, 1), Rate(10**9, 1))


@dataclass(frozen=True, slots=True)
class ApiWorld:
    """One test's API with a place, its lanes, and a clock to move."""

    lanes: LaneWorld
    sms: RecordingSmsSender
    tokens: TokenIssuer
    app: Starlette
    http: httpx.AsyncClient

    async def send(
        self,
        query: str,
        variables: dict[str, Any] | None = None,
        *,
        token: str | None = None,
        path: str = "/graphql",
    ) -> httpx.Response:
        """Send one operation."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        body = {"query": query, "variables": variables}
        return await self.http.post(path, json=body, headers=headers)

    async def post(
        self,
        query: str,
        variables: dict[str, Any] | None = None,
        *,
        token: str | None = None,
        path: str = "/graphql",
    ) -> dict[str, Any]:
        """Return the answer's body; the status must be 200."""
        response = await self.send(query, variables, token=token, path=path)
        assert response.status_code == 200, response.text
        return response.json()

    async def ask(
        self,
        query: str,
        variables: dict[str, Any] | None = None,
        *,
        token: str | None = None,
        path: str = "/graphql",
    ) -> dict[str, Any]:
        """Return the data; there must be no errors."""
        body = await self.post(query, variables, token=token, path=path)
        assert "errors" not in body, body
        return body["data"]

    async def add_driver(self, plate: str = PLATE) -> tuple[UUID, str]:
        """Add a driver with a bound plate; returns the id and an access token."""
        driver_id = await self.lanes.add_driver(plate)
        return driver_id, await self.token_of(driver_id)

    async def token_of(self, driver_id: UUID) -> str:
        """Return an access token of a fresh sign-in."""
        clock = self.lanes.clock
        async with self.lanes.context.database.begin() as unit:
            sign_in = SignIn(
                driver_id=driver_id,
                id=new_id(clock.now()),
                refresh_digest=b"",
                device_name="Phone",
                created_at=clock.now(),
                authenticated_at=clock.now(),
                refreshed_at=clock.now(),
                expires_at=clock.now().replace(year=clock.now().year + 1),
            )
            unit.session.add(sign_in)
        token, _ = self.tokens.issue_driver(driver_id, sign_in.id)
        return token


@asynccontextmanager
async def open_api(
    database_url: str,
    valkey_url: str,
    *,
    development: bool = False,
    rates: Rates = PLENTY,
    cors_origins: tuple[str, ...] = (),
) -> AsyncGenerator[ApiWorld]:
    """Put the API together on a real database and a real Valkey."""
    async with AsyncExitStack() as stack:
        lanes = await stack.enter_async_context(open_lane_world(database_url, valkey_url))
        sms, tokens = RecordingSmsSender(), TokenIssuer(TOKEN_KEY, clock=lanes.clock)
        config = ApiConfig(
            tokens=tokens, sms=sms, development=development, rates=rates, cors_origins=cors_origins
        )
        app = create_app(lanes.context, config)
        transport = httpx.ASGITransport(app, client=(CLIENT_ADDRESS, 50000))
        http = await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url=BASE_URL)
        )
        yield ApiWorld(lanes, sms, tokens, app, http)


@asynccontextmanager
async def serve(app: Starlette) -> AsyncGenerator[str]:
    """Serve an application as `sesame api` does; yields host and port."""
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    server = uvicorn.Server(server_config(app, host=host, port=port))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            while not server.started:  # noqa: ASYNC110 - the server offers only a flag
                await asyncio.sleep(0.01)
        yield f"{host}:{port}"
    finally:
        server.should_exit = True
        await serving
        listener.close()
