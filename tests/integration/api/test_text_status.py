"""What Twilio tells of a text message, through the API."""

from dataclasses import replace
from typing import Final
from uuid import UUID

import httpx
import pytest

from api.app import create_app
from api.config import ApiConfig
from parking.drivers import deliveries
from parking.drivers.deliveries import Telling
from parking.drivers.models import Delivery, DeliveryState
from parking.drivers.texting import SmsPolicy
from parking.drivers.twilio_status import SIGNATURE_HEADER, signature_of
from parking.kit.ids import new_id
from tests.factories.api import BASE_URL, ApiWorld
from tests.integration.notification_stage import OPERATOR, add_driver

TOKEN: Final = "0123456789abcdef"
PATH: Final = "/callbacks/twilio/status"


async def _sent_text(api: ApiWorld) -> Delivery:
    database = api.lanes.context.database
    driver_id = await add_driver(database, phone_number="+8613800138000")
    event_id = new_id(api.lanes.clock.now())
    telling = Telling(driver_id, event_id, OPERATOR, UUID(int=1), "payment_charged")
    async with database.begin() as unit:
        text = await deliveries.begin_text(unit, telling, policy=SmsPolicy())
        assert text is not None
        await deliveries.mark_sent(unit, driver_id, text.id)
    return await _found(api, driver_id, event_id)


async def _found(api: ApiWorld, driver_id: UUID, event_id: UUID) -> Delivery:
    async with api.lanes.context.database.begin() as unit:
        (row,) = await deliveries.of_events(unit, driver_id, [event_id])
        return row


async def _tell(
    api: ApiWorld, row: Delivery, *, token: str | None = TOKEN, **fields: str
) -> tuple[int, Delivery]:
    """Let Twilio tell of a delivery; returns the answer's status, and the delivery then."""
    config = ApiConfig(tokens=api.tokens, sms=api.sms, twilio_auth_token=token)
    context = replace(api.lanes.context, public_url=BASE_URL)
    url = f"{BASE_URL}{PATH}?driver={row.driver_id}&delivery={row.id}"
    signature = signature_of(TOKEN, url, fields)
    transport = httpx.ASGITransport(create_app(context, config))
    async with httpx.AsyncClient(transport=transport) as client:
        answer = await client.post(url, data=fields, headers={SIGNATURE_HEADER: signature})
    return answer.status_code, await _found(api, row.driver_id, row.event_id)


async def test_what_arrived_is_acknowledged(api: ApiWorld) -> None:
    row = await _sent_text(api)
    status, row = await _tell(api, row, MessageStatus="delivered", MessageSid="SM1")
    assert status == 204
    assert row.acknowledged_at == api.lanes.clock.now()
    # What came first stands: a message that arrived was not lost.
    status, row = await _tell(api, row, MessageStatus="failed", ErrorCode="30003")
    assert (status, row.state) == (204, DeliveryState.SENT)


async def test_what_was_lost_has_failed(api: ApiWorld) -> None:
    row = await _sent_text(api)
    status, row = await _tell(api, row, MessageStatus="undelivered", ErrorCode="30003")
    assert status == 204
    assert (row.state, row.failure) == (DeliveryState.FAILED, "twilio_30003")


@pytest.mark.parametrize(("token", "status"), [(None, 404), ("another token", 403)])
async def test_nobody_else_is_believed(api: ApiWorld, token: str | None, status: int) -> None:
    row = await _sent_text(api)
    answered, now = await _tell(api, row, token=token, MessageStatus="delivered")
    assert answered == status
    assert now == row
