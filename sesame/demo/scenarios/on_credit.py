"""A driver who pays by bank: the gate opens on credit, the debit collects the bill afterwards."""

from typing import Final
from uuid import UUID

from api.global_ids import BILL_KIND, decode_keys, encode_id
from parking.flows.payments import collection
from parking.payments import owing
from sesame.demo import documents
from sesame.demo.graphql_client import Json, money
from sesame.demo.lane import Visit
from sesame.demo.phone import Phone
from sesame.demo.providers import BANK
from sesame.demo.scenarios.act import Act, eventually
from sesame.demo.scenarios.stage import Stage, session_uuid
from sesame.demo.town import ALTMARKT, TownPlace

# 5.00 EUR for everybody who has an account, 2.50 more for every five bills paid in time.
POLICY: Final[Json] = {
    "isOpen": True,
    "requirement": "MANDATE",
    "firstLimit": {"amountMinor": 500, "currency": "EUR"},
    "stepBills": 5,
    "limitStep": {"amountMinor": 250, "currency": "EUR"},
    "limitMax": {"amountMinor": 2000, "currency": "EUR"},
}
# A debit is submitted on the first working day, and confirmed on the third.
BANK_DAYS: Final = 3


async def play(stage: Stage, act: Act) -> None:
    """Play the scenario once."""
    car = stage.cast.on_credit
    place = stage.town.town.place(ALTMARKT)
    async with stage.town.phone(car.plate) as phone:
        await stage.bind(act, phone, car, (BANK,))
        await give_credit(stage, act, place)
        await stage.drive_in(act, ALTMARKT, car)
        session = await phone.active_session(car.plate)
        await stage.stay(act)
        act.step("a bank debit takes days: never proof at a gate, but the driver has credit")
        visit = await stage.drive_out(act, ALTMARKT, car.pictures)
        owed, act.facts["credit"] = await expect_on_credit(act, phone, place, session["id"], visit)

        act.step("a minute later it is collected by itself: a debit at the bank")
        await _collect(stage, place.operator_id, owed["billId"])
        await eventually("a debit under way", lambda: _is_debited(phone, session["id"]))
        act.step(f"{BANK_DAYS} working days later the bank has paid")
        await stage.town.desks[BANK].play(days={"count": BANK_DAYS})
        await eventually("a bill that is paid", lambda: phone.owes_nothing(session["id"]))
        await stage.expect_paid_once(
            act, place.operator_id, session_uuid(session), kind="charge", provider=BANK
        )


async def give_credit(stage: Stage, act: Act, place: TownPlace) -> None:
    """Let drivers of a place pay after departure."""
    act.step(f"{place.operator} lets drivers pay after departure")
    policy = POLICY | {"placeIds": [encode_id("Place", place.operator_id, place.place_id)]}
    async with stage.town.staff(place.operator_id) as staff:
        await staff.run(documents.SET_CREDIT, input=policy)


async def expect_on_credit(
    act: Act, phone: Phone, place: TownPlace, session_id: str, visit: Visit
) -> tuple[Json, str]:
    """Check that a car left owing what the display said, within its driver's limit.

    Returns what is owed, and the credit in words.
    """
    owed = await eventually("a bill that is owed", lambda: phone.owed(session_id))
    amount = money(owed["amount"]).format()
    display = await visit.display()
    act.expect_that("the display says what is owed", holds=f"{amount} later" in display["lines"])
    found = await phone.credit(place.operator)
    used, limit = money(found["used"]), money(found["limit"])
    act.expect_that("the credit is within its limit", holds=used.amount_minor > 0)
    act.expect_that("no more than the limit is used", holds=used.amount_minor <= limit.amount_minor)
    credit = f"{used.format()} of {limit.format()}"
    act.step(f"the gate opens on credit: {amount} owed, credit used {credit}")
    return owed, credit


async def _collect(stage: Stage, operator_id: UUID, bill_id: str) -> None:
    """Do the worker's next collection now: nobody watches a demo wait for a minute."""
    context = stage.town.context
    key = decode_keys(bill_id, kind=BILL_KIND, count=2, field="billId")
    async with context.database.begin() as unit:
        owed = await owing.find(unit, operator_id, key[1])
        # The worker may have been faster.
        if owed is not None and owed.next_try_at is not None:
            owed.next_try_at = unit.now()
    await collection.sweep(context)


async def _is_debited(phone: Phone, session_id: str) -> bool:
    owed = await phone.owed(session_id)
    return owed is not None and bool(owed["isBeingPaid"])
