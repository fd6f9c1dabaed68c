"""The live bill over a real WebSocket: its ticks, what a payment closes, and what time reopens."""

from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from api.config import SUBSCRIPTION_LOOK_S
from api.global_ids import encode_id
from api.subscriptions import stay_feed
from parking.events.pokes import Poke, session_channel
from parking.flows import driver_view
from parking.flows.bills import live_bill
from parking.flows.payments import prepay
from parking.flows.validation import StayNamed, validate_stay
from parking.kit.money import Money
from parking.tariffs import service as tariffs
from tests.factories.api import ApiWorld, serve
from tests.factories.graphql_socket import GraphQLSocket, signed_in_socket
from tests.factories.lane_world import RATE_TABLE

# 1 CNY each started two minutes, so that much happens within the life of an access token.
QUICK: Final[dict[str, Any]] = RATE_TABLE | {
    "grace": 0,
    "grace_after_payment": 3,
    "collections": [
        {
            "name": "all day",
            "lines": [{"kind": "increment", "value": 100, "block": 2, "from": 0}],
        }
    ],
    "caps": [{"per": "session", "amount": 500}],
    "validations": [{"name": "cinema", "kind": "minutes", "value": 4}],
}
BILL: Final = """
fragment Live on Bill {
  due { amountMinor } asOf nextChangeAt closedUntil reopenedDue { amountMinor }
}
"""
FOLLOW: Final = (
    """
subscription Follow($id: ID!) {
  sessionUpdated(sessionId: $id) {
    ... on SessionUpdate { reason event session { bill { ...Live } } }
  }
}
"""
    + BILL
)
FOLLOW_BILL: Final = (
    """
subscription FollowBill($id: ID!, $after: Int) {
  billUpdated(sessionId: $id, afterVersion: $after) {
    __typename
    ... on BillUpdate { reason version events bill { ...Live } }
    ... on Refusal { code }
  }
}
"""
    + BILL
)
WHOLE: Final = """
query Whole($id: ID!, $until: DateTime!) {
  node(id: $id) { ... on Session {
    rateTableVersion
    vehicle { vehicleClass isEv isResident hasPass }
    bill {
      variant pricedFrom billedBefore { amountMinor }
      lines {
        reason window note blockMinutes blockCount blockAmount { amountMinor }
        amount { amountMinor } cappedFrom { amountMinor } runningTotal { amountMinor }
      }
      priceCurve(until: $until) { at due { amountMinor } total { amountMinor } }
    }
  } }
}
"""


class Watched:
    """A driver's running stay at a place of short blocks."""

    def __init__(self, api: ApiWorld, driver_id: UUID, session_id: UUID, token: str) -> None:
        self.api = api
        self.lanes = api.lanes
        self.driver_id = driver_id
        self.session_id = session_id
        self.token = token
        self.id = encode_id("Session", session_id)

    async def poke(self) -> None:
        channel = session_channel(self.session_id)
        assert await self.lanes.context.bus.publish([(channel, Poke(uuid4(), "Test"))])

    async def bill(self) -> live_bill.LiveBill:
        context = self.lanes.context
        view = await driver_view.find_session(context, self.driver_id, self.session_id)
        assert view is not None
        return view.bill


@pytest.fixture
async def stay(api: ApiWorld) -> Watched:
    lane = api.lanes.entry
    async with api.lanes.context.database.begin() as unit:
        await tariffs.publish(unit, lane.operator_id, lane.place_id, currency="CNY", body=QUICK)
    api.lanes.wait(seconds=1)
    driver_id, _ = await api.add_driver()
    await api.lanes.permit(driver_id)
    session_id = await api.lanes.drive_in()
    return Watched(api, driver_id, session_id, await api.token_of(driver_id))


@pytest.fixture
async def address(api: ApiWorld) -> AsyncGenerator[str]:
    async with serve(api.app) as address:
        yield address


async def update(client: GraphQLSocket) -> Any:  # noqa: ANN401 - JSON
    return (await client.data())["sessionUpdated"]


def brief(found: dict[str, Any]) -> tuple[str, int]:
    return found["reason"], found["session"]["bill"]["due"]["amountMinor"]


def time_of(found: dict[str, Any], name: str) -> datetime:
    return datetime.fromisoformat(found["session"]["bill"][name])


@pytest.fixture
def looks(stay: Watched, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let waiting cost no time: the clock goes on by just what a subscription waits for."""
    waited_s: list[float] = []
    patience_s = stay_feed.StayFeed.patience_s

    def go_on(feed: stay_feed.StayFeed, view: driver_view.SessionView) -> float:
        waited_s.append(patience_s(feed, view))
        # After the first ones the clock stands still: tokens live for a quarter of an hour.
        if len(waited_s) <= len(STEPS):
            stay.lanes.wait(seconds=waited_s[-1])
            return 0.0
        return SUBSCRIPTION_LOOK_S

    monkeypatch.setattr(stay_feed.StayFeed, "patience_s", go_on)
    monkeypatch.setattr(stay_feed, "SUBSCRIPTION_LOOK_S", 3600.0)
    return waited_s


STEPS: Final = (100, 200, 300, 400, 500)


async def test_a_tick_comes_when_the_curve_says_so_and_never_else(
    stay: Watched, address: str, looks: list[float]
) -> None:
    curve = live_bill.due_curve(await stay.bill(), stay.lanes.clock.now() + timedelta(days=1))
    assert [bill.due.amount_minor for bill in curve] == [0, *STEPS]
    async with signed_in_socket(address, stay.token) as client:
        await client.subscribe("1", FOLLOW, id=stay.id)
        tick = await update(client)
        assert brief(tick) == ("SNAPSHOT", 0)
        for expected in curve[1:]:
            tick = await update(client)
            assert brief(tick) == ("TICK", expected.due.amount_minor)
            assert time_of(tick, "asOf") == expected.as_of
        assert tick["session"]["bill"]["nextChangeAt"] is None
        # One look for each tick, and one that waits for the next change: no other work.
        await stay.poke()
    assert len(looks) <= len(STEPS) + 1


async def test_a_payment_closes_the_bill_and_time_reopens_it(
    stay: Watched, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stay_feed, "TICK_S_MIN", 0.02)
    stay.lanes.wait(minutes=3)
    async with signed_in_socket(address, stay.token) as client:
        await client.subscribe("1", FOLLOW, id=stay.id)
        first = await update(client)
        assert brief(first) == ("SNAPSHOT", 200)
        assert first["session"]["bill"]["closedUntil"] is None
        priced_at = stay.lanes.clock.now()
        await prepay.prepay(stay.lanes.context, stay.driver_id, stay.session_id)
        await stay.poke()
        paid = await update(client)
        assert (paid["event"], *brief(paid)) == ("PaymentCharged", "CHANGE", 0)
        closed_until = priced_at + timedelta(minutes=3)
        assert time_of(paid, "closedUntil") == closed_until
        # Six minutes are three blocks, two of which are paid.
        assert paid["session"]["bill"]["reopenedDue"] == {"amountMinor": 100}
        reopens_at = closed_until + timedelta(microseconds=1)
        assert time_of(paid, "nextChangeAt") == reopens_at
        for _ in range(2):
            # The price rises below the closed bill; nothing is told, for nothing is due.
            stay.lanes.wait(seconds=90)
            await stay.poke()
        assert (await stay.bill()).due == Money(0, "CNY")
        stay.lanes.wait(seconds=1)
        await stay.poke()
        reopened = await update(client)
        assert brief(reopened) == ("TICK", 200)
        assert reopened["session"]["bill"]["closedUntil"] is None
        # It can be paid and closed again.
        await prepay.prepay(stay.lanes.context, stay.driver_id, stay.session_id)
        await stay.poke()
        again = await update(client)
        assert (again["event"], *brief(again)) == ("PaymentCharged", "CHANGE", 0)
        assert again["session"]["bill"]["reopenedDue"] == {"amountMinor": 100}
    assert stay.lanes.provider.captured("CNY") == 400


async def test_a_validation_is_seen_at_once(stay: Watched, address: str) -> None:
    stay.lanes.wait(minutes=5)
    async with signed_in_socket(address, stay.token) as client:
        await client.subscribe("1", FOLLOW, id=stay.id)
        assert brief(await update(client)) == ("SNAPSHOT", 300)
        await validate_stay(
            stay.lanes.context,
            stay.lanes.entry.operator_id,
            StayNamed(session_id=stay.session_id),
            validation="cinema",
            by="Ada",
        )
        await stay.poke()
        changed = await update(client)
        assert (changed["event"], *brief(changed)) == ("SessionBillChanged", "CHANGE", 100)


async def bill_update(client: GraphQLSocket) -> tuple[str, int, list[str], int]:
    found = (await client.data())["billUpdated"]
    due = found["bill"]["due"]["amountMinor"]
    return found["reason"], found["version"], found["events"], due


async def test_bill_updated_follows_the_curve_by_itself(
    stay: Watched, address: str, looks: list[float]
) -> None:
    async with signed_in_socket(address, stay.token) as client:
        await client.subscribe("1", FOLLOW_BILL, id=stay.id)
        assert await bill_update(client) == ("SNAPSHOT", 2, [], 0)
        for expected in STEPS:
            assert await bill_update(client) == ("TICK", 2, [], expected)
        await stay.poke()
    # One look for each tick, and one that waits for the next change: no other work.
    assert len(looks) <= len(STEPS) + 1


async def test_bill_updated_tells_what_happened_and_goes_on_after_a_lost_connection(
    stay: Watched, address: str
) -> None:
    stay.lanes.wait(minutes=3)
    async with signed_in_socket(address, stay.token) as client:
        await client.subscribe("1", FOLLOW_BILL, id=stay.id)
        assert await bill_update(client) == ("SNAPSHOT", 2, [], 200)
        await prepay.prepay(stay.lanes.context, stay.driver_id, stay.session_id)
        await stay.poke()
        paid = await bill_update(client)
        assert paid == ("CHANGE", 3, ["PaymentCharged"], 0)
    assert (await stay.lanes.drive_out()).action == "open"
    async with signed_in_socket(address, stay.token) as client:
        await client.subscribe("1", FOLLOW_BILL, id=stay.id, after=paid[1])
        missed = await bill_update(client)
        assert missed == ("SNAPSHOT", 5, ["GateOpened", "SessionEnded"], 0)


async def test_somebody_elses_bill_answers_like_none(stay: Watched, address: str) -> None:
    _, thief = await stay.api.add_driver("ZZ99999")
    async with signed_in_socket(address, thief) as client:
        for wanted in (stay.id, encode_id("Session", uuid4())):
            await client.subscribe("1", FOLLOW_BILL, id=wanted)
            refused = {"__typename": "Refused", "code": "SESSION_UNKNOWN"}
            assert await client.data() == {"billUpdated": refused}
            assert await client.next() == {"id": "1", "type": "complete"}


async def test_the_bill_says_when_it_reopens_where_the_next_block_is_paid(stay: Watched) -> None:
    stay.lanes.wait(seconds=130)
    await prepay.prepay(stay.lanes.context, stay.driver_id, stay.session_id)
    bill = await stay.bill()
    assert bill.closed_until == stay.lanes.clock.now() + timedelta(minutes=3)
    # At 5:10 the third block has begun: reopening costs one.
    assert bill.reopened_due == Money(100, "CNY")
    assert bill.next_change_at is not None
    assert bill.later(bill.next_change_at - timedelta(microseconds=1)).due == Money(0, "CNY")
    assert bill.later(bill.next_change_at).due == Money(100, "CNY")


async def test_every_line_says_how_it_came_about(stay: Watched) -> None:
    stay.lanes.wait(minutes=11)
    until = stay.lanes.clock.now() + timedelta(hours=1)
    variables = {"id": stay.id, "until": until.isoformat()}
    found = (await stay.api.ask(WHOLE, variables, token=stay.token))["node"]
    assert found["rateTableVersion"] == 2
    assert found["vehicle"] == {
        "vehicleClass": "car",
        "isEv": False,
        "isResident": False,
        "hasPass": False,
    }
    bill = found["bill"]
    assert (bill["variant"], bill["billedBefore"]) == ("", {"amountMinor": 0})
    [line] = bill["lines"]
    assert line == {
        "reason": "increment",
        "window": "all day",
        "note": "session cap",
        "blockMinutes": 2,
        "blockCount": 6,
        "blockAmount": {"amountMinor": 100},
        "amount": {"amountMinor": 500},
        "cappedFrom": {"amountMinor": 600},
        "runningTotal": {"amountMinor": 500},
    }
    assert [step["due"] for step in bill["priceCurve"]] == [{"amountMinor": 500}]


@pytest.mark.parametrize("hours", [-1, 24 * 40])
async def test_a_curve_is_bounded(stay: Watched, hours: int) -> None:
    until = stay.lanes.clock.now() + timedelta(hours=hours)
    variables = {"id": stay.id, "until": until.isoformat()}
    body = await stay.api.post(WHOLE, variables, token=stay.token)
    assert body["errors"][0]["extensions"]["code"] == "INVALID_INPUT"
