"""The inbox through the driver's schema."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from api.app import create_app
from api.config import ApiConfig
from api.global_ids import encode_id
from notifications.handlers import Notifier
from notifications.push import PushOutcome, PushResult, RecordingPushSender
from parking.drivers import web_push
from parking.drivers.models import Device, TargetKind
from parking.drivers.web_push import PushServices, WebPushTerms
from parking.events import outbox
from parking.events.envelope import Event
from parking.events.pokes import Poke, driver_channel
from parking.events.relay import Job
from parking.kit.ids import new_id
from parking.notices.service import NOTICE_ACKNOWLEDGED, NOTICE_ADDED, notice_id_of
from tests.factories.api import BASE_URL, ApiWorld
from tests.factories.push_targets import sealed_target
from tests.integration.notification_stage import charged

REFUSAL = "... on Refusal { code } ... on InvalidInput { field }"
INBOX = """
query Inbox($first: Int, $after: String, $unseen: Boolean! = false, $locale: String) { viewer {
  unacknowledgedCount
  notifications(first: $first, after: $after, unacknowledgedOnly: $unseen) {
    edges { node {
      id number category template subjectId title(locale: $locale) body acknowledgedAt
      deliveries { channel state failure acknowledgedAt }
    } }
    pageInfo { hasNextPage endCursor }
  }
} }
"""
NODE = "query Node($id: ID!) { node(id: $id) { ... on Notification { number title } } }"
SEEN = f"""
mutation Seen($ids: [ID!]!) {{ acknowledgeNotifications(input: {{ids: $ids}}) {{
  ... on NotificationsAcknowledged {{ unacknowledgedCount }} {REFUSAL}
}} }}
"""
RECEIVED = f"""
mutation Received($id: String!) {{ acknowledgePush(input: {{deliveryId: $id}}) {{
  ... on PushAcknowledged {{ notificationId }} {REFUSAL}
}} }}
"""
SETTINGS = "preferences { category channel isOn } quietHours { startsAt endsAt timezone }"
PREFER = f"""
mutation Prefer($input: SetNotificationPreferenceInput!) {{
  setNotificationPreference(input: $input) {{
    ... on NotificationPreferencesSet {{ notificationPreferences {{ {SETTINGS} }} }} {REFUSAL}
  }}
}}
"""
QUIET = f"""
mutation Quiet($input: SetQuietHoursInput!) {{ setQuietHours(input: $input) {{
  ... on NotificationPreferencesSet {{ notificationPreferences {{ {SETTINGS} }} }} {REFUSAL}
}} }}
"""
LANGUAGE = f"""
mutation Language($locale: String!) {{ setLanguage(input: {{locale: $locale}}) {{
  ... on LanguageSet {{ locale }} {REFUSAL}
}} }}
"""
CHOSEN = f"{{ viewer {{ notificationPreferences {{ {SETTINGS} }} }} }}"


async def _tell(api: ApiWorld, driver_id: UUID, push: RecordingPushSender, count: int = 1) -> Event:
    """Let the driver be told of `count` charges; returns the last one's event."""
    database, now = api.lanes.context.database, api.lanes.clock.now()
    event = charged(now, driver_id)
    for _ in range(count):
        event = charged(now, driver_id)
        async with database.begin() as unit:
            outbox.append(unit, event)
            await unit.session.flush()
            row = await unit.session.get(outbox.OutboxRow, (event.owner_id, event.id))
            assert row is not None
            row.attempts = 1
        notifier = Notifier(database, push, bus=api.lanes.context.bus)
        await notifier.deliver(Job(event.owner_id, event.id, 1))
    return event


async def _with_phone(api: ApiWorld) -> tuple[UUID, str]:
    driver_id, token = await api.add_driver()
    async with api.lanes.context.database.begin() as unit:
        device = Device(
            driver_id=driver_id,
            id=new_id(unit.now()),
            target_kind=TargetKind.FID,
            **sealed_target(unit.vault, "phone"),
            platform="android",
            registered_at=unit.now(),
        )
        unit.session.add(device)
    return driver_id, token


async def _nodes(api: ApiWorld, token: str, **variables: object) -> list[dict[str, Any]]:
    viewer = (await api.ask(INBOX, variables, token=token))["viewer"]
    return [edge["node"] for edge in viewer["notifications"]["edges"]]


async def test_a_charge_is_in_the_inbox_with_what_became_of_its_push(api: ApiWorld) -> None:
    driver_id, token = await _with_phone(api)
    push = RecordingPushSender()
    push.answers = [PushResult(PushOutcome.REFUSED, failure="invalid_argument")]
    event = await _tell(api, driver_id, push)
    (node,) = await _nodes(api, token)
    assert node.pop("body").startswith("Your stay at Seaside is paid. Taken from")
    assert node == {
        "id": encode_id("Notification", notice_id_of(event.id)),
        "number": 1,
        "category": "BILL",
        "template": "payment_charged",
        "subjectId": encode_id("Session", event.subject_id),
        "title": "CN¥12.50 paid",
        "acknowledgedAt": None,
        "deliveries": [
            {
                "channel": "PUSH",
                "state": "FAILED",
                "failure": "invalid_argument",
                "acknowledgedAt": None,
            }
        ],
    }
    (in_chinese,) = await _nodes(api, token, locale="zh")
    assert in_chinese["title"] == "已支付 ¥12.50"
    found = await api.ask(NODE, {"id": node["id"]}, token=token)
    assert found == {"node": {"number": 1, "title": "CN¥12.50 paid"}}


async def test_another_drivers_notification_is_like_none(api: ApiWorld) -> None:
    driver_id, _ = await _with_phone(api)
    _, stranger = await api.add_driver("TEST0002")
    event = await _tell(api, driver_id, RecordingPushSender())
    notice_id = encode_id("Notification", notice_id_of(event.id))
    assert await api.ask(NODE, {"id": notice_id}, token=stranger) == {"node": None}
    assert await _nodes(api, stranger) == []
    refused = {"code": "NOTICE_UNKNOWN"}
    for key in (notice_id, encode_id("Notification", UUID(int=7))):
        said = await api.ask(SEEN, {"ids": [key]}, token=stranger)
        assert said["acknowledgeNotifications"] == refused
    rows = await api.lanes.rows("SELECT id, acknowledged_at FROM deliveries")
    said = await api.ask(RECEIVED, {"id": str(rows[0]["id"])}, token=stranger)
    assert said["acknowledgePush"] == refused
    assert await api.lanes.rows("SELECT id, acknowledged_at FROM deliveries") == rows
    seen = await api.lanes.rows("SELECT acknowledged_at FROM notices")
    assert seen == [{"acknowledged_at": None}]


async def test_pages_are_the_newest_first(api: ApiWorld) -> None:
    driver_id, token = await _with_phone(api)
    await _tell(api, driver_id, RecordingPushSender(), count=5)
    first = (await api.ask(INBOX, {"first": 3}, token=token))["viewer"]
    assert first["unacknowledgedCount"] == 5
    assert [edge["node"]["number"] for edge in first["notifications"]["edges"]] == [5, 4, 3]
    assert first["notifications"]["pageInfo"] == {"hasNextPage": True, "endCursor": "n3"}
    rest = await _nodes(api, token, first=3, after="n3")
    assert [node["number"] for node in rest] == [2, 1]
    said = await api.ask(SEEN, {"ids": [rest[0]["id"], rest[0]["id"]]}, token=token)
    assert said["acknowledgeNotifications"] == {"unacknowledgedCount": 4}
    unseen = await _nodes(api, token, unseen=True)
    assert [node["number"] for node in unseen] == [5, 4, 3, 1]
    answer = await api.post(INBOX, {"after": "x"}, token=token)
    assert "after: expected a cursor of this list" in answer["errors"][0]["message"]


async def test_a_received_push_is_not_yet_read(api: ApiWorld) -> None:
    driver_id, token = await _with_phone(api)
    push = RecordingPushSender()
    event = await _tell(api, driver_id, push)
    notice_id = encode_id("Notification", notice_id_of(event.id))
    data = push.messages[0].data
    said = await api.ask(RECEIVED, {"id": data["delivery_id"]}, token=token)
    assert said["acknowledgePush"] == {"notificationId": notice_id}
    (node,) = await _nodes(api, token)
    assert node["acknowledgedAt"] is None
    assert node["deliveries"][0]["acknowledgedAt"] is not None
    said = await api.ask(RECEIVED, {"id": "yesterday's"}, token=token)
    assert said["acknowledgePush"] == {"code": "INVALID_INPUT", "field": "deliveryId"}


async def test_who_watches_is_poked_when_it_is_written_and_when_it_is_seen(api: ApiWorld) -> None:
    driver_id, token = await _with_phone(api)
    async with api.lanes.context.bus.listen(driver_channel(driver_id)) as listener:
        event = await _tell(api, driver_id, RecordingPushSender())
        poke = await listener.next()
        assert isinstance(poke, Poke)
        assert (poke.event_id, poke.type) == (notice_id_of(event.id), NOTICE_ADDED)
        (node,) = await _nodes(api, token)
        await api.ask(SEEN, {"ids": [node["id"]]}, token=token)
        poke = await listener.next()
        assert isinstance(poke, Poke)
        assert poke.type == NOTICE_ACKNOWLEDGED


async def test_a_driver_chooses_what_to_be_told_of(api: ApiWorld) -> None:
    _, token = await api.add_driver()
    chosen = (await api.ask(CHOSEN, token=token))["viewer"]["notificationPreferences"]
    assert chosen["quietHours"] is None
    assert len(chosen["preferences"]) == 7 * 4
    assert all(one["isOn"] for one in chosen["preferences"])
    given = {"category": "STAY", "channel": "PUSH", "isOn": False}
    said = await api.ask(PREFER, {"input": given}, token=token)
    kept = said["setNotificationPreference"]["notificationPreferences"]["preferences"]
    assert [one for one in kept if not one["isOn"]] == [given]
    given = {"category": "BILL", "channel": "IN_APP", "isOn": False}
    said = await api.ask(PREFER, {"input": given}, token=token)
    assert said["setNotificationPreference"] == {"code": "CATEGORY_ALWAYS_TOLD"}
    chosen = (await api.ask(CHOSEN, token=token))["viewer"]["notificationPreferences"]
    assert chosen["preferences"] == kept


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"startsAt": "22:00:00", "timezone": "Asia/Shanghai"}, "endsAt"),
        ({"startsAt": "22:00:00", "endsAt": "22:00:00", "timezone": "Asia/Shanghai"}, "endsAt"),
        ({"startsAt": "22:00:00", "endsAt": "07:00:00", "timezone": "Shanghai"}, "timezone"),
        ({"startsAt": "22:00:00", "endsAt": "07:00:00"}, "timezone"),
        ({"timezone": "Asia/Shanghai"}, "startsAt"),
    ],
)
async def test_quiet_hours_that_mean_nothing_are_refused(
    api: ApiWorld, given: dict[str, str], field: str
) -> None:
    _, token = await api.add_driver()
    said = await api.ask(QUIET, {"input": given}, token=token)
    assert said["setQuietHours"] == {"code": "INVALID_INPUT", "field": field}
    assert await api.lanes.rows("SELECT * FROM notice_books") == []


async def test_quiet_hours_are_set_and_taken_back(api: ApiWorld) -> None:
    _, token = await api.add_driver()
    given = {"startsAt": "22:00:00", "endsAt": "07:00:00", "timezone": "Asia/Shanghai"}
    said = await api.ask(QUIET, {"input": given}, token=token)
    assert said["setQuietHours"]["notificationPreferences"]["quietHours"] == given
    said = await api.ask(QUIET, {"input": {}}, token=token)
    assert said["setQuietHours"]["notificationPreferences"]["quietHours"] is None


async def test_the_language_is_chosen(api: ApiWorld) -> None:
    driver_id, token = await _with_phone(api)
    push = RecordingPushSender()
    said = await api.ask(LANGUAGE, {"locale": "de"}, token=token)
    assert said["setLanguage"] == {"locale": "de"}
    await _tell(api, driver_id, push)
    assert push.messages[0].title == "12,50\xa0CN¥ bezahlt"
    said = await api.ask(LANGUAGE, {"locale": "tlh"}, token=token)
    assert said["setLanguage"] == {"code": "INVALID_INPUT", "field": "locale"}


LOG = """
query Log($id: ID!) { deliveries(sessionId: $id) { template channel state attempts failure } }
"""


async def test_staff_see_what_became_of_their_own_events(api: ApiWorld) -> None:
    driver_id, _ = await _with_phone(api)
    push = RecordingPushSender()
    push.answers = [PushResult(PushOutcome.REFUSED, failure="invalid_argument")]
    event = await _tell(api, driver_id, push)
    session_id = encode_id("Session", event.subject_id)

    async def seen_by(operator_id: UUID) -> list[dict[str, Any]]:
        token = api.tokens.issue_staff(operator_id, "Ada")[0]
        said = await api.ask(LOG, {"id": session_id}, token=token, path="/staff/graphql")
        return said["deliveries"]

    assert await seen_by(event.owner_id) == [
        {
            "template": "payment_charged",
            "channel": "PUSH",
            "state": "FAILED",
            "attempts": 1,
            "failure": "invalid_argument",
        }
    ]
    assert await seen_by(api.lanes.entry.operator_id) == []


REGISTER = f"""
mutation Register($input: RegisterDeviceInput!) {{ registerDevice(input: $input) {{
  __typename {REFUSAL}
}} }}
"""
KEYS = {
    "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIA"
    "iw4",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
}
ENDPOINT = "https://web.push.apple.com/QOPd"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, None),
        ({"target": "https://127.0.0.1/x"}, "target"),
        ({"keys": None}, "keys"),
        ({"keys": {**KEYS, "auth": "short"}}, "auth"),
        ({"kind": "FID"}, "keys"),
        ({"is_set_up": False}, "kind"),
    ],
)
async def test_a_browser_registers_its_subscription(
    api: ApiWorld, changes: dict[str, Any], field: str | None
) -> None:
    driver_id, token = await api.add_driver()
    terms = WebPushTerms("public", PushServices()) if changes.pop("is_set_up", True) else None
    config = ApiConfig(tokens=api.tokens, sms=api.sms, web_push=terms)
    transport = httpx.ASGITransport(create_app(api.lanes.context, config))
    given = {"kind": "WEB_PUSH", "target": ENDPOINT, "platform": "web", "keys": KEYS} | changes
    body = {"query": REGISTER, "variables": {"input": given}}
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as http:
        said = (await http.post("/graphql", json=body, headers=headers)).json()["data"]
        asked = {"query": "{ viewer { webPushPublicKey } }"}
        key = (await http.post("/graphql", json=asked, headers=headers)).json()["data"]["viewer"]
    assert key == {"webPushPublicKey": None if terms is None else "public"}
    rows = await api.lanes.rows("SELECT driver_id, target_kind, push_keys_sealed FROM devices")
    if field is None:
        assert said["registerDevice"] == {"__typename": "DeviceRegistered"}
        [row] = rows
        assert (row["driver_id"], row["target_kind"]) == (driver_id, "web_push")
        assert web_push.open_keys(api.lanes.context.database.vault, row["push_keys_sealed"]) == KEYS
        assert not any(key.encode() in row["push_keys_sealed"] for key in KEYS.values())
    else:
        assert said["registerDevice"]["field"] == field
        assert rows == []
