"""Decisions across crashes and rivals."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from parking.disputes import service as disputes
from parking.disputes.errors import DisputeDecidedError, DisputeUnknownError
from parking.disputes.models import Dispute, DisputeReason, DisputeState
from parking.flows import binding
from parking.flows.context import ParkingContext
from parking.flows.disputes import dispute_decision, dispute_view
from parking.flows.disputes.dispute_decision import ACCEPT_FULL, REJECT
from parking.flows.payments import prepay
from parking.flows.payments.correction import CorrectionOutcome
from parking.kit.database import ConflictError
from parking.kit.errors import ParkingError
from parking.sessions.errors import SessionUnknownError
from tests.factories.disputes import MISREAD, charged_stay, dispute, leave
from tests.factories.lane_world import PLATE, LaneWorld


async def decide(world: LaneWorld, found: Dispute, kind: str, name: str = "Ada") -> Dispute:
    return await dispute_decision.resolve(
        world.context,
        found.operator_id,
        found.id,
        kind=kind,
        remedy=None,
        words="As decided.",
        staff_name=name,
    )


async def state_of(world: LaneWorld) -> tuple[str, int | None]:
    [row] = await world.rows("SELECT state, refunded_minor FROM disputes")
    return row["state"], row["refunded_minor"]


async def test_a_decision_that_breaks_keeps_no_other_waiting_and_comes_back_to_staff(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken: list[UUID] = []

    async def break_first(
        context: ParkingContext, row: Dispute, decision: dict[str, Any]
    ) -> CorrectionOutcome | None:
        if not broken:
            broken.append(row.id)
        if row.id in broken or is_opening:
            raise RuntimeError("a defect")
        return await carried_out(context, row, decision)

    carried_out = dispute_decision._correct  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(dispute_decision, "_correct", break_first)
    is_opening = True
    for plate, misread in ((PLATE, MISREAD), ("沪B12345", "沪812345")):
        driver_id, session_id = await charged_stay(world, misread, plate=plate)
        with pytest.raises(RuntimeError, match="a defect"):
            await dispute(world, driver_id, session_id)
    is_opening = False
    # Whichever of them comes first.
    broken.clear()
    world.wait(minutes=1)
    assert await dispute_decision.sweep(world.context) == 2
    states = await world.rows("SELECT id, state, decision FROM disputes")
    assert {row["state"] for row in states if row["id"] not in broken} == {"auto_refunded"}
    assert [row["decision"] for row in states if row["id"] in broken] == [{"kind": "automatic"}]
    for _ in range(disputes.TRIES_MAX):
        world.wait(minutes=2)
        await dispute_decision.sweep(world.context)
    rows = "SELECT staff_cause, decision FROM disputes WHERE state = 'open'"
    assert await world.rows(rows) == [{"staff_cause": "not_possible", "decision": None}]
    assert world.provider.captured("CNY") == 1000


@pytest.mark.parametrize("dies_in", ["_correct", "_finish"])
async def test_a_decision_survives_the_process_that_made_it(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch, dies_in: str
) -> None:
    driver_id, session_id = await charged_stay(world, MISREAD)

    async def die(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(dispute_decision, dies_in, die)
        with pytest.raises(RuntimeError, match="killed"):
            await dispute(world, driver_id, session_id)
    assert await state_of(world) == ("open", None)
    assert await dispute_decision.sweep(world.context) == 0
    world.wait(minutes=1)
    assert await dispute_decision.sweep(world.context) == 1
    assert await state_of(world) == ("auto_refunded", 1000)
    assert world.provider.captured("CNY") == 0
    assert await world.count("refunds") == 1
    world.wait(minutes=1)
    assert await dispute_decision.sweep(world.context) == 0


async def test_what_can_never_be_done_comes_back_to_staff(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver_id, session_id = await charged_stay(world, MISREAD)

    async def refuse(*_: object) -> None:
        raise SessionUnknownError("sessionId: expected one of yours")

    with monkeypatch.context() as patched:
        patched.setattr(dispute_decision, "_correct", refuse)
        found = await dispute(world, driver_id, session_id)
    assert (found.state, found.decision, found.staff_cause) == ("open", None, "not_possible")
    assert world.provider.captured("CNY") == 1000
    assert (await decide(world, found, ACCEPT_FULL)).state == DisputeState.ACCEPTED
    assert world.provider.captured("CNY") == 0


async def test_tries_end_and_a_person_goes_on(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver_id, session_id = await charged_stay(world, MISREAD)

    async def lose(*_: object) -> None:
        raise ConflictError("always")

    monkeypatch.setattr(dispute_decision, "_correct", lose)
    await dispute(world, driver_id, session_id)
    for _ in range(61):
        world.wait(minutes=2)
        await dispute_decision.sweep(world.context)
    [row] = await world.rows("SELECT state, staff_cause, next_try_at, decision FROM disputes")
    assert row == {
        "state": "open",
        "staff_cause": "not_possible",
        "next_try_at": None,
        "decision": None,
    }


async def test_withdrawing_and_deciding_at_once_is_one_of_them(world: LaneWorld) -> None:
    driver_id, session_id = await charged_stay(world)
    found = await dispute(world, driver_id, session_id, DisputeReason.OTHER)
    answers = await asyncio.gather(
        decide(world, found, REJECT),
        dispute_view.withdraw(world.context, driver_id, found.id),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, ParkingError)]
    assert [type(error) for error in refused] == [DisputeDecidedError]
    assert (await state_of(world))[0] in {"rejected", "withdrawn"}
    told = await world.rows("SELECT 1 AS one FROM outbox WHERE type = 'DisputeDecided'")
    assert len(told) == (1 if (await state_of(world))[0] == "rejected" else 0)


async def test_each_of_two_drivers_is_told_of_their_own_money(world: LaneWorld) -> None:
    first = await world.add_driver()
    await world.permit(first)
    session_id = await world.drive_in()
    world.wait(minutes=25)
    await prepay.prepay(world.context, first, session_id)
    [bound] = await world.rows("SELECT binding_id FROM driver_plates")
    await binding.unbind(world.context, first, bound["binding_id"])
    await world.permit(await world.add_driver())
    world.wait(minutes=60)
    assert (await leave(world)).reason == "paid"
    assert world.provider.captured("CNY") == 1500
    found = await dispute(world, first, session_id, DisputeReason.OTHER)
    decided = await decide(world, found, ACCEPT_FULL)
    # The stay costs nothing, and 10.00 of it went to whoever paid them.
    assert (decided.state, decided.refunded_minor) == (DisputeState.ACCEPTED, 500)
    assert world.provider.captured("CNY") == 0
    [told] = await world.rows("SELECT payload FROM outbox WHERE type = 'DisputeDecided'")
    assert (told["payload"]["driver_id"], told["payload"]["amount_minor"]) == (str(first), 500)


async def test_nobody_withdraws_what_the_system_found_or_what_is_not_theirs(
    world: LaneWorld,
) -> None:
    driver_id, session_id = await charged_stay(world)
    found = await dispute(world, driver_id, session_id, DisputeReason.OTHER)
    stranger = await world.add_driver("沪B12345")
    for who, which in ((stranger, found.id), (driver_id, UUID(int=7))):
        with pytest.raises(DisputeUnknownError):
            await dispute_view.withdraw(world.context, who, which)
    await world.rows_changed("UPDATE disputes SET opened_by = 'system'")
    with pytest.raises(DisputeUnknownError):
        await dispute_view.withdraw(world.context, driver_id, found.id)
    assert await state_of(world) == ("open", None)
