"""The same request again: done once, answered alike, however many arrive at once."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import pytest

from api.global_ids import BILL_KIND, encode_id
from parking.flows.payments import desk_refund
from parking.idempotency import service
from parking.kit.errors import UnavailableError
from parking.kit.ids import new_id
from parking.payments.fake import Fault
from tests.factories.api import ApiWorld
from tests.factories.credit import allow_credit
from tests.factories.lane_world import PLATE
from tests.factories.pass_desk import PRICE_MINOR, PassDesk

AT_ONCE: Final = 20
KEY: Final = "0d5c4a3e-one-act"
STAFF: Final = "/staff/graphql"
REFUSAL: Final = "... on Refusal { code } ... on Refused { retryable attemptsLeft retryAfterS }"
IN_USE: Final = "IDEMPOTENCY_KEY_IN_USE"
REUSED: Final = {
    "__typename": "Refused",
    "code": "IDEMPOTENCY_KEY_REUSED",
    "retryable": False,
    "attemptsLeft": None,
    "retryAfterS": None,
}


@dataclass(frozen=True, slots=True)
class Keyed:
    """A mutation that takes a key, and what is asked of its success."""

    name: str
    success: str
    path: str = "/graphql"

    async def ask(
        self, api: ApiWorld, token: str, given: Mapping[str, Any], key: str | None = KEY
    ) -> dict[str, Any]:
        kind = f"{self.name[0].upper()}{self.name[1:]}Input"
        must = "!" if self.name == "purchasePass" else ""
        document = (
            f"mutation($input: {kind}!, $key: String{must}) {{ {self.name}(input: $input, "
            f"idempotencyKey: $key) {{ __typename ... on {self.success} {REFUSAL} }} }}"
        )
        data = await api.ask(document, {"input": given, "key": key}, token=token, path=self.path)
        return data[self.name]


PREPAY: Final = Keyed("prepay", "Prepaid { status amount { amountMinor } checkoutUrl }")
PAY_OWED: Final = Keyed("payOwed", "OwedPaid { status amount { amountMinor } checkoutUrl }")
BUY: Final = Keyed("purchasePass", "PassPurchased { pass { id state plates } }")
BIND: Final = Keyed("bindPlate", "PlateClaimed { claim { id text expiresAt } }")
CONFIRM: Final = Keyed("confirmPlateBinding", "PlateBound { plate { id } }")
REFUND: Final = Keyed("refundBill", "BillRefunded { refund { id amount { amountMinor } } }", STAFF)
GRANT: Final = Keyed("grantPass", "HeldPassStored { pass { id state plates } }", STAFF)


async def parked(api: ApiWorld) -> tuple[str, dict[str, Any]]:
    """Let a driver stay 45 minutes; returns a token, and what to prepay."""
    driver_id, _ = await api.add_driver()
    await api.lanes.permit(driver_id)
    await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    [session] = await api.lanes.rows("SELECT id FROM sessions")
    return await api.token_of(driver_id), {"sessionId": encode_id("Session", session["id"])}


async def owing(api: ApiWorld) -> tuple[str, dict[str, Any]]:
    """Let a driver leave on credit; returns a token, and what to pay."""
    await allow_credit(api.lanes)
    await parked(api)
    api.lanes.provider.play(Fault.DECLINE)
    assert (await api.lanes.drive_out()).reason == "credit"
    api.lanes.wait(minutes=1)
    token = await again(api)
    [bill] = await api.lanes.rows("SELECT id FROM bills")
    return token, {"billId": encode_id(BILL_KIND, api.lanes.entry.operator_id, bill["id"])}


async def shopping(api: ApiWorld) -> tuple[str, dict[str, Any]]:
    desk = PassDesk(api.lanes)
    product = await desk.add_product()
    driver_id, token = await api.add_driver()
    await api.lanes.permit(driver_id)
    [binding] = await desk.bindings(driver_id)
    product_id = encode_id("PassProduct", product.operator_id, product.id)
    return token, {"productId": product_id, "plateIds": [encode_id("Plate", binding)]}


async def new_plate(api: ApiWorld) -> tuple[str, dict[str, Any]]:
    _, token = await api.add_driver("ZZ99999")
    return token, {"plate": PLATE}


async def refunding(api: ApiWorld) -> tuple[str, dict[str, Any]]:
    await parked(api)
    assert (await api.lanes.drive_out()).reason == "paid"
    [bill] = await api.lanes.rows("SELECT id FROM bills")
    operator_id = api.lanes.entry.operator_id
    token, _ = api.tokens.issue_staff(operator_id, "Ada")
    return token, {
        "billId": encode_id(BILL_KIND, operator_id, bill["id"]),
        "amount": {"amountMinor": 300, "currency": "CNY"},
        "refundKey": "case-1",
        "reason": "Lift was broken",
    }


# The act, how to come to it, and the one row that it leaves.
ACTS: Final = {
    "prepay": (PREPAY, parked, "payment_attempts"),
    "payOwed": (PAY_OWED, owing, "bills"),
    "purchasePass": (BUY, shopping, "assigned_rights"),
    "bindPlate": (BIND, new_plate, "binding_claims"),
    "refundBill": (REFUND, refunding, "refunds"),
}


@pytest.mark.parametrize("act", ACTS)
async def test_of_many_at_once_one_acts_and_all_are_answered_alike(api: ApiWorld, act: str) -> None:
    mutation, stage, table = ACTS[act]
    token, given = await stage(api)
    before = api.lanes.provider.captured("CNY")

    answers = await asyncio.gather(*(mutation.ask(api, token, given) for _ in range(AT_ONCE)))

    done = [answer for answer in answers if answer.get("code") != IN_USE]
    assert done
    assert all(answer == done[0] for answer in done)
    assert done[0]["__typename"] == mutation.success.split()[0]
    for waiting in answers:
        if waiting not in done:
            assert (waiting["retryable"], waiting["retryAfterS"]) == (True, 1)
    moved = api.lanes.provider.captured("CNY") - before
    assert moved == {"bindPlate": 0, "purchasePass": PRICE_MINOR, "refundBill": -300}.get(act, 1000)
    assert await api.lanes.count(table) == 1
    # Long after, and again the same: nothing is done for it.
    api.lanes.wait(minutes=10)
    token = token if mutation.path == STAFF else await again(api)
    assert await mutation.ask(api, token, given) == done[0]
    assert api.lanes.provider.captured("CNY") - before == moved


async def again(api: ApiWorld) -> str:
    """Return a new token of the one driver."""
    [driver] = await api.lanes.rows("SELECT id FROM drivers")
    return await api.token_of(driver["id"])


async def test_a_key_is_of_one_input_of_one_mutation_and_of_one_actor(api: ApiWorld) -> None:
    token, given = await new_plate(api)
    claimed = await BIND.ask(api, token, given)
    assert await BIND.ask(api, token, {"plate": "AB1"}) == REUSED
    assert await api.lanes.count("binding_claims") == 1
    # Another mutation's, another driver's.
    wrong = {"claimId": claimed["claim"]["id"], "code": "000000"}
    assert (await CONFIRM.ask(api, token, wrong))["code"] == "LANE_CODE_WRONG"
    _, other = await api.add_driver("YY11111")
    assert (await BIND.ask(api, other, {"plate": "AB1"}))["claim"]["text"] == "AB1"


async def test_a_wrong_code_sent_again_is_one_attempt(api: ApiWorld) -> None:
    token, given = await new_plate(api)
    claim = (await BIND.ask(api, token, given))["claim"]
    wrong = {"claimId": claim["id"], "code": "000000"}
    for _ in range(3):
        assert (await CONFIRM.ask(api, token, wrong))["attemptsLeft"] == 4
    assert (await CONFIRM.ask(api, token, wrong, key=None))["attemptsLeft"] == 3


async def test_a_refusal_gives_the_key_back(api: ApiWorld) -> None:
    _, token = await api.add_driver()
    assert (await BIND.ask(api, token, {"plate": PLATE}))["code"] == "PLATE_ALREADY_YOURS"
    assert await api.lanes.count("idempotency_keys") == 0
    assert (await BIND.ask(api, token, {"plate": "AB1"}))["__typename"] == "PlateClaimed"
    given = {"sessionId": encode_id("Session", new_id(api.lanes.clock.now()))}
    assert (await PREPAY.ask(api, token, given))["code"] == "SESSION_UNKNOWN"
    assert await api.lanes.count("idempotency_keys") == 1


async def test_a_claim_that_is_there_no_more_is_told_as_it_was(api: ApiWorld) -> None:
    token, given = await new_plate(api)
    claimed = await BIND.ask(api, token, given)
    await api.lanes.rows_changed("DELETE FROM binding_claims")
    assert await BIND.ask(api, token, given) == claimed
    assert await api.lanes.count("binding_claims") == 0


async def test_what_was_read_again_is_as_it_is_now(api: ApiWorld) -> None:
    token, given = await shopping(api)
    bought = await BUY.ask(api, token, given)
    assert bought["pass"]["state"] == "ACTIVE"
    await api.lanes.rows_changed("UPDATE assigned_rights SET state = 'cancelled'")
    assert (await BUY.ask(api, token, given))["pass"] == {
        **bought["pass"],
        "state": "CANCELLED",
    }


async def test_after_a_crash_in_the_middle_the_act_is_not_done_twice(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, given = await parked(api)

    async def lost(*_: object) -> None:
        raise UnavailableError("the database went away")

    with monkeypatch.context() as patch:
        patch.setattr(service, "finish", lost)
        # It is paid, and whoever waited learns it.
        assert (await PREPAY.ask(api, token, given))["status"] == "SUCCEEDED"
    assert (await PREPAY.ask(api, token, given))["code"] == IN_USE
    api.lanes.wait(seconds=service.LEASE.total_seconds())
    assert (await PREPAY.ask(api, token, given))["code"] == "NOTHING_DUE"
    assert api.lanes.provider.captured("CNY") == 1000


async def test_what_is_one_transaction_is_undone_with_its_key(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, given = await new_plate(api)

    async def lost(*_: object) -> None:
        raise UnavailableError("the database went away")

    with monkeypatch.context() as patch:
        patch.setattr(service, "finish", lost)
        assert (await BIND.ask(api, token, given))["code"] == "UNAVAILABLE"
    assert await api.lanes.count("binding_claims") == 0
    assert await api.lanes.count("idempotency_keys") == 0
    assert (await BIND.ask(api, token, given))["__typename"] == "PlateClaimed"


async def test_staff_give_a_pass_once(api: ApiWorld) -> None:
    product = await PassDesk(api.lanes).add_product()
    token, _ = api.tokens.issue_staff(product.operator_id, "Ada")
    last = (api.lanes.clock.now() + timedelta(days=30)).date().isoformat()
    given = {
        "productId": encode_id("PassProduct", product.operator_id, product.id),
        "plates": ["AB1"],
        "lastDay": last,
        "reason": "Caretaker",
    }
    granted = await GRANT.ask(api, token, given)
    assert await GRANT.ask(api, token, given) == granted
    assert await api.lanes.count("assigned_rights") == 1
    # A colleague's key of the same name is their own.
    colleague, _ = api.tokens.issue_staff(product.operator_id, "Ben")
    other = await GRANT.ask(api, colleague, {**given, "plates": ["AB2"]})
    assert other["pass"]["plates"] == ["AB2"]


async def test_a_key_that_is_none(api: ApiWorld) -> None:
    token, given = await new_plate(api)
    for key in ("short-7", "x" * 65, "with\nnewline", "clé-de-parking"):
        assert (await BIND.ask(api, token, given, key=key))["code"] == "INVALID_INPUT"
    assert await api.lanes.count("binding_claims") == 0


async def test_what_is_kept_says_nothing(api: ApiWorld) -> None:
    token, given = await new_plate(api)
    claimed = await BIND.ask(api, token, given)
    [row] = await api.lanes.rows("SELECT * FROM idempotency_keys")
    stored = b"".join(value for value in row.values() if isinstance(value, bytes))
    for secret in (PLATE, KEY, claimed["claim"]["id"]):
        assert secret.encode() not in stored


async def test_what_staff_do_is_kept_with_the_act_and_not_with_its_key(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, given = await refunding(api)

    async def dies(*_: object, **__: object) -> None:
        # Nothing after it runs: whoever looks then sees what was committed before.
        acts.append(await api.lanes.count("staff_acts"))
        raise UnavailableError("the provider is away")

    acts: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(desk_refund, "refund_bill", dies)
        assert (await REFUND.ask(api, token, given))["code"] == "UNAVAILABLE"
    assert acts == [0]
    api.lanes.wait(seconds=1)
    assert (await REFUND.ask(api, token, given))["__typename"] == "BillRefunded"
    told = await api.lanes.rows("SELECT action, outcome, code FROM staff_acts ORDER BY id")
    assert [tuple(row.values()) for row in told] == [
        ("refundBill", "refused", "UNAVAILABLE"),
        ("refundBill", "done", None),
    ]
