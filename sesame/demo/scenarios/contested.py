"""A bill that anybody can check, that its driver contests, and that staff correct."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Final

from parking.flows.proof.receipt_check import check_receipt, read_document
from parking.kit.money import Money
from parking.payments.receipt_keys import read_key_set
from sesame.demo import documents
from sesame.demo.graphql_client import Json
from sesame.demo.phone import Phone
from sesame.demo.scenarios.act import Act
from sesame.demo.scenarios.stage import Stage, session_uuid
from sesame.demo.town import LAKESIDE

STAY_S: Final = 3.2
KEYS_PATH: Final = "/.well-known/sesame-receipt-keys.json"
REFUND_LOOKS_MAX: Final = 150
LOOK_S: Final = 0.1


async def play(stage: Stage, act: Act) -> None:
    """Play the scenario once."""
    car = stage.cast.contested
    operator_id = stage.town.town.place(LAKESIDE).operator_id
    async with stage.town.phone(car.plate) as phone:
        await stage.bind(act, phone, car)
        await stage.drive_in(act, LAKESIDE, car)
        session = await phone.active_session(car.plate)
        await stage.stay(act, STAY_S)
        await stage.drive_out(act, LAKESIDE, car.pictures)
        session_id = session_uuid(session)
        paid = await stage.expect_paid_once(act, operator_id, session_id, kind="charge")
        (bill,) = await phone.bills(session["id"])
        await _prove(act, phone, bill)

        act.step("the driver says that the car left earlier")
        dispute = await phone.dispute(bill["id"], "WRONG_EXIT_TIME", "I left a second after I came")
        act.expect("the dispute", dispute["state"], "OPEN")
        act.step("staff look at the pictures and correct the exit's time")
        async with stage.town.staff(operator_id) as staff:
            decided = await staff.run(
                documents.RESOLVE_DISPUTE, input=_correction(dispute["id"], session["enteredAt"])
            )
        act.expect("the decision", decided["dispute"]["state"], "ACCEPTED")
        newest = (await phone.bills(session["id"]))[0]
        act.expect("the bill's version", newest["version"], 2)
        back_minor = paid.amount_minor - int(newest["total"]["amountMinor"])
        act.expect("what goes back", decided["dispute"]["refunded"]["amountMinor"], back_minor)
        await _expect_refund(stage, act, paid, back_minor)
        await _prove(act, phone, newest)
        act.facts["refunded"] = Money(back_minor, paid.currency).format()


async def _prove(act: Act, phone: Phone, bill: Json) -> None:
    """Recompute a bill twice: by the API, and from its receipt with nothing but the keys."""
    act.step(f"the bill (version {bill['version']}) is computed again, line by line")
    verified = await phone.verify(bill["id"])
    problem = verified["firstProblem"]
    act.expect("what is wrong with the bill", problem and problem["words"], None)
    receipt = read_document(await phone.download(f"/receipts/{bill['id']}"))
    keys = read_key_set(json.loads(await phone.download(KEYS_PATH)))
    checked = check_receipt(receipt, keys)
    wrong = [check.words for check in checked.checks if check.ok is False]
    act.expect("what is wrong with the receipt", wrong, [])
    act.facts["proven"] = f"{len(verified['checks'])} + {len(checked.checks)} checks"


def _correction(dispute_id: str, entered_at: str) -> Json:
    left_at = datetime.fromisoformat(entered_at) + timedelta(seconds=1)
    return {
        "disputeId": dispute_id,
        "decision": "CORRECT",
        "correction": {"leftAt": left_at.isoformat()},
        "words": "The exit's camera was late; we have corrected the time.",
    }


async def _expect_refund(stage: Stage, act: Act, paid: Money, back_minor: int) -> None:
    act.step("the acquirer gives the difference back")
    found: list[Json] = []
    for _ in range(REFUND_LOOKS_MAX):
        refunds = (await stage.town.desk.books())["refunds"]
        found = [row for row in refunds if row["amount_minor"] == back_minor]
        if found and found[-1]["status"] == "succeeded":
            break
        await asyncio.sleep(LOOK_S)
    act.expect("the refund in the acquirer's books", found[-1]["status"], "succeeded")
    act.expect_that("less than was paid goes back", holds=0 < back_minor < paid.amount_minor)
