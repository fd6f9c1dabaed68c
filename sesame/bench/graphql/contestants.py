"""The servers that are asked the same, each a process of its own on loopback."""

import asyncio
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sesame.bench.graphql.question import JOIN
from sesame.embedded.folder import DataFolder
from sesame.installation import Installation
from sesame.process_spec import ProcessSpec
from sesame.processes import application_processes

PEERS: Final = Path(__file__).parents[1] / "peers"
HOST: Final = "127.0.0.1"
CONNECT_TIMEOUT_S: Final = 2.0

RAW: Final = "raw"
TRUSTED: Final = "sesame_trusted"
AD_HOC: Final = "sesame_ad_hoc"
PLAIN: Final = "strawberry_sqlmodel"
MERCURIUS: Final = "mercurius"
POSTGRAPHILE: Final = "postgraphile"
_API: Final = "api"
# Where each one's packages are, and its server.
PEERS_ON_NODE: Final = {
    MERCURIUS: (PEERS, "mercurius.js"),
    POSTGRAPHILE: (PEERS / POSTGRAPHILE, "server.js"),
}


@dataclass(frozen=True, slots=True)
class Contestant:
    """Who is asked.

    Attributes:
        process: Which process answers; two contestants may share one.
        is_ours: Reads tokens and keeps limits; the others are told whose stays in a header.
        is_trusted: Is asked by a document's id.
        is_by_rows: Is asked for rows, by the names that it gives them.
    """

    name: str
    process: str
    port: int
    is_ours: bool = False
    is_trusted: bool = False
    is_by_rows: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """Everybody who takes part, and why the others do not.

    Attributes:
        absent: Why, by name.
    """

    contestants: tuple[Contestant, ...]
    processes: tuple[ProcessSpec, ...]
    absent: Mapping[str, str]


def line_up(installation: Installation, folder: DataFolder, manifest: Path) -> Field:
    """Return who takes part on this machine."""
    api_port = int(installation.environment["SESAME_API_PORT"])
    contestants = [
        Contestant(TRUSTED, _API, api_port, is_ours=True, is_trusted=True),
        Contestant(AD_HOC, _API, api_port, is_ours=True),
    ]
    (api,) = (each for each in application_processes(installation) if each.name == _API)
    told = ("--trusted-documents", str(manifest))
    processes = [replace(api, argv=(*api.argv, *told))]
    modules = {
        RAW: "sesame.bench.graphql.raw_server",
        PLAIN: "sesame.bench.graphql.plain_server",
    }
    for name, module in modules.items():
        port = folder.port(f"BENCH_{name.upper()}")
        argv = (sys.executable, "-m", module, str(port))
        contestants.append(Contestant(name, name, port))
        processes.append(_listening(ProcessSpec(name, argv, installation.environment), port))
    absent: dict[str, str] = {}
    for name in PEERS_ON_NODE:
        why = why_absent(name)
        if why is None:
            port = folder.port(f"BENCH_{name.upper()}")
            contestants.append(Contestant(name, name, port, is_by_rows=name == POSTGRAPHILE))
            processes.append(_on_node(name, installation, port))
        else:
            absent[name] = why
    return Field(tuple(contestants), tuple(processes), absent)


def _on_node(name: str, installation: Installation, port: int) -> ProcessSpec:
    environment = {
        **installation.environment,
        "PORT": str(port),
        "STATEMENT": JOIN,
        "NODE_ENV": "production",
        # PostGraphile's quicker way for new versions of Node.
        "GRAPHILE_TURBO": "1",
    }
    folder, server = PEERS_ON_NODE[name]
    argv = (_node() or "node", str(folder / server))
    return _listening(ProcessSpec(name, argv, environment, folder=folder), port)


def _listening(spec: ProcessSpec, port: int) -> ProcessSpec:
    async def listens() -> bool:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, writer = await asyncio.open_connection(HOST, port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        await writer.wait_closed()
        return True

    return replace(spec, ready=listens)


def _node() -> str | None:
    return shutil.which("node")


def why_absent(name: str) -> str | None:
    """Return why a server on Node cannot take part; None where it can."""
    if _node() is None:
        return "no Node on this machine"
    folder, _ = PEERS_ON_NODE[name]
    if not (folder / "node_modules" / name).is_dir():
        return f"not installed: npm ci --prefix {folder.relative_to(PEERS.parents[2])}"
    return None
