"""Staff look at what a lane was not sure of: their own operator's, one person at a time."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.global_ids import encode_id
from parking.flows.lane_types import (
    FrameUpload,
    Heading,
    ObservationMethod,
    ReadSource,
    ReadState,
    TrackedCar,
)
from parking.kit.ids import new_id
from tests.factories.api import ApiWorld
from tests.factories.lane_world import PLATE, LaneWorld, read_of

PATH = "/staff/graphql"
FIELDS = "id kind state plate confidence whyNot placeName laneName isClaimed claimedBy closedBy"
LIST = f"query List($place: ID, $lane: ID, $first: Int! = 20, $after: String) {{ reviews(placeId: $place, laneId: $lane, first: $first, after: $after) {{ nodes {{ {FIELDS} placeId laneId }} pageInfo {{ hasNextPage endCursor }} }} }}"  # noqa: E501
ONE = f"query One($id: ID!) {{ review(id: $id) {{ review {{ {FIELDS} }} alternatives {{ text probability }} sessionId sessionPlate candidates {{ plate distance }} pictures {{ url sizeBytes }} actions {{ kind by }} }} }}"  # noqa: E501
REFUSALS = "... on Refusal { code message } ... on InvalidInput { field }"
CLAIM = f"mutation Claim($id: ID!) {{ claimReview(input: {{reviewId: $id}}) {{ __typename ... on ReviewClaimed {{ claimedUntil }} {REFUSALS} }} }}"  # noqa: E501
CORRECT = f'mutation Correct($id: ID!, $plate: String!, $reason: String! = "seen", $waive: Boolean! = false) {{ correctReviewedPlate(input: {{reviewId: $id, plate: $plate, reason: $reason, waive: $waive}}) {{ __typename ... on ReviewClosed {{ state laneAction }} {REFUSALS} }} }}'  # noqa: E501
CONFIRM = f"mutation Confirm($id: ID!) {{ confirmReview(input: {{reviewId: $id}}) {{ __typename ... on ReviewClosed {{ state }} {REFUSALS} }} }}"  # noqa: E501
DISMISS = f'mutation Dismiss($id: ID!, $reason: String! = "dark") {{ dismissReview(input: {{reviewId: $id, reason: $reason}}) {{ __typename ... on ReviewClosed {{ state }} {REFUSALS} }} }}'  # noqa: E501
WRITES = (CLAIM, CORRECT, CONFIRM, DISMISS)
WRONG = "京A88781"
GUESS = ReadSource(ObservationMethod.ANPR, "weights-1", is_fallback=True)
GONE = {"__typename": "Refused", "code": "REVIEW_UNKNOWN"}


async def do(api: ApiWorld, query: str, token: str | None, **variables: Any) -> Any:  # noqa: ANN401 - JSON
    data = await api.ask(query, variables, token=token, path=PATH)
    return next(iter(data.values()))


def staff(api: ApiWorld, name: str = "Ada", operator_id: UUID | None = None) -> str:
    token, _ = api.tokens.issue_staff(operator_id or api.lanes.entry.operator_id, name)
    return token


async def guess_in(world: LaneWorld, plate: str = WRONG, *, passes: bool = True) -> UUID:
    """Let a car in on a guess, with a picture; returns its presentation."""
    car = await world.arrive(world.entry)
    frame = FrameUpload(
        new_id(world.clock.now()), car, world.clock.now(), "image/jpeg", b"\xff\xd8x"
    )
    await world.gate.store_frame(world.entry, frame)
    await world.gate.decide(world.entry, car, read_of(plate, 0.7), GUESS)
    if passes:
        await world.barrier(world.entry, car, "opened", "passed")
        await world.clear(world.entry, car)
    return car


async def only(api: ApiWorld, token: str) -> dict[str, Any]:
    [node] = (await do(api, LIST, token))["nodes"]
    return node


async def test_a_review_shows_the_read_its_pictures_and_whose_stay_it_may_be(
    api: ApiWorld,
) -> None:
    world, ada = api.lanes, staff(api)
    await world.drive_in("京C55555")
    world.wait(minutes=1)
    await guess_in(world)
    listed = await only(api, ada)
    assert (listed["kind"], listed["plate"], listed["confidence"]) == ("UNSURE_READ", WRONG, 0.7)
    assert (listed["placeName"], listed["laneName"]) == ("Riverside", "Entry")
    found = await do(api, ONE, ada, id=listed["id"])
    assert found["sessionPlate"] == WRONG
    assert found["candidates"][0] == {"plate": WRONG, "distance": 0.0}
    [picture] = found["pictures"]
    local = picture["url"].removeprefix("https://pay.example")
    answer = await api.http.get(local, headers={"authorization": f"Bearer {ada}"})
    assert (answer.status_code, answer.content) == (200, b"\xff\xd8x")


async def test_another_operators_staff_and_drivers_get_nowhere(api: ApiWorld) -> None:
    world = api.lanes
    await guess_in(world)
    ada, eve = staff(api), staff(api, "Eve", uuid4())
    review = await only(api, ada)
    assert (await do(api, LIST, eve, place=review["placeId"]))["nodes"] == []
    assert await do(api, ONE, eve, id=review["id"]) is None
    _, driver = await api.add_driver()
    for write in WRITES:
        variables = {"id": review["id"]} | ({"plate": PLATE} if write is CORRECT else {})
        refused = await do(api, write, eve, **variables)
        assert {name: refused[name] for name in GONE} == GONE
        nobodys = await do(
            api, write, ada, **(variables | {"id": encode_id("MisreadReview", uuid4())})
        )
        assert {name: nobodys[name] for name in GONE} == GONE
        for token in (driver, None):
            assert (await do(api, write, token, **variables))["code"] == "UNAUTHENTICATED"
    assert await world.count("review_actions") == 0
    assert (await only(api, ada))["state"] == "OPEN"


async def test_one_person_at_a_time_and_a_claim_ends_by_itself(api: ApiWorld) -> None:
    await guess_in(api.lanes)
    ada, bob = staff(api), staff(api, "Bob")
    review_id = (await only(api, ada))["id"]
    outcomes = await asyncio.gather(*(do(api, CLAIM, one, id=review_id) for one in (ada, bob)))
    assert sorted(one["__typename"] for one in outcomes) == ["Refused", "ReviewClaimed"]
    first, second = (ada, bob) if outcomes[0]["__typename"] == "ReviewClaimed" else (bob, ada)
    assert (await do(api, CONFIRM, second, id=review_id))["code"] == "REVIEW_CLAIMED"
    api.lanes.wait(seconds=1)
    assert (await do(api, CLAIM, first, id=review_id))["__typename"] == "ReviewClaimed"
    api.lanes.wait(minutes=10)
    assert (await only(api, ada))["isClaimed"] is False
    assert (await do(api, CLAIM, second, id=review_id))["__typename"] == "ReviewClaimed"
    api.lanes.wait(seconds=1)
    assert await do(api, CONFIRM, second, id=review_id) == {
        "__typename": "ReviewClosed",
        "state": "RESOLVED",
    }
    assert (await do(api, DISMISS, first, id=review_id))["code"] == "REVIEW_CLOSED"
    found = await do(api, ONE, ada, id=review_id)
    assert [one["kind"] for one in found["actions"]] == ["CLAIMED"] * 3 + ["CONFIRMED"]
    assert (await do(api, LIST, ada))["nodes"] == []


async def test_a_dismissal_needs_a_reason_which_is_sealed(api: ApiWorld) -> None:
    await guess_in(api.lanes)
    ada = staff(api)
    review_id = (await only(api, ada))["id"]
    for reason in ("", "  ", "x" * 501):
        refused = await do(api, DISMISS, ada, id=review_id, reason=reason)
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "reason")
    assert await api.lanes.count("review_actions") == 0
    dismissed = await do(api, DISMISS, ada, id=review_id, reason=f"not {PLATE}")
    assert dismissed["state"] == "DISMISSED"
    [action] = await api.lanes.rows("SELECT acted_by, note_sealed FROM review_actions")
    assert action["acted_by"] == f"{api.lanes.entry.operator_id}:Ada"
    assert PLATE.encode() not in action["note_sealed"]


async def test_a_stay_that_nothing_followed_from_gets_the_plate_that_staff_read(
    api: ApiWorld,
) -> None:
    world, ada = api.lanes, staff(api)
    driver_id, _ = await api.add_driver(PLATE)
    await guess_in(world)
    review_id = (await only(api, ada))["id"]
    bad = await do(api, CORRECT, ada, id=review_id, plate="?")
    assert (bad["code"], bad["field"]) == ("INVALID_INPUT", "plate")
    closed = await do(api, CORRECT, ada, id=review_id, plate="京A·88731")
    assert closed == {"__typename": "ReviewClosed", "state": "RESOLVED", "laneAction": None}
    [stay] = await world.rows("SELECT driver_id, state FROM sessions")
    assert stay == {"driver_id": driver_id, "state": "active"}
    reads = await world.rows("SELECT method FROM observations ORDER BY method")
    assert [row["method"] for row in reads] == ["anpr", "staff"]
    world.wait(minutes=5)
    assert (await world.drive_out(PLATE)).reason == "zero_due"


async def test_a_stay_with_a_bill_is_only_waived_and_its_money_goes_back_once(
    api: ApiWorld,
) -> None:
    world, ada = api.lanes, staff(api)
    driver_id, _ = await api.add_driver(WRONG)
    await world.permit(driver_id)
    await guess_in(world)
    world.wait(hours=1)
    assert (await world.drive_out(WRONG)).reason == "paid"
    review_id = (await only(api, ada))["id"]
    refused = await do(api, CORRECT, ada, id=review_id, plate=PLATE)
    assert refused["code"] == "REVIEW_CORRECTION_REFUSED"
    assert await world.count("refunds") == 0
    assert (await only(api, ada))["state"] == "OPEN"
    outcomes = await asyncio.gather(
        *(do(api, CORRECT, ada, id=review_id, plate=PLATE, waive=True) for _ in range(3))
    )
    assert [one["__typename"] for one in outcomes].count("ReviewClosed") >= 1
    [refund] = await world.rows("SELECT state, amount_minor FROM refunds")
    assert refund == {"state": "succeeded", "amount_minor": 1000}
    assert await world.count("payment_attempts") == 1
    assert sum((await world.balances()).values()) == 0
    assert await world.count("review_actions") == 1


async def test_a_car_that_waits_at_an_exit_is_decided_on_with_the_plate_that_staff_read(
    api: ApiWorld,
) -> None:
    world, ada = api.lanes, staff(api)
    driver_id, _ = await api.add_driver(PLATE)
    await world.permit(driver_id)
    await world.drive_in(PLATE)
    world.wait(hours=1)
    car = await world.arrive(world.exit)
    decision = await world.decide(world.exit, car, read_of("京C55555"))
    assert decision.reason == "no_session"
    review_id = (await only(api, ada))["id"]
    closed = await do(api, CORRECT, ada, id=review_id, plate=PLATE)
    assert (closed["state"], closed["laneAction"]) == ("RESOLVED", "open")
    [order] = await world.gate.pending_commands(world.exit, car)
    assert order.presentation_id == car
    assert await world.count("payment_attempts") == 1
    [told] = await world.rows("SELECT payload FROM outbox WHERE type = 'ReviewDecided'")
    assert told["payload"]["channels"] == [f"sesame:{{lane:{world.exit.lane_id}}}"]
    await world.barrier(world.exit, car, "opened", "passed")
    assert await world.count("open_sessions") == 0


async def test_a_car_that_has_left_the_exit_opens_nothing(api: ApiWorld) -> None:
    world, ada = api.lanes, staff(api)
    await world.drive_in(PLATE)
    car = await world.arrive(world.exit)
    await world.decide(world.exit, car, read_of("京C55555"))
    await world.clear(world.exit, car)
    before = await world.count("gate_commands")
    review_id = (await only(api, ada))["id"]
    closed = await do(api, CORRECT, ada, id=review_id, plate=PLATE)
    assert (closed["state"], closed["laneAction"]) == ("RESOLVED", None)
    assert await world.count("gate_commands") == before
    assert await world.count("bills") == 0


@pytest.mark.parametrize("kind", ["place", "lane"])
async def test_the_list_is_paged_and_filtered(api: ApiWorld, kind: str) -> None:
    world, ada = api.lanes, staff(api)
    for number in range(3):
        await guess_in(world, f"京B1000{number}")
        world.wait(minutes=1)
    away = replace(world.second_entry)
    car = await world.arrive(away)
    await world.gate.report_unreadable(away, car)
    nodes = (await do(api, LIST, ada))["nodes"]
    assert [node["plate"] for node in nodes] == ["京B10000", "京B10001", "京B10002", None]
    first = await do(api, LIST, ada, first=3)
    assert first["pageInfo"]["hasNextPage"] is True
    rest = await do(api, LIST, ada, first=3, after=first["pageInfo"]["endCursor"])
    assert [node["id"] for node in rest["nodes"]] == [nodes[3]["id"]]
    wanted = {kind: nodes[3][f"{kind}Id"]}
    assert len((await do(api, LIST, ada, **wanted))["nodes"]) == {"place": 4, "lane": 1}[kind]


async def test_a_second_doubt_about_a_car_that_is_let_out_charges_nobody_else(
    api: ApiWorld,
) -> None:
    world, ada = api.lanes, staff(api)
    for plate in (PLATE, "沪C55555"):
        driver_id, _ = await api.add_driver(plate)
        await world.permit(driver_id)
        await world.drive_in(plate)
        world.wait(minutes=1)
    world.wait(hours=1)
    car = await world.arrive(world.exit)
    await world.decide(world.exit, car, read_of("京D66666", 0.9))
    better = TrackedCar(Heading.TOWARDS, ReadState.UPDATED, "271")
    await world.gate.record_observation(
        world.exit, world.event(world.exit), car, read_of("京D66667"), "camera-1", better
    )
    nodes = (await do(api, LIST, ada))["nodes"]
    ids = {node["kind"]: node["id"] for node in nodes}
    assert set(ids) == {"NO_SESSION", "CORRECTION_REFUSED"}
    let_out = await do(api, CORRECT, ada, id=ids["NO_SESSION"], plate=PLATE)
    assert let_out["laneAction"] == "open"
    closed = await do(api, CORRECT, ada, id=ids["CORRECTION_REFUSED"], plate="沪C55555")
    assert (closed["state"], closed["laneAction"]) == ("RESOLVED", None)
    assert await world.count("bills") == 1
    assert await world.count("payment_attempts") == 1


async def test_of_two_doubts_that_are_put_right_at_once_one_gets_the_plate(api: ApiWorld) -> None:
    world, ada = api.lanes, staff(api)
    for plate in ("沪C55555", "京D66666"):
        await guess_in(world, plate)
        world.wait(minutes=1)
    ids = [node["id"] for node in (await do(api, LIST, ada))["nodes"]]
    outcomes = await asyncio.gather(*(do(api, CORRECT, ada, id=one, plate=PLATE) for one in ids))
    assert sorted(one["__typename"] for one in outcomes) == ["Refused", "ReviewClosed"]
    [refused] = [one for one in outcomes if one["__typename"] == "Refused"]
    assert refused["code"] in {"CONFLICT", "REVIEW_CORRECTION_REFUSED"}
    open_ids = [node["id"] for node in (await do(api, LIST, ada))["nodes"]]
    assert open_ids == [ids[outcomes.index(refused)]]
    assert await world.count("open_sessions") == 2
    assert await world.count("review_actions") == 1
