"""Queues one run to its end, as a worker does; made to be measured, and to be killed.

Writes a line of JSON after each chunk, and at the end what it took.
"""

import asyncio
import json
import resource
import sys
import time
from uuid import UUID

import structlog

from parking.campaigns.models import CampaignRun, RunState
from parking.flows.campaigns.queueing_run import RunKey, queue_run
from parking.places import repository as places
from sesame.bench.errors import BenchFailedError
from sesame.settings import Settings
from sesame.wiring import open_context

KIBIBYTE = 1024


async def main(key: RunKey, chunk_rows: int) -> None:
    """Queue the run."""

    def tell(run: CampaignRun) -> None:
        print(json.dumps({"looked_at": run.looked_at, "queued": run.queued}), flush=True)  # noqa: T201 - whoever started it reads this

    started_s, state = time.monotonic(), RunState.QUEUEING
    async with open_context(Settings(), connections_max=2) as context:
        async with context.database.begin() as unit:
            if await places.find_operator(unit, key.operator_id) is None:
                raise BenchFailedError("the run is of no operator")
        while state is RunState.QUEUEING:
            state = await queue_run(context, key, chunk_rows=chunk_rows, on_chunk=tell)
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBIBYTE
    print(  # noqa: T201 - as above
        json.dumps(
            {"state": state, "seconds": time.monotonic() - started_s, "peak_bytes": peak_bytes}
        ),
        flush=True,
    )


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    ids = [UUID(argument) for argument in sys.argv[1:4]]
    asyncio.run(main(RunKey(*ids), int(sys.argv[4])))
