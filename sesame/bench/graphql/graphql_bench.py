"""`sesame bench graphql`: one screen of the app, asked of us and of others beside us."""

import asyncio
import hashlib
import os
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from sesame.bench.cpu_time import processor_us
from sesame.bench.errors import BenchFailedError
from sesame.bench.gates.children import Child, child
from sesame.bench.graphql.contestants import Contestant, Field, line_up
from sesame.bench.graphql.ground import Asker, furnish
from sesame.bench.graphql.question import (
    DOCUMENT,
    DRIVER_HEADER,
    OPERATION,
    PATH,
    ad_hoc_body,
    trusted_body,
)
from sesame.bench.graphql.report import Asked, GraphQLReport
from sesame.bench.graphql.rows_question import rows_body, shaped_rows
from sesame.bench.installation import Migrate, started_stack, without_settings
from sesame.bench.machine import this_machine
from sesame.installation import Installation, install, own_ports, read_settings
from sesame.supervisor import Supervisor
from sesame.wiring import open_context, token_issuer

CONNECTIONS: Final = 16
ROUNDS: Final = 6
ROUND_S: Final = 1.0
WARM_UP: Final = 800
REQUESTS_MIN: Final = 100
_MODULE: Final = "sesame.bench.graphql.load"


@dataclass(frozen=True, slots=True)
class GraphQLPlan:
    """What to do.

    Attributes:
        round_s: How long each server is asked in a round, about.
        folder: Where to make the temporary data folder; the system's place if None.
    """

    rounds: int = ROUNDS
    round_s: float = ROUND_S
    warm_up: int = WARM_UP
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class _Stage:
    lined_up: Field
    supervisor: Supervisor
    database_pid: int
    requests: Mapping[str, Sequence[str]]
    phones: Child
    asked: dict[str, Asked] = field(default_factory=dict[str, Asked])

    async def ask(
        self, who: Contestant, count: int, connections: int = CONNECTIONS
    ) -> dict[str, Any]:
        """Let the phones ask one server."""
        answer = await self.phones.ask(
            {
                "port": who.port,
                "connections": connections,
                "count": count,
                "requests": self.requests[who.name],
            }
        )
        if answer["problems"]:
            raise BenchFailedError(f"{who.name}: {answer['problems'][0]}")
        return answer


async def measure_graphql(
    plan: GraphQLPlan, migrate: Migrate, on_step: Callable[[str], None]
) -> GraphQLReport:
    """Run the bench on servers of its own.

    Raises:
        ParkingError: a server does not start, or answered anything but what was asked.
    """
    started_s = time.monotonic()
    machine = this_machine(plan.folder or Path(tempfile.gettempdir()))
    async with _staged(plan, migrate, on_step) as stage:
        answers: dict[str, Any] = {}
        counts: dict[str, int] = {}
        for who in stage.lined_up.contestants:
            on_step(f"{who.name}: warming up")
            answer = await stage.ask(who, 1, connections=1)
            said = orjson.loads(answer["sample"])["data"]
            answers[who.name] = shaped_rows(said) if who.is_by_rows else said
            warm = await stage.ask(who, plan.warm_up)
            per_s = plan.warm_up / warm["seconds"]
            counts[who.name] = max(REQUESTS_MIN, round(per_s * plan.round_s))
            stage.asked[who.name] = Asked(who.name)
        for number in range(plan.rounds):
            on_step(f"round {number + 1} of {plan.rounds}")
            for who in stage.lined_up.contestants:
                await _measure(stage, who, counts[who.name])
    return GraphQLReport(
        machine=machine,
        connections=CONNECTIONS,
        asked=tuple(stage.asked.values()),
        absent=stage.lined_up.absent,
        answers=answers,
        seconds=time.monotonic() - started_s,
    )


async def _measure(stage: _Stage, who: Contestant, count: int) -> None:
    pids = stage.supervisor.pid(who.process), stage.database_pid
    before = [processor_us(pid) for pid in pids]
    answer = await stage.ask(who, count)
    used = [processor_us(pid) - then for pid, then in zip(pids, before, strict=True)]
    stage.asked[who.name].add(
        count, server_us=used[0], seconds=answer["seconds"], taken_ms=answer["taken_ms"]
    )


@asynccontextmanager
async def _staged(
    plan: GraphQLPlan, migrate: Migrate, on_step: Callable[[str], None]
) -> AsyncGenerator[_Stage]:
    async with AsyncExitStack() as undo:
        stack = await started_stack(undo, plan.folder, on_step)
        await migrate(stack.endpoints.database_url)
        given = without_settings(os.environ)
        installation = install(stack.folder, stack.endpoints, given | own_ports(stack.folder))
        on_step("drivers and their stays")
        askers = await _furnished(installation)
        manifest = stack.folder.root / "trusted-documents.json"
        await asyncio.to_thread(manifest.write_bytes, _manifest())
        lined_up = line_up(installation, stack.folder, manifest)
        supervisor = await undo.enter_async_context(Supervisor(stack.folder.logs()))
        for process in lined_up.processes:
            on_step(process.name)
            await supervisor.start(process)
        phones = await undo.enter_async_context(child(_MODULE))
        requests = _requests(installation, lined_up, askers)
        yield _Stage(lined_up, supervisor, stack.postgres.pid, requests, phones)


async def _furnished(installation: Installation) -> list[Asker]:
    async with open_context(read_settings(installation.environment)) as context:
        return await furnish(context)


def _requests(
    installation: Installation, lined_up: Field, askers: Sequence[Asker]
) -> dict[str, Sequence[str]]:
    tokens = token_issuer(read_settings(installation.environment))
    issued = [tokens.issue_driver(asker.driver_id, asker.sign_in_id)[0] for asker in askers]
    signed_in = [f"authorization: Bearer {token}" for token in issued]
    named = [f"{DRIVER_HEADER}: {asker.driver_id}" for asker in askers]
    return {
        who.name: [
            _request(header, _body(who, asker))
            for asker, header in zip(askers, signed_in if who.is_ours else named, strict=True)
        ]
        for who in lined_up.contestants
    }


def _body(who: Contestant, asker: Asker) -> bytes:
    if who.is_by_rows:
        return rows_body(asker.driver_id)
    return trusted_body(document_id()) if who.is_trusted else ad_hoc_body()


def _request(header: str, body: bytes) -> str:
    return (
        f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\n{header}\r\n"
        "content-type: application/json\r\naccept: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n{body.decode()}"
    )


def document_id() -> str:
    """Return the document's id in the manifest."""
    return hashlib.sha256(DOCUMENT.encode()).hexdigest()


def _manifest() -> bytes:
    operation = {"id": document_id(), "body": DOCUMENT, "name": OPERATION, "type": "query"}
    return orjson.dumps(
        {"format": "apollo-persisted-query-manifest", "version": 1, "operations": [operation]}
    )
