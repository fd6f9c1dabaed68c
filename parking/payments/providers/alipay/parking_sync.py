"""Telling Alipay's parking service that a car came, and that it left."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from parking.payments.port import (
    ANSWER_MISMATCH,
    ProviderRefusedError,
    ProviderUnavailableError,
    StayDetails,
)
from parking.payments.providers.alipay.answers import Entered, read
from parking.payments.providers.alipay.transport import SUCCESS, Failure, GatewayClient
from parking.payments.providers.alipay.wire_values import stamp

PLACE_UNKNOWN: Final = "place_unknown"


class ParkingSync:
    """Enter and exit in Alipay's books of our places, under our number of the stay."""

    def __init__(self, client: GatewayClient, parking_ids: Mapping[UUID, str]) -> None:
        self._client = client
        self._parking_ids = parking_ids

    async def tell(self, stay: StayDetails) -> str:
        """Tell of a stay that began, or that has ended; returns Alipay's number of it.

        Raises:
            ProviderUnavailableError: no trustworthy answer came.
            ProviderRefusedError: Alipay said no, or knows no such place.
        """
        parking_id = self._parking_ids.get(stay.place_id)
        if parking_id is None:
            raise ProviderRefusedError(PLACE_UNKNOWN)
        content = {
            "parking_id": parking_id,
            "car_number": stay.plate,
            "out_serial_no": stay.number,
        }
        if stay.left_at is None:
            method = "alipay.eco.mycar.parking.enterinfo.sync"
            content["in_time"] = stamp(stay.entered_at)
        else:
            method = "alipay.eco.mycar.parking.exitinfo.sync"
            content["out_time"] = stamp(stay.left_at)
        if stay.reference is not None:
            content["serial_no"] = stay.reference
        answer = await self._client.call(method, content)
        if isinstance(answer, Failure):
            raise ProviderUnavailableError(answer.code)
        if answer.code != SUCCESS:
            raise ProviderRefusedError(answer.sub_code or answer.code)
        if stay.reference is not None:
            return stay.reference
        entered = read(Entered, answer.node)
        if entered is None:
            raise ProviderUnavailableError(ANSWER_MISMATCH)
        return entered.serial_no
