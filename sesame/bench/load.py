"""Cars that leave at a given rate, whatever the system makes of it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sesame.bench.lane_client import WIRE_FAILURES, LaneClient, Passage
from sesame.bench.town import Stay


@dataclass(frozen=True, slots=True)
class Departures:
    """What became of the cars of one run.

    Attributes:
        failures: One line for each car that was not let out.
        opened_per_s: Orders to open over the time from the first arrival to the last order.
    """

    passages: tuple[Passage, ...]
    failures: tuple[str, ...]
    opened_per_s: float


async def depart(
    stays: Sequence[Stay],
    lanes: Mapping[UUID, LaneClient],
    rate_per_s: float,
    on_done: Callable[[], None],
) -> Departures:
    """Bring a car to its lane every `1 / rate_per_s`, and wait until all are out.

    The arrivals do not wait for earlier cars (an open loop): a system that is too slow shows it in
    its times, not in fewer cars. A car whose lane is taken waits behind the other one.
    """
    loop = asyncio.get_running_loop()
    started_s = loop.time()

    async def leave(number: int, stay: Stay) -> Passage | str:
        await asyncio.sleep(max(0.0, started_s + number / rate_per_s - loop.time()))
        try:
            return await lanes[stay.lane.lane_id].let_out(stay.car)
        except WIRE_FAILURES as error:
            return str(error)
        finally:
            on_done()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(leave(number, stay)) for number, stay in enumerate(stays)]
    results = [task.result() for task in tasks]
    passages = tuple(result for result in results if isinstance(result, Passage))
    last_s = max((passage.opened_s for passage in passages), default=started_s)
    return Departures(
        passages=passages,
        failures=tuple(result for result in results if isinstance(result, str)),
        opened_per_s=len(passages) / max(last_s - started_s, 1e-3),
    )
