"""A server of graphql-ws on Node, which does the same work beside ours."""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Final
from uuid import UUID

from parking.events.pokes import place_channel
from sesame.installation import Installation
from sesame.process_spec import ProcessSpec

PEERS: Final = Path(__file__).parents[1] / "peers"
NAME: Final = "graphql_ws"
HOST: Final = "127.0.0.1"
CONNECT_TIMEOUT_S: Final = 2.0
_STATEMENT: Final = """
    SELECT area.name, pool.spaces, pool.occupied, pool.is_full
    FROM identified_areas AS area
    JOIN space_pools AS pool ON pool.operator_id = area.operator_id AND pool.id = area.id
"""


def why_absent() -> str | None:
    """Return why it cannot take part on this machine; None if it can."""
    if shutil.which("node") is None:
        return "no Node on this machine"
    if not (PEERS / "node_modules" / "graphql-ws").is_dir():
        return "not installed: npm ci --prefix sesame/bench/peers"
    return None


def peer(installation: Installation, port: int, place_id: UUID) -> ProcessSpec:
    """Return the process that tells everybody of a place's room."""
    environment = {
        **installation.environment,
        "PORT": str(port),
        "CHANNEL": place_channel(place_id),
        "STATEMENT": _STATEMENT,
        "NODE_ENV": "production",
    }
    argv = (shutil.which("node") or "node", str(PEERS / "graphql_ws.js"))

    async def listens() -> bool:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, writer = await asyncio.open_connection(HOST, port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        await writer.wait_closed()
        return True

    return replace(ProcessSpec(NAME, argv, environment, folder=PEERS), ready=listens)
