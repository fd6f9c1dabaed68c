"""What the WeChat Pay adapter asks, signs and believes; made and checked by openssl."""

import json
import re
import socket
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from parking.kit.clock import ManualClock
from parking.kit.errors import ParkingError
from parking.kit.money import Money
from parking.payments.port import (
    AGREEMENT_INACTIVE,
    ANSWER_MISMATCH,
    CLOSED,
    DECLINED,
    NO_ANSWER,
    UNTRUSTED_ANSWER,
    Advance,
    AgreementRequest,
    AgreementStatus,
    ChargeResult,
    CheckoutOrder,
    OrderStatus,
    ProviderRefusedError,
    ProviderUnavailableError,
    RefundOrder,
)
from parking.payments.providers.wechat import WechatProvider
from tests.contract.wechat_scheme import Recorder
from tests.contract.wechat_wire import (
    APP,
    AT,
    MERCHANT,
    NOW_S,
    NUMBER,
    OPENID,
    PAGE,
    PLATE,
    PRICE,
    SENT,
    SERIAL,
    STAY,
    Keys,
    Wire,
    order_json,
    parking,
)


class TestRequest:
    async def test_is_signed_over_the_target_as_sent_and_the_body(
        self, wechat_wire: Wire, wechat_keys: Keys
    ) -> None:
        wechat_wire.recorder.answer = parking(lambda: (200, order_json()))
        order = await wechat_wire.order()

        await wechat_wire.provider.charge(order)
        await wechat_wire.provider.query_agreement(order.agreement_reference, plate=PLATE)

        assert [seen.target for seen in wechat_wire.recorder.seen] == [
            "/v3/vehicle/parking/parkings",
            "/v3/vehicle/transactions/parking",
            (
                f"/v3/vehicle/parking/services/find?appid={APP}"
                f"&plate_number=%E7%B2%A4B12345&plate_color=BLUE&openid={OPENID}"
            ),
        ]
        nonces: set[str] = set()
        for seen in wechat_wire.recorder.seen:
            scheme, _, rest = seen.headers["authorization"].partition(" ")
            fields = dict(re.findall(r'(\w+)="([^"]*)"', rest))
            lines = (seen.method, seen.target, fields["timestamp"], fields["nonce_str"])
            text = "".join(f"{line}\n" for line in lines).encode() + seen.body + b"\n"
            assert scheme == "WECHATPAY2-SHA256-RSA2048"
            assert (fields["mchid"], fields["serial_no"]) == (MERCHANT, SERIAL)
            assert fields["timestamp"] == str(NOW_S)
            assert wechat_keys.ours.has_signed(text, fields["signature"], wechat_keys.folder)
            assert not wechat_keys.ours.has_signed(
                text + b" ", fields["signature"], wechat_keys.folder
            )
            assert seen.headers["wechatpay-serial"] == "PUB_KEY_ID_1"
            nonces.add(fields["nonce_str"])
        assert len(nonces) == 3

    async def test_of_a_charge_says_what_the_documentation_asks_for(
        self, wechat_wire: Wire
    ) -> None:
        wechat_wire.recorder.answer = parking(lambda: (200, order_json()))
        order = await wechat_wire.order()

        await wechat_wire.provider.charge(order)
        entry, charge = (json.loads(seen.body) for seen in wechat_wire.recorder.seen)

        number = entry.pop("out_parking_no")
        assert entry == {
            "plate_number": PLATE,
            "plate_color": "BLUE",
            "notify_url": "https://api.parkside.example/callbacks/wechat",
            "start_time": "2026-11-27T14:00:00+08:00",
            "parking_name": "欢乐海岸停车场",
            "free_duration": 0,
        }
        assert (len(number) <= 64, PLATE in number, "12345" in number) == (True, False, False)
        assert charge == {
            "appid": APP,
            "description": "停车 Riverside, 2 h 10 min",
            "out_trade_no": NUMBER,
            "trade_scene": "PARKING",
            "notify_url": "https://api.parkside.example/callbacks/wechat",
            "amount": {"total": 1250, "currency": "CNY"},
            "parking_info": {
                "parking_id": "5K8264ILTKCH16CQ250",
                "plate_number": PLATE,
                "plate_color": "BLUE",
                "start_time": "2026-11-27T14:00:00+08:00",
                "end_time": "2026-11-27T15:59:59+08:00",
                "parking_name": "欢乐海岸停车场",
                "charging_duration": 7199,
                "device_id": "sesame",
            },
        }

    async def test_of_a_service_provider_names_the_merchant(self, wechat_keys: Keys) -> None:
        recorder = Recorder(
            wechat_keys.theirs, NOW_S, answer=lambda _seen: (200, {"code_url": "weixin://a"})
        )
        order = CheckoutOrder(number=NUMBER, amount=PRICE, description="Riverside", return_url="-")
        async with recorder.serve() as url:
            partner = replace(wechat_keys.settings(url), sub_merchant="1900000110", sub_app="wx2")
            provider = WechatProvider(partner, ManualClock(AT))
            await provider.start_checkout(order)
            await provider.query(PAGE)
            await provider.query(SENT)
            await provider.aclose()

        assert json.loads(recorder.seen[0].body) == {
            "sp_appid": APP,
            "sp_mchid": MERCHANT,
            "sub_appid": "wx2",
            "sub_mchid": "1900000110",
            "description": "Riverside",
            "out_trade_no": NUMBER,
            "notify_url": "https://api.parkside.example/callbacks/wechat",
            "amount": {"total": 1250, "currency": "CNY"},
        }
        assert [seen.target for seen in recorder.seen] == [
            "/v3/pay/partner/transactions/native",
            (
                f"/v3/pay/partner/transactions/out-trade-no/{NUMBER}"
                f"?sp_mchid={MERCHANT}&sub_mchid=1900000110"
            ),
            f"/v3/vehicle/transactions/out-trade-no/{NUMBER}?sub_mchid=1900000110",
        ]


class TestAnswer:
    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"age_s": 301}, UNTRUSTED_ANSWER),
            ({"age_s": -301}, UNTRUSTED_ANSWER),
            ({"serial": "PUB_KEY_ID_2"}, UNTRUSTED_ANSWER),
            ({"prefix": "WECHATPAY/SIGNTEST/"}, UNTRUSTED_ANSWER),
            ({"signs": False}, UNTRUSTED_ANSWER),
            ({"age_s": 300}, None),
            ({"age_s": -300}, None),
        ],
    )
    async def test_is_believed_if_a_known_key_signed_it_now(
        self, wechat_wire: Wire, change: dict[str, Any], code: str | None
    ) -> None:
        wechat_wire.recorder.answer = lambda _seen: (200, order_json())
        for name, value in change.items():
            setattr(wechat_wire.recorder, name, value)

        result = await wechat_wire.provider.query(SENT)

        expected = OrderStatus.UNKNOWN if code else OrderStatus.SUCCEEDED
        assert (result.status, result.failure_code) == (expected, code)

    async def test_with_another_key_under_the_known_name_is_not_believed(
        self, wechat_wire: Wire, wechat_keys: Keys
    ) -> None:
        wechat_wire.recorder.answer = lambda _seen: (200, order_json())
        wechat_wire.recorder.key = wechat_keys.ours

        result = await wechat_wire.provider.query(SENT)

        assert (result.status, result.failure_code) == (OrderStatus.UNKNOWN, UNTRUSTED_ANSWER)

    @pytest.mark.parametrize(
        "change",
        [
            {"out_trade_no": "0199c1a2b3c47d5e8f90a1b2c3d4e5f9"},
            {"amount": {"total": 1249, "currency": "CNY"}},
            {"amount": {"total": 1250, "currency": "USD"}},
            {"amount": None},
            {"sp_mchid": "1900000999"},
            {"sp_mchid": None},
            {"sub_mchid": "1900000110"},
            {"trade_state": "SOMETHING"},
        ],
    )
    async def test_about_something_else_leaves_the_outcome_unknown(
        self, wechat_wire: Wire, change: dict[str, Any]
    ) -> None:
        wechat_wire.recorder.answer = lambda _seen: (200, order_json() | change)

        result = await wechat_wire.provider.query(SENT)

        assert result == ChargeResult(
            number=NUMBER, status=OrderStatus.UNKNOWN, failure_code=ANSWER_MISMATCH
        )

    @pytest.mark.parametrize(
        ("said_json", "expected", "code", "advance"),
        [
            (order_json(), OrderStatus.SUCCEEDED, None, None),
            (order_json("REFUND"), OrderStatus.SUCCEEDED, None, None),
            (order_json("ACCEPTED"), OrderStatus.ACCEPTED, None, None),
            (order_json("PAY_FAIL"), OrderStatus.FAILED, DECLINED, None),
            (order_json("FAIL"), OrderStatus.FAILED, DECLINED, None),
            (
                order_json(bank_type="BPA", user_repaid="N"),
                OrderStatus.SUCCEEDED,
                None,
                Advance.OUTSTANDING,
            ),
            (
                order_json(bank_type="BPA", user_repaid="Y"),
                OrderStatus.SUCCEEDED,
                None,
                Advance.REPAID,
            ),
            (
                order_json("ACCEPTED", success_time="", bank_type="", user_repaid=""),
                OrderStatus.ACCEPTED,
                None,
                None,
            ),
            # Without BPA the field says nothing.
            (order_json(bank_type="CMB", user_repaid="N"), OrderStatus.SUCCEEDED, None, None),
        ],
    )
    async def test_says_how_an_order_stands(
        self,
        wechat_wire: Wire,
        said_json: dict[str, Any],
        expected: OrderStatus,
        code: str | None,
        advance: Advance | None,
    ) -> None:
        wechat_wire.recorder.answer = lambda _seen: (200, said_json)

        result = await wechat_wire.provider.query(SENT)

        assert (result.status, result.failure_code, result.advance) == (expected, code, advance)
        assert (result.amount, result.guaranteed) == (PRICE, False)

    async def test_accepted_is_as_good_as_money_only_by_contract(self, wechat_keys: Keys) -> None:
        recorder = Recorder(
            wechat_keys.theirs, NOW_S, answer=lambda _seen: (200, order_json("ACCEPTED"))
        )
        async with recorder.serve() as url:
            for funded in (False, True):
                chosen = replace(wechat_keys.settings(url), is_advance_funded=funded)
                provider = WechatProvider(chosen, ManualClock(AT))
                result = await provider.query(SENT)
                await provider.aclose()
                assert (result.status, result.guaranteed) == (OrderStatus.ACCEPTED, funded)


class TestCharge:
    @pytest.mark.parametrize(
        ("reason", "code"),
        [
            ("PAUSE", AGREEMENT_INACTIVE),
            ("OUT_SERVICE", AGREEMENT_INACTIVE),
            ("OVERDUE", "overdue"),
            ("EVALUATION_FAILED", "evaluation_failed"),
        ],
    )
    async def test_of_a_blocked_plate_is_refused_before_it_is_sent(
        self, wechat_wire: Wire, reason: str, code: str
    ) -> None:
        wechat_wire.recorder.answer = parking(
            lambda: (200, order_json()), state="BLOCKED", block_reason=reason
        )

        result = await wechat_wire.provider.charge(await wechat_wire.order())

        assert (result.status, result.failure_code) == (OrderStatus.FAILED, code)
        assert [seen.method for seen in wechat_wire.recorder.seen] == ["POST", "GET"]

    @pytest.mark.parametrize(
        ("status", "code", "expected", "failure_code"),
        [
            (403, "RULE_LIMIT", OrderStatus.FAILED, "rule_limit"),
            (403, "OVERDUE", OrderStatus.FAILED, "overdue"),
            (403, "NO_AUTH", OrderStatus.FAILED, "no_auth"),
            (403, "NOAUTH", OrderStatus.FAILED, "no_auth"),
            (403, "RULELIMIT", OrderStatus.FAILED, "rule_limit"),
            (403, "NOTENOUGH", OrderStatus.FAILED, "not_enough"),
            (403, "ACCOUNTERROR", OrderStatus.FAILED, "account_error"),
            (400, "PARAM_ERROR", OrderStatus.FAILED, "param_error"),
            (400, "INVALID_REQUEST", OrderStatus.UNKNOWN, "invalid_request"),
            (429, "FREQUENCY_LIMITED", OrderStatus.UNKNOWN, "frequency_limited"),
            (500, "SYSTEM_ERROR", OrderStatus.UNKNOWN, "system_error"),
            (403, "SOMETHING_NEW", OrderStatus.UNKNOWN, "something_new"),
        ],
    )
    async def test_is_failed_by_a_decline_and_by_nothing_else(
        self, wechat_wire: Wire, status: int, code: str, expected: OrderStatus, failure_code: str
    ) -> None:
        wechat_wire.recorder.answer = parking(lambda: (status, {"code": code, "message": "no"}))

        result = await wechat_wire.provider.charge(await wechat_wire.order())

        assert (result.status, result.failure_code) == (expected, failure_code)

    async def test_declined_now_counts_for_nothing_if_it_was_taken_before(
        self, wechat_wire: Wire
    ) -> None:
        refusal = (403, {"code": "RULE_LIMIT", "message": "no"})
        wechat_wire.recorder.answer = parking(lambda: refusal, query=(200, order_json()))

        result = await wechat_wire.provider.charge(await wechat_wire.order())

        assert (result.status, result.amount) == (OrderStatus.SUCCEEDED, PRICE)

    async def test_declined_now_is_unknown_if_nobody_can_say_what_was_before(
        self, wechat_wire: Wire
    ) -> None:
        refusal = (403, {"code": "RULE_LIMIT", "message": "no"})
        wechat_wire.recorder.answer = parking(
            lambda: refusal, query=(500, {"code": "SYSTEM_ERROR"})
        )

        result = await wechat_wire.provider.charge(await wechat_wire.order())

        assert (result.status, result.failure_code) == (OrderStatus.UNKNOWN, "system_error")

    @pytest.mark.parametrize("code", ["ORDER_NOT_EXIST", "ORDERNOTEXIST"])
    async def test_that_nobody_knows_is_none_however_that_is_spelled(
        self, wechat_wire: Wire, code: str
    ) -> None:
        wechat_wire.recorder.answer = lambda _seen: (404, {"code": code, "message": "no"})
        result = await wechat_wire.provider.query(SENT)
        assert (result.status, result.failure_code) == (OrderStatus.NOT_FOUND, None)

    async def test_of_what_is_no_stay_is_never_sent(self, wechat_wire: Wire) -> None:
        order = replace(await wechat_wire.order(), stay=None)

        result = await wechat_wire.provider.charge(order)

        assert (result.status, result.failure_code) == (OrderStatus.FAILED, "stay_missing")
        assert wechat_wire.recorder.seen == []

    async def test_under_an_agreement_for_another_plate_is_never_sent(
        self, wechat_wire: Wire
    ) -> None:
        order = replace(await wechat_wire.order(), stay=replace(STAY, plate="粤B12346"))

        result = await wechat_wire.provider.charge(order)

        assert (result.status, result.failure_code) == (OrderStatus.FAILED, AGREEMENT_INACTIVE)
        assert wechat_wire.recorder.seen == []

    async def test_of_a_car_that_was_announced_is_one_call(self, wechat_wire: Wire) -> None:
        order = await wechat_wire.order()
        wechat_wire.recorder.answer = parking(lambda: (200, order_json()))
        inside = replace(STAY, left_at=None)
        reference = await wechat_wire.provider.announce_stay(order.agreement_reference, inside)
        again = await wechat_wire.provider.announce_stay(order.agreement_reference, inside)

        result = await wechat_wire.provider.charge(
            replace(order, stay=replace(STAY, reference=reference))
        )

        first, second, charge = wechat_wire.recorder.seen
        assert (reference, again) == ("5K8264ILTKCH16CQ250", reference)
        assert first.body == second.body
        assert len(json.loads(first.body)["out_parking_no"]) <= 64
        assert charge.target == "/v3/vehicle/transactions/parking"
        assert json.loads(charge.body)["parking_info"]["parking_id"] == reference
        assert result.status is OrderStatus.SUCCEEDED

    async def test_of_a_parking_that_is_not_the_newest_any_more_enters_again(
        self, wechat_wire: Wire
    ) -> None:
        order = await wechat_wire.order()
        stale = (400, {"code": "INVALID_REQUEST", "message": "no such parking"})
        said = [stale, stale, stale, (200, order_json())]
        wechat_wire.recorder.answer = parking(lambda: said.pop(0))
        stay = replace(STAY, reference="5K8264ILTKCH16CQ250")

        first = await wechat_wire.provider.charge(replace(order, stay=stay))
        wechat_wire.clock.advance(timedelta(seconds=1))
        again = await wechat_wire.provider.charge(replace(order, stay=stay))

        seen = wechat_wire.recorder.seen
        once = ["parking", NUMBER, "parkings", "parking"]
        assert [one.target.rpartition("/")[2] for one in seen] == [*once, NUMBER, *once]
        # Under a new number: the one of before may not be the newest any more either.
        entered = {json.loads(one.body)["out_parking_no"] for one in (seen[2], seen[7])}
        assert len(entered) == 2
        assert (first.status, again.status) == (OrderStatus.UNKNOWN, OrderStatus.SUCCEEDED)

    @pytest.mark.parametrize(
        ("answer", "error", "code"),
        [
            ({"state": "BLOCKED", "block_reason": "OVERDUE"}, ProviderRefusedError, "overdue"),
            ({"plate_number": "粤B99999"}, ProviderUnavailableError, "answer_mismatch"),
        ],
    )
    async def test_of_a_car_that_cannot_be_announced_says_why(
        self, wechat_wire: Wire, answer: dict[str, Any], error: type[ParkingError], code: str
    ) -> None:
        order = await wechat_wire.order()
        wechat_wire.recorder.answer = parking(lambda: (200, order_json()), **answer)

        with pytest.raises(error, match=code):
            await wechat_wire.provider.announce_stay(order.agreement_reference, STAY)

    async def test_has_one_deadline_for_both_calls(
        self, wechat_wire: Wire, wechat_keys: Keys
    ) -> None:
        order = replace(await wechat_wire.order(), deadline_s=0.2)
        # It takes the connection, and never answers.
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            provider = WechatProvider(wechat_keys.settings(url), ManualClock(AT))
            result = await provider.charge(order)
            await provider.aclose()

        assert (result.status, result.failure_code) == (OrderStatus.UNKNOWN, NO_ANSWER)


class TestClose:
    @pytest.mark.parametrize(("age_s", "status"), [(599, "not_found"), (600, "failed")])
    async def test_of_a_charge_never_seen_waits_until_it_can_only_come_too_late(
        self, wechat_wire: Wire, age_s: int, status: str
    ) -> None:
        wechat_wire.recorder.answer = lambda _seen: (
            404,
            {"code": "ORDER_NOT_EXIST", "message": "no"},
        )

        result = await wechat_wire.provider.close(
            replace(SENT, sent_at=AT - timedelta(seconds=age_s))
        )

        assert result.status == status
        assert result.failure_code == (CLOSED if status == "failed" else None)

    async def test_of_a_page_is_a_call_without_an_answer(self, wechat_wire: Wire) -> None:
        wechat_wire.recorder.answer = lambda _seen: (204, b"")

        result = await wechat_wire.provider.close(PAGE)

        assert (result.status, result.failure_code) == (OrderStatus.FAILED, CLOSED)
        assert wechat_wire.recorder.seen[0].target.endswith(f"/out-trade-no/{NUMBER}/close")
        assert json.loads(wechat_wire.recorder.seen[0].body) == {"mchid": MERCHANT}

    async def test_of_a_page_that_was_paid_changes_nothing(self, wechat_wire: Wire) -> None:
        paid = order_json(sp_mchid=None, mchid=MERCHANT, trade_type="NATIVE")
        wechat_wire.recorder.answer = lambda seen: (
            (400, {"code": "ORDERPAID", "message": "paid"}) if seen.body else (200, paid)
        )

        result = await wechat_wire.provider.close(PAGE)

        assert (result.status, result.amount) == (OrderStatus.SUCCEEDED, PRICE)

    async def test_of_a_page_that_may_not_be_read_any_more_is_part_of_the_query(
        self, wechat_wire: Wire
    ) -> None:
        unpaid = order_json("NOTPAY", sp_mchid=None, mchid=MERCHANT)
        wechat_wire.recorder.answer = lambda seen: (204, b"") if seen.body else (200, unpaid)

        early = await wechat_wire.provider.query(PAGE)
        late = await wechat_wire.provider.query(replace(PAGE, sent_at=AT - timedelta(hours=2)))

        assert early.status is OrderStatus.ACCEPTED
        assert (late.status, late.failure_code) == (OrderStatus.FAILED, CLOSED)


class TestRefund:
    ORDER = RefundOrder(
        number="0199c1a2b3c47d5e8f90a1b2c3d4e5f1",
        charge=SENT,
        amount=Money(250, "CNY"),
        reason="栏杆开晚了。" * 16,
    )

    def said(self, status: str, **changes: object) -> dict[str, Any]:
        return {
            "refund_id": "5030000001",
            "out_refund_no": self.ORDER.number,
            "out_trade_no": NUMBER,
            "transaction_id": "4200000001",
            "status": status,
            "amount": {"total": 1250, "refund": 250, "currency": "CNY"},
            **changes,
        }

    @pytest.mark.parametrize(
        ("state", "status", "code"),
        [
            ("SUCCESS", OrderStatus.SUCCEEDED, None),
            ("PROCESSING", OrderStatus.ACCEPTED, None),
            ("CLOSED", OrderStatus.FAILED, CLOSED),
            ("ABNORMAL", OrderStatus.UNKNOWN, "abnormal"),
        ],
    )
    async def test_stands_as_the_answer_says(
        self, wechat_wire: Wire, state: str, status: OrderStatus, code: str | None
    ) -> None:
        wechat_wire.recorder.answer = lambda _seen: (200, self.said(state))

        result = await wechat_wire.provider.refund(self.ORDER)
        asked = json.loads(wechat_wire.recorder.seen[0].body)

        assert (result.status, result.failure_code) == (status, code)
        assert asked["amount"] == {"refund": 250, "total": 1250, "currency": "CNY"}
        # Eighty bytes, and no half character.
        assert asked["reason"] == ("栏杆开晚了。" * 16)[:26]

    async def test_refused_for_lack_of_funds_is_failed_once_it_is_known_not_to_stand(
        self, wechat_wire: Wire
    ) -> None:
        wechat_wire.recorder.answer = lambda seen: (
            (403, {"code": "NOT_ENOUGH", "message": "no"})
            if seen.body
            else (404, {"code": "RESOURCE_NOT_EXISTS", "message": "no"})
        )

        result = await wechat_wire.provider.refund(self.ORDER)

        assert (result.status, result.failure_code) == (OrderStatus.FAILED, "not_enough")

    async def test_about_another_amount_is_not_believed(self, wechat_wire: Wire) -> None:
        other = {"total": 1250, "refund": 251, "currency": "CNY"}
        wechat_wire.recorder.answer = lambda _seen: (200, self.said("SUCCESS", amount=other))

        result = await wechat_wire.provider.query_refund(self.ORDER)

        assert (result.status, result.failure_code) == (OrderStatus.UNKNOWN, ANSWER_MISMATCH)


class TestService:
    async def test_page_has_the_parameters_of_wechat_s_own(self, wechat_wire: Wire) -> None:
        started = await wechat_wire.provider.start_agreement(
            AgreementRequest(
                number=NUMBER, description="-", return_url="-", payer_id=OPENID, plate="粤BD12345"
            )
        )

        url = urlsplit(started.confirmation_url)
        assert parse_qs(url.query) == {
            "mchid": [MERCHANT],
            "openid": [OPENID],
            "plate_number": ["粤BD12345"],
            "plate_color": ["GREEN"],
            "trade_scene": ["PARKING"],
        }
        assert wechat_wire.recorder.seen == []

    async def test_of_somebody_else_is_not_believed(self, wechat_wire: Wire) -> None:
        order = await wechat_wire.order()
        wechat_wire.recorder.answer = lambda _seen: (
            200,
            {
                "plate_number": PLATE,
                "plate_color": "BLUE",
                "openid": "oSomebodyElse",
                "service_state": "NORMAL",
            },
        )

        state = await wechat_wire.provider.query_agreement(order.agreement_reference, plate=PLATE)

        assert state.status is AgreementStatus.UNKNOWN
