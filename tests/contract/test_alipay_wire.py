"""Our side of Alipay's scheme against signatures that the openssl command made and checked."""

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from parking.kit.clock import ManualClock
from parking.kit.money import Money
from parking.payments.port import (
    ANSWER_MISMATCH,
    NO_ANSWER,
    UNTRUSTED_ANSWER,
    Advance,
    AgreementRequest,
    AgreementState,
    AgreementStatus,
    ChargeOrder,
    ChargeResult,
    CheckoutOrder,
    NoticeKind,
    NoticeRefusedError,
    OrderStatus,
    SentOrder,
)
from parking.payments.providers.alipay import AlipayProvider, AlipaySettings
from tests.contract.alipay_scheme import (
    Call,
    KeyFiles,
    Reply,
    decoded,
    encoded,
    http,
    notice_text,
    plain,
    request_text,
    scripted,
)

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")

AT = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)
GATEWAY_URL = "https://openapi.alipay.example/gateway.do"
NUMBER = "0193a1b2c3d47e8f9a0b1c2d3e4f5a6b"
PRICE = Money(1250, "CNY")
TRADE: dict[str, Any] = {
    "code": "10000",
    "msg": "Success",
    "out_trade_no": NUMBER,
    "trade_no": "2026112722001412341234123412",
    "total_amount": "12.50",
    "buyer_logon_id": "159****5620",
}
CHARGE = ChargeOrder(
    number=NUMBER,
    agreement_reference="a1",
    amount=PRICE,
    description="停车 Riverside & Co. = 100%",
    deadline_s=5,
    instrument="20263926584211349886",
)
NOTICE = {
    "notify_type": "trade_status_sync",
    "notify_id": "2026112700222080000000000001",
    "notify_time": "2026-11-27 16:00:05",
    "charset": "utf-8",
    "version": "1.0",
    "app_id": "2021000000000001",
    "sign_type": "RSA2",
    "out_trade_no": NUMBER,
    "trade_no": "2026112722001412341234123412",
    "seller_id": "2088000000000002",
    "subject": "停车 Riverside",
    "trade_status": "TRADE_SUCCESS",
    "total_amount": "12.50",
    "gmt_payment": "2026-11-27 16:00:01",
    "body": "",
}
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Keys:
    app: KeyFiles
    alipay: KeyFiles
    stranger: KeyFiles


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = Path(tmp_path_factory.mktemp("keys"))
    return Keys(*(KeyFiles.make(folder, name) for name in ("app", "alipay", "stranger")))


def _provider(keys: Keys, gateway_url: str = GATEWAY_URL) -> AlipayProvider:
    settings = AlipaySettings(
        app_id="2021000000000001",
        seller_id="2088000000000002",
        app_key_pem=keys.app.private.read_text(),
        alipay_public_keys_pem=keys.alipay.public.read_text(),
        notify_url="https://api.parkside.example/callbacks/alipay",
        gateway_url=gateway_url,
    )
    return AlipayProvider(settings, ManualClock(AT))


@cache
def _reader(keys: Keys) -> AlipayProvider:
    """Return a provider that calls nobody: making one reads the machine's certificates."""
    return _provider(keys)


def _answer(call: Call, raw: str, keys: KeyFiles, *, name: str | None = None) -> bytes:
    sign = keys.sign(raw.encode())
    return http(f'{{"{name or call.node_name}":{raw},"sign":"{sign}"}}'.encode())


def _signed(keys: Keys, node: object) -> Reply:
    return lambda call: _answer(call, json.dumps(node, ensure_ascii=False), keys.alipay)


class TestRequests:
    async def test_openssl_verifies_what_is_sent(self, keys: Keys) -> None:
        async with scripted(keys.app, _signed(keys, TRADE)) as gateway:
            provider = _provider(keys, gateway.url)
            await provider.charge(CHARGE)
            await provider.aclose()

        [call] = gateway.seen
        content = json.loads(call.parameters.pop("biz_content"))
        assert content == {
            "out_trade_no": NUMBER,
            "total_amount": "12.50",
            "subject": "停车 Riverside Co. 100",
            "product_code": "GENERAL_WITHHOLDING",
            "agreement_params": {"agreement_no": "20263926584211349886"},
        }
        del call.parameters["sign"]
        assert call.parameters == {
            "app_id": "2021000000000001",
            "method": "alipay.trade.pay",
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": "2026-11-27 16:00:00",
            "version": "1.0",
            "notify_url": "https://api.parkside.example/callbacks/alipay",
        }

    async def test_openssl_verifies_the_pages(self, keys: Keys) -> None:
        provider = _provider(keys)
        request = AgreementRequest(
            number=NUMBER, description="x", return_url="https://app.parkside.example/m?a=1&b=2"
        )
        order = CheckoutOrder(
            number=NUMBER, amount=PRICE, description="停车", return_url="https://p.example/pay/1"
        )

        agreement = await provider.start_agreement(request)
        checkout = await provider.start_checkout(order)

        link, _, encoded_once_more = agreement.confirmation_url.partition("sign_params=")
        assert link == (
            "alipays://platformapi/startapp?appId=60000157&appClearTop=false&startMultApp=YES&"
        )
        signing_query = plain(encoded_once_more)
        for query in (signing_query, urlsplit(checkout.url).query):
            parameters = decoded(query)
            assert keys.app.verifies(request_text(parameters), parameters["sign"])
        signing = decoded(signing_query)
        assert signing["method"] == "alipay.user.agreement.page.sign"
        assert signing["return_url"] == "https://app.parkside.example/m?a=1&b=2"
        assert json.loads(signing["biz_content"]) == {
            "product_code": "GENERAL_WITHHOLDING",
            "personal_product_code": "GENERAL_WITHHOLDING_P",
            "sign_scene": "INDUSTRY|CARRENTAL",
            "external_agreement_no": NUMBER,
            "access_params": {"channel": "ALIPAYAPP"},
            "effect_time": 1800,
        }
        paying = decoded(urlsplit(checkout.url).query)
        assert paying["method"] == "alipay.trade.wap.pay"
        assert json.loads(paying["biz_content"])["time_expire"] == "2026-11-27 16:05:00"
        assert checkout.expires_at == datetime(2026, 11, 27, 8, 5, tzinfo=UTC)


class TestAnswers:
    @pytest.mark.parametrize(
        "raw",
        [
            json.dumps(TRADE),
            json.dumps(TRADE, indent=2),
            json.dumps(TRADE).replace(", ", " ,\t"),
            json.dumps({**TRADE, "store_name": 'a "}{" b / \\'}).replace("/", "\\/"),
            json.dumps({**TRADE, "fund_bill_list": [{"amount": "12.50"}], "buyer": "停"}),
            json.dumps(TRADE).replace('"12.50"', "12.50"),
        ],
        ids=["plain", "indented", "spaced", "escaped slash", "nested", "never a float"],
    )
    async def test_the_raw_node_is_what_is_verified(self, keys: Keys, raw: str) -> None:
        async with scripted(keys.app, lambda call: _answer(call, raw, keys.alipay)) as gateway:
            provider = _provider(keys, gateway.url)
            result = await provider.charge(CHARGE)
            await provider.aclose()

        assert result == ChargeResult(
            number=NUMBER,
            status=OrderStatus.SUCCEEDED,
            provider_reference="2026112722001412341234123412",
            amount=PRICE,
        )

    async def test_slashes_may_have_been_escaped_after_it_was_signed(self, keys: Keys) -> None:
        raw = json.dumps({**TRADE, "trade_no": "2026/11/27", "store_name": "a / b"})

        def reply(call: Call) -> bytes:
            signature = keys.alipay.sign(raw.encode())
            shown = raw.replace("/", "\\/")
            return http(f'{{"{call.node_name}":{shown},"sign":"{signature}"}}'.encode())

        async with scripted(keys.app, reply) as gateway:
            result = await _provider(keys, gateway.url).charge(CHARGE)

        assert (result.status, result.amount) == (OrderStatus.SUCCEEDED, PRICE)
        assert result.provider_reference == "2026/11/27"

    async def test_an_advance_is_told(self, keys: Keys) -> None:
        node = {**TRADE, "advance_amount": "12.50"}
        async with scripted(keys.app, _signed(keys, node)) as gateway:
            result = await _provider(keys, gateway.url).charge(CHARGE)
        assert (result.status, result.advance) == (OrderStatus.SUCCEEDED, Advance.OUTSTANDING)

    @pytest.mark.parametrize(
        ("node", "failure_code"),
        [
            ({**TRADE, "out_trade_no": "other"}, ANSWER_MISMATCH),
            ({**TRADE, "total_amount": "12.51"}, ANSWER_MISMATCH),
            ({**TRADE, "total_amount": 1250}, ANSWER_MISMATCH),
            ({**TRADE, "total_amount": "12.500"}, ANSWER_MISMATCH),
            ({**TRADE, "total_amount": "-12.50"}, ANSWER_MISMATCH),
            ({**TRADE, "total_amount": None}, ANSWER_MISMATCH),
            ({**TRADE, "trans_currency": "USD"}, ANSWER_MISMATCH),
            ({**TRADE, "credit_pay_mode": "creditAdvanceV2"}, ANSWER_MISMATCH),
            ({**TRADE, "code": 10000}, ANSWER_MISMATCH),
            ({"code": "20000", "msg": "x", "sub_code": "isp.unknow-error"}, "isp.unknow-error"),
            ({"code": "20000", "msg": "x"}, "system_error"),
            ({"code": "40004", "sub_code": "ACQ.SYSTEM_ERROR"}, "system_error"),
            ({"code": "40004", "sub_code": "aop.ACQ.SYSTEM_ERROR"}, "system_error"),
            ({"code": "40004", "sub_code": "AQC.SYSTEM_ERROR"}, "system_error"),
            ({"code": "40004", "sub_code": "ACQ.PAYMENT_UNKNOWN"}, "ACQ.PAYMENT_UNKNOWN"),
            ({"code": "40004", "sub_code": "ACQ.NEVER_HEARD_OF"}, "ACQ.NEVER_HEARD_OF"),
        ],
    )
    async def test_what_proves_nothing_is_unknown(
        self, keys: Keys, node: dict[str, object], failure_code: str
    ) -> None:
        async with scripted(keys.app, _signed(keys, node)) as gateway:
            result = await _provider(keys, gateway.url).charge(CHARGE)
        assert result == ChargeResult(
            number=NUMBER, status=OrderStatus.UNKNOWN, failure_code=failure_code
        )
        assert len(gateway.seen) == 1

    @pytest.mark.parametrize(
        ("case", "failure_code"),
        [
            ("unsigned", UNTRUSTED_ANSWER),
            ("signed by a stranger", UNTRUSTED_ANSWER),
            ("changed afterwards", UNTRUSTED_ANSWER),
            ("serialised again", UNTRUSTED_ANSWER),
            ("another node", UNTRUSTED_ANSWER),
            ("two nodes", UNTRUSTED_ANSWER),
            ("the node twice", UNTRUSTED_ANSWER),
            ("a member twice", UNTRUSTED_ANSWER),
            ("packed", UNTRUSTED_ANSWER),
            ("no JSON", UNTRUSTED_ANSWER),
            ("deep", UNTRUSTED_ANSWER),
            ("too long", UNTRUSTED_ANSWER),
            ("a proxy's page", UNTRUSTED_ANSWER),
            ("a redirect", UNTRUSTED_ANSWER),
            ("cut off", NO_ANSWER),
            ("nothing", NO_ANSWER),
        ],
    )
    async def test_an_unbelievable_answer_is_unknown(
        self, keys: Keys, case: str, failure_code: str
    ) -> None:
        async with scripted(keys.app, _unbelievable(keys)[case]) as gateway:
            result = await _provider(keys, gateway.url).charge(CHARGE)
        assert result == ChargeResult(
            number=NUMBER, status=OrderStatus.UNKNOWN, failure_code=failure_code
        )

    async def test_a_signed_error_node_is_believed(self, keys: Keys) -> None:
        node = json.dumps({"code": "20000", "msg": "x", "sub_code": "isp.unknow-error"})
        reply: Reply = lambda call: _answer(call, node, keys.alipay, name="error_response")  # noqa: E731
        async with scripted(keys.app, reply) as gateway:
            result = await _provider(keys, gateway.url).charge(CHARGE)
        assert (result.status, result.failure_code) == (OrderStatus.UNKNOWN, "isp.unknow-error")


def _unbelievable(keys: Keys) -> dict[str, Callable[[Call], bytes]]:
    raw = json.dumps(TRADE)
    sign = keys.alipay.sign(raw.encode())

    def whole(call: Call, node: str = raw, signature: str = sign) -> bytes:
        return f'{{"{call.node_name}":{node},"sign":"{signature}"}}'.encode()

    return {
        "unsigned": lambda call: http(f'{{"{call.node_name}":{raw}}}'.encode()),
        "signed by a stranger": lambda call: _answer(call, raw, keys.stranger),
        "changed afterwards": lambda call: http(whole(call, raw.replace("12.50", "12.51"))),
        "serialised again": lambda call: http(whole(call, json.dumps(TRADE, indent=1))),
        "another node": lambda call: _answer(call, raw, keys.alipay, name="alipay_x_response"),
        "two nodes": lambda call: http(whole(call)[:-1] + f',"error_response":{raw}}}'.encode()),
        "the node twice": lambda call: http(
            whole(call)[:-1] + f',"{call.node_name}":{raw}}}'.encode()
        ),
        "a member twice": lambda call: _answer(
            call, raw[:-1] + ',"total_amount":"12.50"}', keys.alipay
        ),
        "packed": lambda call: http(gzip.compress(whole(call)), 200, "Content-Encoding: gzip"),
        "no JSON": lambda _: http(b"<html>"),
        "deep": lambda _: http(b"[" * 60_000),
        "too long": lambda call: http(whole(call) + b" " * 70_000),
        "a proxy's page": lambda call: http(whole(call), 502),
        "a redirect": lambda _: http(b"", 302, "Location: http://127.0.0.1:1/"),
        "cut off": lambda call: http(whole(call))[:-1],
        "nothing": lambda _: b"",
    }


class TestNotices:
    def _read(self, keys: Keys, body: bytes, headers: dict[str, str] = FORM) -> object:
        return _reader(keys).verify_notices(headers, body)

    def _body(self, keys: Keys, signer: KeyFiles | None = None, **changed: str) -> bytes:
        form = NOTICE | changed
        return encoded({**form, "sign": (signer or keys.alipay).sign(notice_text(form))})

    def test_what_openssl_signed_is_believed(self, keys: Keys) -> None:
        [notice] = _reader(keys).verify_notices(FORM, self._body(keys))

        assert notice.notice_id == "2026112700222080000000000001"
        assert notice.kind is NoticeKind.CHARGE_SUCCEEDED
        assert notice.occurred_at == datetime(2026, 11, 27, 8, 0, 1, tzinfo=UTC)
        assert notice.result == ChargeResult(
            number=NUMBER,
            status=OrderStatus.SUCCEEDED,
            provider_reference="2026112722001412341234123412",
            amount=PRICE,
        )

    def test_an_agreement_brings_the_number_that_charges_name(self, keys: Keys) -> None:
        body = self._body(
            keys,
            notify_type="dut_user_sign",
            external_agreement_no="a1",
            agreement_no="20263926584211349886",
            status="NORMAL",
            sign_time="2026-11-27 15:59:00",
            invalid_time="2115-02-01 00:00:00",
            alipay_logon_id="159****5620",
        )
        [notice] = _reader(keys).verify_notices(FORM, body)
        assert notice.kind is NoticeKind.AGREEMENT_SIGNED
        assert notice.result == AgreementState(
            reference="a1",
            status=AgreementStatus.ACTIVE,
            instrument="20263926584211349886",
            payer_hint="159****5620",
            signed_at=datetime(2026, 11, 27, 7, 59, tzinfo=UTC),
        )

    @pytest.mark.parametrize(
        ("changed", "reason"),
        [
            ({"app_id": "2021000000000009"}, "body"),
            ({"seller_id": "2088000000000009"}, "body"),
            ({"charset": "gbk"}, "body"),
            ({"total_amount": "12.5.0"}, "body"),
            ({"total_amount": "1e3"}, "body"),
            ({"notify_id": ""}, "body"),
            ({"gmt_payment": "yesterday"}, "body"),
            ({"trans_currency": "USD"}, "body"),
            ({"sign_type": "RSA"}, "signature"),
            ({"subject": "x&total_amount=0.01"}, "body"),
            ({"notify_type": "dut_user_sign"}, "body"),
        ],
    )
    def test_a_genuine_signature_is_not_enough(
        self, keys: Keys, changed: dict[str, str], reason: str
    ) -> None:
        with pytest.raises(NoticeRefusedError) as caught:
            self._read(keys, self._body(keys, None, **changed))
        assert caught.value.reason == reason

    @pytest.mark.parametrize(
        "changed",
        [
            {"trade_status": "WAIT_BUYER_PAY"},
            {"gmt_refund": "2026-11-27 17:00:00", "refund_fee": "2.50", "out_biz_no": "r1"},
            {"trade_status": "TRADE_CLOSED", "gmt_refund": "2026-11-27 17:00:00"},
            {"trade_status": "TRADE_CLOSED"},
            {"notify_type": "servicemarket_order_notify"},
        ],
        ids=["waiting", "a part was refunded", "all was refunded", "closed after payment", "other"],
    )
    def test_what_we_do_not_act_on_says_nothing(self, keys: Keys, changed: dict[str, str]) -> None:
        assert self._read(keys, self._body(keys, None, **changed)) == ()

    def test_a_trade_that_was_never_paid_has_failed(self, keys: Keys) -> None:
        form = {name: value for name, value in NOTICE.items() if name != "gmt_payment"}
        form |= {"trade_status": "TRADE_CLOSED", "gmt_close": "2026-11-27 16:05:00"}
        body = encoded({**form, "sign": keys.alipay.sign(notice_text(form))})
        [notice] = _reader(keys).verify_notices(FORM, body)
        assert notice.kind is NoticeKind.CHARGE_FAILED

    def test_forgeries_are_refused(self, keys: Keys) -> None:
        body = self._body(keys)
        genuine = body.decode()
        total, zero = "total_amount=12%2E50", "total_amount=12%2E5%30"
        for forged, reason in (
            (self._body(keys, keys.stranger), "signature"),
            (genuine.replace(total, "total_amount=0%2E01").encode(), "signature"),
            (genuine.replace("&sign=", "&tip=1&sign=").encode(), "signature"),
            (genuine.partition("&sign=")[0].encode(), "signature"),
            ((genuine + "&total_amount=0.01").encode(), "body"),
            ((genuine + "&%74otal_amount=0.01").encode(), "body"),
            (genuine.replace("subject=", "subject=%C0%AF").encode(), "body"),
            (genuine.replace(total, "total_amount=12%2").encode(), "body"),
            (genuine.replace(total, "total_amount").encode(), "body"),
            (b"&" * 200, "body"),
            (b"", "body"),
            (b"x" * 70_000, "body"),
            (b"\xff\xfe", "body"),
        ):
            with pytest.raises(NoticeRefusedError) as caught:
                self._read(keys, forged)
            assert caught.value.reason == reason, forged[-40:]
        # Another encoding of the same characters is the same notice.
        assert self._read(keys, genuine.replace(total, zero).encode())

    def test_a_parameter_cannot_hide_in_its_neighbour(self, keys: Keys) -> None:
        """Joined, `subject` and `total_amount` sign the same text as one longer `subject`."""
        form = {**NOTICE, "sign": keys.alipay.sign(notice_text(NOTICE))}
        form["subject"] += "&total_amount=" + form.pop("total_amount")
        assert notice_text(form) == notice_text(NOTICE)
        with pytest.raises(NoticeRefusedError):
            self._read(keys, encoded(form))

    def test_a_notice_is_a_form(self, keys: Keys) -> None:
        for media_type in ("application/json", "text/plain", ""):
            with pytest.raises(NoticeRefusedError) as caught:
                self._read(keys, self._body(keys), {"Content-Type": media_type})
            assert caught.value.reason == "header"

    def test_both_keys_are_valid_while_one_replaces_the_other(self, keys: Keys) -> None:
        both = keys.stranger.public.read_text() + keys.alipay.public.read_text()
        settings = AlipaySettings(
            app_id="2021000000000001",
            seller_id="2088000000000002",
            app_key_pem=keys.app.private.read_text(),
            alipay_public_keys_pem=both,
            notify_url="https://api.parkside.example/callbacks/alipay",
        )
        provider = AlipayProvider(settings, ManualClock(AT))
        assert provider.verify_notices(FORM, self._body(keys))
        assert provider.verify_notices(FORM, self._body(keys, keys.stranger))


@pytest.mark.parametrize(
    ("refund", "expected"),
    [
        ({"refund_status": "REFUND_SUCCESS", "refund_amount": "12.50"}, OrderStatus.FAILED),
        ({}, OrderStatus.SUCCEEDED),
        (None, OrderStatus.UNKNOWN),
    ],
    ids=["given back by it", "refunded by us", "nobody knows"],
)
async def test_what_a_cancel_gave_back_was_not_paid(
    keys: Keys, refund: dict[str, str] | None, expected: OrderStatus
) -> None:
    """A refused number is cancelled, an earlier delivery had paid, and the answer is lost."""
    closed = {**TRADE, "trade_status": "TRADE_CLOSED", "send_pay_date": "2026-11-27 16:00:01"}
    said: dict[str, dict[str, Any] | None] = {
        "alipay.trade.pay": {"code": "40004", "sub_code": "ACQ.BUYER_BALANCE_NOT_ENOUGH"},
        "alipay.trade.cancel": None,
        "alipay.trade.query": closed,
        "alipay.trade.fastpay.refund.query": None
        if refund is None
        else {"code": "10000", "out_trade_no": NUMBER, "out_request_no": NUMBER, **refund},
    }

    def reply(call: Call) -> bytes:
        node = said[call.parameters["method"]]
        return b"" if node is None else _answer(call, json.dumps(node), keys.alipay)

    sent = SentOrder(number=NUMBER, amount=PRICE, is_checkout=False, sent_at=AT)
    async with scripted(keys.app, reply) as gateway:
        provider = _provider(keys, gateway.url)
        refused = await provider.charge(CHARGE)
        found = await provider.query(sent)
        await provider.aclose()

    assert refused.status is OrderStatus.UNKNOWN
    assert found.status is expected


async def test_the_deadline_covers_the_refusal_too(keys: Keys) -> None:
    node = {"code": "40004", "sub_code": "ACQ.BUYER_BALANCE_NOT_ENOUGH"}

    def reply(call: Call) -> bytes:
        raw = json.dumps(node)
        is_pay = call.parameters["method"] == "alipay.trade.pay"
        # The refusal is not final until the number is cancelled, and that is never answered.
        return _answer(call, raw, keys.alipay) if is_pay else http(b"{")[:-1]

    async with scripted(keys.app, reply) as gateway:
        result = await _provider(keys, gateway.url).charge(replace(CHARGE, deadline_s=2))

    assert (result.status, result.failure_code) == (OrderStatus.UNKNOWN, NO_ANSWER)
    assert [call.parameters["method"] for call in gateway.seen] == [
        "alipay.trade.pay",
        "alipay.trade.cancel",
    ]
