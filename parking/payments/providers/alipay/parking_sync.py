"""Telling Alipay's parking service of a stay that was charged, so that the driver finds it there.

Nothing depends on it: it is told once, behind the charge, and a failure is only logged.
"""

import asyncio

import structlog

from parking.payments.port import StayDetails
from parking.payments.providers.alipay.transport import SUCCESS, Answer, GatewayClient
from parking.payments.providers.alipay.wire_values import stamp

UNDER_WAY_MAX = 32
FINISH_S_MAX = 5.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class ParkingSync:
    """Enter and exit of one place in Alipay's books."""

    def __init__(self, client: GatewayClient, parking_id: str) -> None:
        self._client = client
        self._parking_id = parking_id
        self._under_way: set[asyncio.Task[None]] = set()

    def tell(self, stay: StayDetails) -> None:
        """Begin to tell of a stay, without waiting for it."""
        if len(self._under_way) >= UNDER_WAY_MAX:
            _log.warning("alipay_parking_untold", number=stay.number)
            return
        task = asyncio.get_running_loop().create_task(self._tell(stay))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def finish(self) -> None:
        """Wait a moment for what is under way, and drop the rest."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=FINISH_S_MAX)
            for task in late:
                task.cancel()

    async def _tell(self, stay: StayDetails) -> None:
        named = {
            "parking_id": self._parking_id,
            "car_number": stay.plate,
            "out_serial_no": stay.number,
        }
        entered = {**named, "in_time": stamp(stay.entered_at)}
        left = {**named, "out_time": stamp(stay.left_at)}
        for method, content in (
            ("alipay.eco.mycar.parking.enterinfo.sync", entered),
            ("alipay.eco.mycar.parking.exitinfo.sync", left),
        ):
            answer = await self._client.call(method, content)
            if not isinstance(answer, Answer) or answer.code != SUCCESS:
                # Never the plate: only that this stay is not in Alipay's list.
                _log.warning("alipay_parking_untold", number=stay.number, method=method)
                return
