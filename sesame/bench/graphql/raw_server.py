"""The raw limit: what a person writes by hand for this one answer, and nothing else.

`python -m sesame.bench.graphql.raw_server PORT`, told by DATABASE_URL. It reads no token, keeps no
limits and masks nothing: whose stays it shows stands in a header.
"""

import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final, cast
from uuid import UUID

import asyncpg
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sesame.bench.graphql.question import DRIVER_HEADER, JOIN, PATH, shaped

CONNECTIONS: Final = 8
HOST: Final = "127.0.0.1"


def raw_app(database_url: str) -> Starlette:
    """Return the application."""
    pools: list[Any] = []

    @asynccontextmanager
    async def connected(_app: Starlette) -> AsyncGenerator[None]:
        opened = cast("Any", asyncpg).create_pool(
            database_url, min_size=CONNECTIONS, max_size=CONNECTIONS
        )
        async with opened as pool:
            pools.append(pool)
            yield

    async def answer(request: Request) -> Response:
        orjson.loads(await request.body())
        rows = await pools[0].fetch(JOIN, UUID(request.headers[DRIVER_HEADER]))
        return Response(orjson.dumps({"data": shaped(rows)}), media_type="application/json")

    return Starlette(routes=[Route(PATH, answer, methods=["POST"])], lifespan=connected)


def serve(app: Starlette, port: int) -> None:
    """Serve a contestant until SIGTERM, as fast as the library can."""
    uvicorn.run(
        app,
        host=HOST,
        port=port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
    )


if __name__ == "__main__":
    serve(raw_app(os.environ["DATABASE_URL"]), int(sys.argv[1]))
