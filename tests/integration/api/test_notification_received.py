"""`notificationReceived` over real WebSockets: nothing missed, and every device agrees."""

from collections.abc import AsyncGenerator
from typing import Any, Final
from uuid import UUID

import pytest

from api.global_ids import encode_id
from parking.drivers import repository as drivers
from parking.flows.notices import inbox
from parking.notices import repository, service
from parking.notices.rules import Template
from parking.notices.service import NewNotice, notice_id_of
from tests.factories.api import ApiWorld, serve
from tests.factories.graphql_socket import GraphQLSocket, signed_in_socket
from tests.integration.notification_stage import charged

FOLLOW: Final = """
subscription Inbox($after: Int) {
  notificationReceived(afterNumber: $after) {
    ... on NotificationUpdate {
      reason number unacknowledgedCount notifications { id number title deliveries { state } }
    }
    ... on Refusal { code }
  }
}
"""


class Inbox:
    """A driver's inbox."""

    def __init__(self, api: ApiWorld, driver_id: UUID) -> None:
        self.api = api
        self.driver_id = driver_id
        self.context = api.lanes.context

    async def add(self) -> UUID:
        """Add a notice and poke; returns its id."""
        event = charged(self.api.lanes.clock.now(), self.driver_id)
        notice = NewNotice(
            driver_id=self.driver_id,
            event_id=event.id,
            operator_id=event.owner_id,
            event_type=event.type,
            subject_id=event.subject_id,
            template=Template.PAYMENT_CHARGED,
            arguments={
                "place_name": "Harbour",
                "timezone": "UTC",
                "amount_minor": 500,
                "currency": "CNY",
            },
            occurred_at=event.occurred_at,
        )
        async with self.context.database.begin() as unit:
            await service.add(unit, notice)
        assert await self.context.bus.publish([service.added(self.driver_id, event.id)])
        return notice_id_of(event.id)


@pytest.fixture
async def address(api: ApiWorld) -> AsyncGenerator[str]:
    async with serve(api.app) as address:
        yield address


async def update(client: GraphQLSocket, operation_id: str = "1") -> Any:  # noqa: ANN401 - JSON
    return (await client.data(operation_id))["notificationReceived"]


def brief(found: dict[str, Any]) -> tuple[str, int, int, list[int]]:
    numbers = [one["number"] for one in found["notifications"]]
    return found["reason"], found["number"], found["unacknowledgedCount"], numbers


async def test_each_notice_comes_once_and_nothing_is_missed(api: ApiWorld, address: str) -> None:
    driver_id, token = await api.add_driver()
    box = Inbox(api, driver_id)
    await box.add()
    async with signed_in_socket(address, token) as client:
        await client.subscribe("1", FOLLOW)
        assert brief(await update(client)) == ("SNAPSHOT", 1, 1, [])
        added = await box.add()
        told = await update(client)
        assert brief(told) == ("CHANGE", 2, 2, [2])
        [notice] = told["notifications"]
        assert notice["id"] == encode_id("Notification", added)
        assert notice["deliveries"] == []
    for _ in range(2):
        await box.add()
    async with signed_in_socket(address, token) as client:
        await client.subscribe("1", FOLLOW, after=2)
        assert brief(await update(client)) == ("SNAPSHOT", 4, 4, [3, 4])


async def test_a_long_absence_comes_page_by_page(
    api: ApiWorld, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "CATCH_UP_MAX", 1)
    driver_id, token = await api.add_driver()
    box = Inbox(api, driver_id)
    for _ in range(3):
        await box.add()
    async with signed_in_socket(address, token) as client:
        await client.subscribe("1", FOLLOW, after=0)
        told = [brief(await update(client)) for _ in range(3)]
        assert told == [("SNAPSHOT", 1, 3, [1]), ("CHANGE", 2, 3, [2]), ("CHANGE", 3, 3, [3])]


async def test_a_number_of_another_inbox_hides_nothing(api: ApiWorld, address: str) -> None:
    driver_id, token = await api.add_driver()
    box = Inbox(api, driver_id)
    await box.add()
    async with signed_in_socket(address, token) as client:
        await client.subscribe("1", FOLLOW, after=2_000_000_000)
        assert brief(await update(client)) == ("SNAPSHOT", 1, 1, [])
        await box.add()
        assert brief(await update(client)) == ("CHANGE", 2, 2, [2])


async def test_what_one_device_acknowledges_the_others_know(api: ApiWorld, address: str) -> None:
    driver_id, token = await api.add_driver()
    box = Inbox(api, driver_id)
    notice_id = await box.add()
    other = await api.token_of(driver_id)
    async with signed_in_socket(address, token) as one, signed_in_socket(address, other) as two:
        for client in (one, two):
            await client.subscribe("1", FOLLOW)
            assert brief(await update(client)) == ("SNAPSHOT", 1, 1, [])
        await inbox.acknowledge(box.context, driver_id, [notice_id])
        for client in (one, two):
            assert brief(await update(client)) == ("CHANGE", 1, 0, [])


async def test_nobody_hears_of_anothers_notices_nor_after_signing_out(
    api: ApiWorld, address: str
) -> None:
    driver_id, token = await api.add_driver()
    other_id, other = await api.add_driver("ZZ99999")
    async with signed_in_socket(address, token) as one, signed_in_socket(address, other) as two:
        for client in (one, two):
            await client.subscribe("1", FOLLOW, after=0)
            assert brief(await update(client)) == ("SNAPSHOT", 0, 0, [])
        await Inbox(api, other_id).add()
        assert brief(await update(two)) == ("CHANGE", 1, 1, [1])
        async with api.lanes.context.database.begin() as unit:
            await drivers.end_all_sign_ins(unit, driver_id)
        await Inbox(api, driver_id).add()
        # The first thing that it hears at all.
        assert await update(one) == {"code": "UNAUTHENTICATED"}
        assert await one.next() == {"id": "1", "type": "complete"}
