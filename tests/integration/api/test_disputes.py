"""Contesting a bill through the driver's schema, deciding it through the staff's."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from api.global_ids import encode_id
from parking.disputes.models import DisputeReason
from parking.flows.disputes import dispute_decision
from parking.flows.payments import notices
from parking.payments.fake import Fault
from parking.payments.port import OrderStatus
from parking.places import service as places
from parking.tariffs import service as tariffs
from tests.factories.api import ApiWorld
from tests.factories.disputes import MISREAD, PICTURE, bill_of, charged_stay, dispute, show
from tests.factories.lane_world import PLATE, RATE_TABLE

STAFF = "/staff/graphql"
REFUSAL = "... on Refusal { code message } ... on InvalidInput { field }"
DISPUTE = f"""
mutation Contest($input: DisputeBillInput!) {{ disputeBill(input: $input) {{
  __typename ... on BillDisputed {{ dispute {{
    id billId lineIndex reason comment state isBeingDecided words openedBySystem
    refunded {{ amountMinor currency }}
  }} }} {REFUSAL}
}} }}
"""
WITHDRAW = f"""
mutation Withdraw($id: ID!) {{ withdrawDispute(input: {{disputeId: $id}}) {{
  __typename ... on DisputeWithdrawn {{ dispute {{ id state }} }} {REFUSAL}
}} }}
"""
MINE = """
query Mine($first: Int, $after: String) { viewer { disputes(first: $first, after: $after) {
  edges { node { id state words } } pageInfo { hasNextPage endCursor }
} } }
"""
QUEUE = """
query Queue($state: DisputeState, $due: Boolean, $first: Int) {
  disputes(state: $state, reviewDue: $due, first: $first) {
    nodes { id state staffCause comment decidedBy isReviewDue reviewedBy }
    pageInfo { hasNextPage endCursor }
  }
}
"""
READ = """laneId text confidence characters distance kind probability threshold source framesRead
  alternatives { text probability } pictures { url contentType sizeBytes }"""
CASE = f"""
query Case($id: ID!) {{ dispute(id: $id) {{ summary {{ id state }} case {{
  plate probability evidenceSuffices
  bill {{ version total {{ amountMinor }} lines {{ reason amount {{ amountMinor }} }} }}
  bills {{ version total {{ amountMinor }} }}
  entry {{ {READ} }} exit {{ {READ} }} later {{ text }}
  checks {{ name ok words }} timeline {{ kind note }}
}} }} }}
"""
PREVIEW = f"""
mutation Preview($input: PreviewDisputeInput!) {{ previewDispute(input: $input) {{
  __typename ... on DisputePreview {{
    before {{ amountMinor }} after {{ amountMinor }} refund {{ amountMinor }}
  }} {REFUSAL}
}} }}
"""
RESOLVE = f"""
mutation Resolve($input: ResolveDisputeInput!) {{ resolveDispute(input: $input) {{
  __typename ... on DisputeResolved {{ dispute {{
    id state words decidedBy isBeingDecided refunded {{ amountMinor }}
  }} }} {REFUSAL}
}} }}
"""
REVIEW = f"""
mutation Review($id: ID!) {{ reviewDispute(input: {{disputeId: $id}}) {{
  __typename ... on DisputeReviewed {{ dispute {{ isReviewDue reviewedBy }} }} {REFUSAL}
}} }}
"""
BILLS = "{ viewer { sessions(first: 5) { edges { node { bills { id } } } } } }"
NODE = "query Node($id: ID!) { node(id: $id) { __typename } }"
WORDS = "The bill is corrected."
LARGE = text("UPDATE frames SET image = repeat('x', 4194305)::bytea WHERE id = :id")
TANK = "correction.vehicle.vehicleClass"
HALF_HOUR = timedelta(minutes=30)


@pytest.fixture
def staff(api: ApiWorld) -> str:
    return api.tokens.issue_staff(api.lanes.entry.operator_id, "Ada")[0]


async def other_staff(api: ApiWorld) -> str:
    async with api.lanes.context.database.begin() as unit:
        operator = places.add_operator(unit, "Hillside Parking")
    return api.tokens.issue_staff(operator.id, "Eve")[0]


async def contest(api: ApiWorld, token: str, bill_id: str, **changes: object) -> dict[str, Any]:
    given = {"billId": bill_id, "reason": "WRONG_VEHICLE", **changes}
    return (await api.ask(DISPUTE, {"input": given}, token=token))["disputeBill"]


async def resolve(
    api: ApiWorld, token: str | None, dispute_id: str, decision: str, **changes: object
) -> dict[str, Any]:
    given = {"disputeId": dispute_id, "decision": decision, "words": WORDS, **changes}
    return (await api.ask(RESOLVE, {"input": given}, token=token, path=STAFF))["resolveDispute"]


async def preview(
    api: ApiWorld, token: str, dispute_id: str, decision: str, **changes: object
) -> dict[str, Any]:
    given = {"disputeId": dispute_id, "decision": decision, **changes}
    return (await api.ask(PREVIEW, {"input": given}, token=token, path=STAFF))["previewDispute"]


async def pay(api: ApiWorld) -> None:
    """Let the charge that is under way succeed, and the provider tell it."""
    [attempt] = await api.lanes.rows("SELECT number FROM payment_attempts")
    api.lanes.provider.settle(attempt["number"], OrderStatus.SUCCEEDED)
    sent = api.lanes.provider.notices[-1]
    notice = api.lanes.provider.verify_notices(sent.headers, sent.body)[0]
    await notices.receive_notice(api.lanes.context, "fake", notice)


async def waiting(api: ApiWorld, **changes: Any) -> tuple[str, str, UUID]:  # noqa: ANN401 - passed on
    """Return an open dispute of a charged stay: its id, the driver's token, the session."""
    driver_id, session_id = await charged_stay(api.lanes)
    row = await dispute(api.lanes, driver_id, session_id, DisputeReason.WRONG_RATE, **changes)
    return encode_id("Dispute", row.id), await api.token_of(driver_id), session_id


async def test_a_driver_contests_withdraws_and_contests_again(api: ApiWorld) -> None:
    driver_id, session_id = await charged_stay(api.lanes)
    token = await api.token_of(driver_id)
    bill_id = encode_id("Bill", *await bill_of(api.lanes, session_id))
    contested = await contest(api, token, bill_id, lineIndex=0, comment=" Not mine. ")
    found = contested["dispute"]
    dispute_id = found.pop("id")
    assert found == {
        "billId": bill_id,
        "lineIndex": 0,
        "reason": "WRONG_VEHICLE",
        "comment": "Not mine.",
        "state": "OPEN",
        "isBeingDecided": False,
        "words": None,
        "openedBySystem": False,
        "refunded": None,
    }
    again = await contest(api, token, bill_id, lineIndex=0, reason="OTHER")
    assert again["dispute"]["id"] == dispute_id
    for _ in range(2):
        withdrawn = (await api.ask(WITHDRAW, {"id": dispute_id}, token=token))["withdrawDispute"]
        assert withdrawn["dispute"] == {"id": dispute_id, "state": "WITHDRAWN"}
    api.lanes.wait(seconds=1)
    fresh = (await contest(api, token, bill_id, lineIndex=0))["dispute"]
    assert fresh["id"] != dispute_id
    page = (await api.ask(MINE, {"first": 1}, token=token))["viewer"]["disputes"]
    assert [edge["node"]["id"] for edge in page["edges"]] == [fresh["id"]]
    assert page["pageInfo"]["hasNextPage"] is True
    after = {"first": 5, "after": page["pageInfo"]["endCursor"]}
    page = (await api.ask(MINE, after, token=token))["viewer"]["disputes"]
    assert [edge["node"]["id"] for edge in page["edges"]] == [dispute_id]


async def test_a_misread_is_refunded_in_the_answer(api: ApiWorld) -> None:
    driver_id, _ = await charged_stay(api.lanes, MISREAD)
    token = await api.token_of(driver_id)
    [stay] = (await api.ask(BILLS, token=token))["viewer"]["sessions"]["edges"]
    [bill] = stay["node"]["bills"]
    found = (await contest(api, token, bill["id"]))["dispute"]
    assert (found["state"], found["refunded"]["amountMinor"]) == ("AUTO_REFUNDED", 1000)
    assert found["words"].startswith("The pictures do not prove")
    assert api.lanes.provider.captured("CNY") == 0


async def test_unusable_input_names_its_field(api: ApiWorld) -> None:
    driver_id, session_id = await charged_stay(api.lanes)
    token = await api.token_of(driver_id)
    bill_id = encode_id("Bill", *await bill_of(api.lanes, session_id))
    wrong: tuple[tuple[str, object], ...] = (
        ("comment", "x" * 1001),
        ("comment", "a\x00b"),
        ("lineIndex", 99),
        ("lineIndex", -1),
        ("billId", "x"),
        ("billId", encode_id("Session", UUID(int=1))),
        ("billId", "e" * 5000),
    )
    for field, value in wrong:
        given = {"billId": bill_id, "reason": "WRONG_VEHICLE", field: value}
        refused = (await api.ask(DISPUTE, {"input": given}, token=token))["disputeBill"]
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", field)
    assert await api.lanes.count("disputes") == 0


async def test_a_strangers_bill_and_dispute_answer_like_none(api: ApiWorld, staff: str) -> None:
    dispute_id, token, session_id = await waiting(api)
    _, thief = await api.add_driver("沪B12345")
    operator_id, bill_id = await bill_of(api.lanes, session_id)
    stolen = await contest(api, thief, encode_id("Bill", operator_id, bill_id))
    guessed = await contest(api, thief, encode_id("Bill", operator_id, UUID(int=7)))
    foreign = await contest(api, thief, encode_id("Bill", UUID(int=7), bill_id))
    assert stolen == guessed == foreign
    assert stolen["code"] == "BILL_UNKNOWN"
    taken = (await api.ask(WITHDRAW, {"id": dispute_id}, token=thief))["withdrawDispute"]
    none = encode_id("Dispute", UUID(int=7))
    assert taken == (await api.ask(WITHDRAW, {"id": none}, token=thief))["withdrawDispute"]
    assert taken["code"] == "DISPUTE_UNKNOWN"
    assert (await api.ask(NODE, {"id": dispute_id}, token=thief))["node"] is None
    assert (await api.ask(NODE, {"id": dispute_id}, token=token))["node"] is not None
    assert (await api.ask(MINE, token=thief))["viewer"]["disputes"]["edges"] == []
    # A driver's token opens nothing of the staff's, and a staff token nothing of the driver's.
    assert (await resolve(api, thief, dispute_id, "REJECT"))["code"] == "UNAUTHENTICATED"
    assert (await resolve(api, None, dispute_id, "REJECT"))["code"] == "UNAUTHENTICATED"
    bill = encode_id("Bill", operator_id, bill_id)
    assert (await contest(api, staff, bill))["code"] == "UNAUTHENTICATED"
    [row] = await api.lanes.rows("SELECT state FROM disputes")
    assert row["state"] == "open"


async def test_another_operators_staff_see_and_decide_nothing(api: ApiWorld) -> None:
    dispute_id, _, _ = await waiting(api)
    eve = await other_staff(api)
    assert (await api.ask(QUEUE, token=eve, path=STAFF))["disputes"]["nodes"] == []
    assert (await api.ask(CASE, {"id": dispute_id}, token=eve, path=STAFF))["dispute"] is None
    assert (await resolve(api, eve, dispute_id, "ACCEPT_FULL"))["code"] == "DISPUTE_UNKNOWN"
    assert (await preview(api, eve, dispute_id, "ACCEPT_FULL"))["code"] == "DISPUTE_UNKNOWN"
    reviewed = await api.ask(REVIEW, {"id": dispute_id}, token=eve, path=STAFF)
    assert reviewed["reviewDispute"]["code"] == "DISPUTE_UNKNOWN"
    assert api.lanes.provider.captured("CNY") == 1000
    [row] = await api.lanes.rows("SELECT state FROM disputes")
    assert row["state"] == "open"


async def test_staff_see_the_case(api: ApiWorld, staff: str) -> None:
    driver_id, session_id = await charged_stay(api.lanes, MISREAD, 0.9)
    row = await dispute(api.lanes, driver_id, session_id, DisputeReason.WRONG_RATE, comment="Why?")
    listed = (await api.ask(QUEUE, {"state": "OPEN"}, token=staff, path=STAFF))["disputes"]
    assert [(node["comment"], node["staffCause"]) for node in listed["nodes"]] == [
        ("Why?", "reason")
    ]
    found = await api.ask(CASE, {"id": encode_id("Dispute", row.id)}, token=staff, path=STAFF)
    case = found["dispute"]["case"]
    assert (case["plate"], case["evidenceSuffices"]) == (PLATE, False)
    assert case["probability"] == pytest.approx(0.7525)
    entry, leaving = case["entry"], case["exit"]
    assert (entry["text"], entry["kind"], entry["probability"]) == (PLATE, "exact", 0.99)
    assert entry["pictures"] == []
    lanes = [api.lanes.entry, api.lanes.exit]
    assert [entry["laneId"], leaving["laneId"]] == [
        encode_id("AccessLane", lane.operator_id, lane.lane_id) for lane in lanes
    ]
    assert (leaving["text"], leaving["kind"], leaving["confidence"]) == (MISREAD, "corrected", 0.9)
    assert (leaving["threshold"], leaving["source"]) == (0.98, "weights-1")
    assert leaving["characters"] == [0.99] * len(MISREAD)
    [picture] = leaving["pictures"]
    assert (picture["contentType"], picture["sizeBytes"]) == ("image/jpeg", len(PICTURE))
    assert case["bill"]["total"] == {"amountMinor": 1000}
    assert [line["amount"]["amountMinor"] for line in case["bill"]["lines"]] == [1000]
    assert {check["ok"] for check in case["checks"]} <= {True, None}
    assert "lines" in {check["name"] for check in case["checks"] if check["ok"]}
    kinds = [moment["kind"] for moment in case["timeline"]]
    assert kinds[0] == "ENTERED"
    assert kinds[-1] == "DISPUTED"
    assert {"AT_EXIT", "BILL_ISSUED", "BILL_PAID", "LEFT"} <= set(kinds)


async def test_accepting_refunds_all_and_tells_the_driver(api: ApiWorld, staff: str) -> None:
    dispute_id, driver, _ = await waiting(api)
    expected = {"before": 1000, "after": 0, "refund": 1000}
    asked = await preview(api, staff, dispute_id, "ACCEPT_FULL")
    assert {name: asked[name]["amountMinor"] for name in expected} == expected
    # The preview left nothing behind.
    assert api.lanes.provider.captured("CNY") == 1000
    assert await api.lanes.count("bills") == 1
    assert await api.lanes.count("refunds") == 0
    for _ in range(2):
        decided = (await resolve(api, staff, dispute_id, "ACCEPT_FULL"))["dispute"]
        assert decided == {
            "id": dispute_id,
            "state": "ACCEPTED",
            "words": WORDS,
            "decidedBy": f"{api.lanes.entry.operator_id}:Ada",
            "isBeingDecided": False,
            "refunded": {"amountMinor": 1000},
        }
    assert api.lanes.provider.captured("CNY") == 0
    assert sum((await api.lanes.balances()).values()) == 0
    [edge] = (await api.ask(MINE, token=driver))["viewer"]["disputes"]["edges"]
    assert edge["node"] == {"id": dispute_id, "state": "ACCEPTED", "words": WORDS}
    told = await api.lanes.rows("SELECT payload FROM outbox WHERE type = 'DisputeDecided'")
    assert [row["payload"]["state"] for row in told] == ["accepted"]


async def test_correcting_the_exit_refunds_the_difference(api: ApiWorld, staff: str) -> None:
    dispute_id, _, _ = await waiting(api)
    [session] = await api.lanes.rows("SELECT entered_at FROM sessions")
    correction = {"leftAt": (session["entered_at"] + HALF_HOUR).isoformat()}
    asked = await preview(api, staff, dispute_id, "CORRECT", correction=correction)
    assert (asked["after"], asked["refund"]) == ({"amountMinor": 500}, {"amountMinor": 500})
    decided = await resolve(api, staff, dispute_id, "CORRECT", correction=correction)
    assert decided["dispute"]["refunded"] == {"amountMinor": 500}
    assert api.lanes.provider.captured("CNY") == 500
    assert await api.lanes.balances() == {
        ("provider:fake", "CNY"): 500,
        ("receivable", "CNY"): 0,
        ("revenue", "CNY"): -500,
    }


async def test_correcting_the_vehicle_prices_the_stay_for_it(api: ApiWorld, staff: str) -> None:
    line = {"kind": "increment", "value": 200, "block": 30, "from": 0}
    motorcycles = {
        "name": "motorcycles",
        "eligibility": {"vehicle_classes": ["motorcycle"]},
        "collections": [{"name": "motorcycles", "lines": [line]}],
    }
    async with api.lanes.context.database.begin() as unit:
        lane = api.lanes.entry
        body = RATE_TABLE | {"variants": [motorcycles]}
        await tariffs.publish(unit, lane.operator_id, lane.place_id, currency="CNY", body=body)
    dispute_id, _, _ = await waiting(api)
    correction = {"vehicle": {"vehicleClass": "motorcycle"}}
    asked = await preview(api, staff, dispute_id, "CORRECT", correction=correction)
    assert (asked["before"], asked["after"]) == ({"amountMinor": 1000}, {"amountMinor": 400})
    decided = await resolve(api, staff, dispute_id, "CORRECT", correction=correction)
    assert decided["dispute"]["refunded"] == {"amountMinor": 600}
    assert api.lanes.provider.captured("CNY") == 400


async def test_accepting_a_line_waives_that_line(api: ApiWorld, staff: str) -> None:
    dispute_id, _, _ = await waiting(api, line_index=0)
    decided = await resolve(api, staff, dispute_id, "ACCEPT_FULL")
    assert decided["dispute"]["refunded"] == {"amountMinor": 1000}
    assert api.lanes.provider.captured("CNY") == 0


async def test_rejecting_moves_nothing_and_is_final(api: ApiWorld, staff: str) -> None:
    dispute_id, driver, _ = await waiting(api)
    asked = await preview(api, staff, dispute_id, "REJECT")
    assert (asked["before"], asked["after"]) == ({"amountMinor": 1000}, {"amountMinor": 1000})
    assert (await resolve(api, staff, dispute_id, "REJECT"))["dispute"]["state"] == "REJECTED"
    for decision in ("ACCEPT_FULL", "REJECT"):
        refused = await resolve(api, staff, dispute_id, decision, words="Other words.")
        assert refused["code"] == "DISPUTE_DECIDED"
    withdrawn = (await api.ask(WITHDRAW, {"id": dispute_id}, token=driver))["withdrawDispute"]
    assert withdrawn["code"] == "DISPUTE_DECIDED"
    assert api.lanes.provider.captured("CNY") == 1000


async def test_of_two_people_at_once_one_decides(api: ApiWorld, staff: str) -> None:
    dispute_id, _, _ = await waiting(api)
    bob = api.tokens.issue_staff(api.lanes.entry.operator_id, "Bob")[0]
    answers = await asyncio.gather(
        resolve(api, staff, dispute_id, "ACCEPT_FULL"), resolve(api, bob, dispute_id, "REJECT")
    )
    names = [answer["__typename"] for answer in answers]
    assert sorted(names) == ["DisputeResolved", "Refused"]
    refused = answers[names.index("Refused")]
    assert refused["code"] == "DISPUTE_DECIDED"
    won = answers[names.index("DisputeResolved")]["dispute"]
    left = 0 if won["state"] == "ACCEPTED" else 1000
    assert api.lanes.provider.captured("CNY") == left


async def test_a_correction_that_cannot_be_leaves_the_dispute_open(
    api: ApiWorld, staff: str
) -> None:
    dispute_id, _, _ = await waiting(api)
    cases: tuple[tuple[str, dict[str, object], str], ...] = (
        ("CORRECT", {}, "correction"),
        ("CORRECT", {"correction": {}}, "correction"),
        ("REJECT", {"correction": {"waivedLines": [0]}}, "correction"),
        ("CORRECT", {"correction": {"leftAt": "2999-01-01T00:00:00Z"}}, "leftAt"),
        ("CORRECT", {"correction": {"leftAt": "2026-01-01T00:00:00"}}, "correction.leftAt"),
        ("CORRECT", {"correction": {"enteredAt": "2000-01-01T00:00:00Z"}}, "enteredAt"),
        ("CORRECT", {"correction": {"waivedLines": [99]}}, "waivedLines"),
        ("CORRECT", {"correction": {"waivedLines": [0] * 101}}, "correction.waivedLines"),
        ("CORRECT", {"correction": {"vehicle": {"vehicleClass": "tank"}}}, TANK),
        ("ACCEPT_FULL", {"words": ""}, "words"),
        ("ACCEPT_FULL", {"words": "x" * 1001}, "words"),
    )
    for decision, changes, field in cases:
        refused = await resolve(api, staff, dispute_id, decision, **changes)
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", field), changes
    assert api.lanes.provider.captured("CNY") == 1000
    [row] = await api.lanes.rows("SELECT state, decision, decided_by FROM disputes")
    assert row == {"state": "open", "decision": None, "decided_by": None}
    assert (await resolve(api, staff, dispute_id, "REJECT"))["dispute"]["state"] == "REJECTED"


async def test_a_decision_waits_for_a_payment_under_way(api: ApiWorld, staff: str) -> None:
    driver_id = await api.lanes.add_driver()
    await api.lanes.permit(driver_id)
    session_id = await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    api.lanes.provider.play(Fault.ACCEPT_GUARANTEED)
    assert (await api.lanes.drive_out()).action == "open"
    row = await dispute(api.lanes, driver_id, session_id, DisputeReason.OTHER)
    dispute_id = encode_id("Dispute", row.id)
    decided = (await resolve(api, staff, dispute_id, "ACCEPT_FULL"))["dispute"]
    assert (decided["state"], decided["isBeingDecided"], decided["words"]) == ("OPEN", True, None)
    assert (await resolve(api, staff, dispute_id, "REJECT"))["code"] == "DISPUTE_DECIDED"
    assert await api.lanes.count("refunds") == 0
    await pay(api)
    api.lanes.wait(minutes=2)
    assert await dispute_decision.sweep(api.lanes.context) == 1
    [found] = await api.lanes.rows("SELECT state, refunded_minor FROM disputes")
    assert found == {"state": "accepted", "refunded_minor": 1000}
    assert api.lanes.provider.captured("CNY") == 0


async def test_pictures_are_for_the_staff_of_their_operator(api: ApiWorld, staff: str) -> None:
    presentation_id = await api.lanes.arrive(api.lanes.exit)
    frame_id = await show(api.lanes, api.lanes.exit, presentation_id)
    path = f"/staff/pictures/{frame_id}"
    shown = await api.http.get(path, headers={"authorization": f"Bearer {staff}"})
    assert (shown.status_code, shown.content) == (200, PICTURE)
    assert shown.headers["content-type"] == "image/jpeg"
    assert shown.headers["cache-control"] == "private, no-store"
    assert shown.headers["x-content-type-options"] == "nosniff"
    eve = await other_staff(api)
    _, driver = await api.add_driver("沪B12345")
    for token, status in ((eve, 404), (driver, 401), ("x", 401)):
        refused = await api.http.get(path, headers={"authorization": f"Bearer {token}"})
        assert refused.status_code == status
        assert PICTURE not in refused.content
    assert (await api.http.get(path)).status_code == 401
    for wrong in (UUID(int=7), "x", "%2e%2e", "0" * 500):
        missing = await api.http.get(
            f"/staff/pictures/{wrong}", headers={"authorization": f"Bearer {staff}"}
        )
        assert missing.status_code == 404
    async with api.lanes.context.database.begin() as unit:
        await unit.run(LARGE, {"id": frame_id})
    too_large = await api.http.get(path, headers={"authorization": f"Bearer {staff}"})
    assert too_large.status_code == 404
