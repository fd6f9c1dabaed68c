"""Calls to the domain: each with a timeout, some again after a passing failure."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import ClassVar, TypeVar

import structlog

from gate_bridge.options import ReadingLimits
from parking.kit.errors import ParkingError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

ResultT = TypeVar("ResultT")


class ServiceSilentError(ParkingError):
    """The domain did not answer in time; whether it committed is unknown."""

    code: ClassVar[str] = "SERVICE_SILENT"
    retryable: ClassVar[bool] = True


async def call_once(call: Callable[[], Awaitable[ResultT]], timeout_s: float) -> ResultT:
    """Call the domain.

    Raises:
        ServiceSilentError: no answer in `timeout_s`.
        ParkingError: what the call itself raises.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await call()
    except TimeoutError:
        raise ServiceSilentError(f"no answer in {timeout_s:g} s") from None


async def call_until(
    call: Callable[[], Awaitable[ResultT]],
    limits: ReadingLimits,
    *,
    name: str,
    wanted: Callable[[], bool],
) -> ResultT:
    """Call the domain, again while it fails for a passing reason and the result is wanted.

    The calls of the lane port may be repeated, so a connection lost after the commit is safe.

    Raises:
        ParkingError: the failure is lasting, or the tries are spent.
        Exception: a defect that did not go away within the tries.
    """
    for number in range(1, limits.tries_max + 1):
        try:
            return await call_once(call, limits.service_timeout_s)
        except Exception as error:
            # Any error: a driver's own exception for a lost connection is none of ours, and a
            # car stands at the barrier. A lasting refusal is the one thing not worth a retry.
            lasting = isinstance(error, ParkingError) and not error.retryable
            if lasting or number == limits.tries_max or not wanted():
                raise
            _log.warning("lane_call_retried", call=name, number=number, error=repr(error))
        await asyncio.sleep(_pause_s(number, limits))
    raise AssertionError("tries_max is at least 1")


def _pause_s(number: int, limits: ReadingLimits) -> float:
    longest_s = min(limits.backoff_s_max, limits.backoff_s * 2 ** min(number - 1, 16))
    # Half of it at random: lanes that lost the same database do not come back in step.
    return longest_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
