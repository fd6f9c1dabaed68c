"""What is owed at one operator's place is paid at another's; the two settle it between them."""

import secrets
from uuid import UUID

from api.global_ids import encode_id
from sesame.demo import documents
from sesame.demo.graphql_client import GraphQLClient, Json, money
from sesame.demo.providers import CARD
from sesame.demo.scenarios.act import Act, eventually
from sesame.demo.scenarios.on_credit import expect_on_credit, give_credit
from sesame.demo.scenarios.stage import Stage
from sesame.demo.town import ALTMARKT, NEUMARKT, TownPlace


async def play(stage: Stage, act: Act) -> None:
    """Play the scenario once."""
    car = stage.cast.partner
    owner, collector = stage.town.town.place(ALTMARKT), stage.town.town.place(NEUMARKT)
    async with stage.town.phone(car.plate) as phone:
        await stage.bind(act, phone, car, (CARD,))
        await give_credit(stage, act, owner)
        await _become_partners(stage, act, owner, collector)
        await stage.drive_in(act, ALTMARKT, car)
        session = await phone.active_session(car.plate)
        await stage.stay(act)
        act.step("the card will be declined")
        # No other card is charged without its holder here: the next charge is this driver's.
        await stage.town.desks[CARD].play(scenario="decline")
        visit = await stage.drive_out(act, ALTMARKT, car.pictures)
        owed, _ = await expect_on_credit(act, phone, owner, session["id"], visit)

        act.step(f"the app lists what is owed at {owner.name}; there is money on the card again")
        act.step(f"the driver pays it at {collector.name}, which is {collector.operator}'s")
        place_id = encode_id("Place", collector.operator_id, collector.place_id)
        paid = await phone.pay_owed(owed["billId"], place_id)
        act.expect("the payment", paid["status"], "SUCCEEDED")
        await eventually("a bill that is paid", lambda: phone.owes_nothing(session["id"]))
        act.facts["paid"] = f"{money(owed['amount']).format()} by card at {collector.name}"
        await _settle(stage, act, owner, collector)


async def _become_partners(stage: Stage, act: Act, one: TownPlace, other: TownPlace) -> None:
    async with stage.town.staff(one.operator_id) as staff:
        if await _partnership(staff, other.operator_id, "ACTIVE"):
            return
        act.step(f"{one.operator} and {other.operator} agree to collect for each other")
        await staff.run(documents.PROPOSE_PARTNER, input=_partner(other.operator_id))
    async with stage.town.staff(other.operator_id) as staff:
        await staff.run(documents.ACCEPT_PARTNER, input=_partner(one.operator_id))


async def _settle(stage: Stage, act: Act, owner: TownPlace, collector: TownPlace) -> None:
    async with stage.town.staff(owner.operator_id) as staff:
        held = await eventually("what the partner holds", lambda: _held(staff, collector))
        text = money(held).format()
        act.step(f"{collector.operator} holds {text} for {owner.operator}, and pays it out")
        payment = {"amount": held, "settlementKey": secrets.token_hex(8), "reference": "demo"}
        await staff.run(documents.SETTLE_PARTNER, input=_partner(collector.operator_id) | payment)
        act.expect("what the partner holds now", await _held(staff, collector), None)
        act.facts["settled"] = f"by {collector.operator}"


async def _held(staff: GraphQLClient, partner: TownPlace) -> Json | None:
    found = await _partnership(staff, partner.operator_id, "ACTIVE")
    amounts: list[Json] = [] if found is None else found["owedToUs"]
    return next((one for one in amounts if one["amountMinor"]), None)


async def _partnership(staff: GraphQLClient, partner_id: UUID, state: str) -> Json | None:
    wanted = (encode_id("Operator", partner_id), state)
    found = await staff.run_list(documents.PARTNERSHIPS)
    return next((one for one in found if (one["partnerId"], one["state"]) == wanted), None)


def _partner(operator_id: UUID) -> Json:
    return {"partnerId": encode_id("Operator", operator_id)}
