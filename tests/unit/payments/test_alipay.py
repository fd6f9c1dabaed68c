"""Alipay's amounts, answers, forms and bills, without a network."""

import io
import zipfile
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.kit.clock import ManualClock
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.payments.port import NoticeRefusedError, SettlementKind, SettlementRow
from parking.payments.providers.alipay.codes import decline, doubt, refund_failure
from parking.payments.providers.alipay.envelope import MalformedAnswerError, read_envelope
from parking.payments.providers.alipay.notices import parse_form
from parking.payments.providers.alipay.settings import AlipaySettings
from parking.payments.providers.alipay.settlement import MalformedBillError, read_bill
from parking.payments.providers.alipay.signature import AlipayKeys
from parking.payments.providers.alipay.transport import GatewayClient
from parking.payments.providers.alipay.wire_values import fen, instant, stamp, subject, yuan
from sesame.sandbox.alipay.signing import new_private_pem, public_pem

KEY = new_private_pem().decode()
PUBLIC = public_pem(KEY.encode())
METHOD = "alipay.trade.pay"


def _settings(**changed: str) -> AlipaySettings:
    values = {
        "app_id": "2021000000000001",
        "seller_id": "2088000000000002",
        "app_key_pem": KEY,
        "alipay_public_keys_pem": PUBLIC,
        "notify_url": "https://api.parkside.example/callbacks/alipay",
        **changed,
    }
    return AlipaySettings(
        app_id=values["app_id"],
        seller_id=values["seller_id"],
        app_key_pem=values["app_key_pem"],
        alipay_public_keys_pem=values["alipay_public_keys_pem"],
        notify_url=values["notify_url"],
        gateway_url=values.get("gateway_url", "https://openapi.alipay.com/gateway.do"),
    )


class TestValues:
    @given(st.integers(min_value=0, max_value=10**11))
    def test_an_amount_survives_the_wire(self, minor: int) -> None:
        assert fen(yuan(Money(minor, "CNY"))) == minor

    @pytest.mark.parametrize(
        ("text", "minor"),
        [("0.01", 1), ("88.88", 8888), ("20", 2000), ("0.1", 10), ("-0.12", -12), ("007.50", 750)],
    )
    def test_an_amount_is_read(self, text: str, minor: int) -> None:
        assert fen(text) == minor

    @pytest.mark.parametrize(
        "text",
        ["", ".5", "1.", "1.234", "1e2", "+1", " 1", "1\n", "\uff11", "NaN", "1,000.00", "--1"],
    )
    def test_anything_else_is_no_amount(self, text: str) -> None:
        with pytest.raises(ValueError, match="amount"):
            fen(text)

    def test_times_are_shanghais(self) -> None:
        at = datetime(2026, 11, 27, 16, 30, tzinfo=UTC)
        assert stamp(at) == "2026-11-28 00:30:00"
        assert instant("2026-11-28 00:30:00") == at
        assert instant("2026-11-28 00:30:00.999") == at
        with pytest.raises(ValueError, match="does not match"):
            instant("2026-11-28T00:30:00Z")

    def test_a_subject_has_nothing_that_is_forbidden(self) -> None:
        assert subject("停车 A&B=C/D %E") == "停车 A B C D E"
        assert subject("&&&") == "Parking"
        assert len(subject("x" * 400)) == 256

    def test_only_listed_words_prove_something(self) -> None:
        assert decline("ACQ.CYCLE_PAY_SINGLE_FEE_EXCEED") == "ACQ.CYCLE_PAY_SINGLE_FEE_EXCEED"
        assert decline("ACQ.SYSTEM_ERROR") is None
        assert decline("ACQ.TRADE_HAS_SUCCESS") is None
        assert decline("ACQ.NEW_WORD") is None
        assert refund_failure("ACQ.SYSTEM_ERROR") is None
        assert doubt("20000", "aop.unknow-error") == "aop.unknow-error"


class TestEnvelope:
    @given(st.binary(max_size=200))
    def test_any_bytes_are_refused_or_read(self, body: bytes) -> None:
        with pytest.raises(MalformedAnswerError):
            read_envelope(METHOD, body)

    def test_the_node_is_kept_as_it_came(self) -> None:
        raw = '{ "code" : "10000", "x":"}\\"" , "y":[1, 2.50] }'
        body = f' {{"sign":"s", "alipay_trade_pay_response" : {raw} }} '.encode()
        envelope = read_envelope(METHOD, body)
        assert envelope.raw == raw.encode()
        assert envelope.node == {"code": "10000", "x": '}"', "y": [1, "2.50"]}
        assert envelope.sign == "s"

    @pytest.mark.parametrize(
        "body",
        [
            b'{"alipay_trade_pay_response":[],"sign":"s"}',
            b'{"alipay_trade_query_response":{},"sign":"s"}',
            b'{"alipay_trade_pay_response":{},"sign":1}',
            b'{"alipay_trade_pay_response":{},"sign":"s"}x',
            b'{"alipay_trade_pay_response":{},"sign":"s","sign":"t"}',
            b'{"alipay_trade_pay_response":{"a":1,"a":2},"sign":"s"}',
            b'{"alipay_trade_pay_response":{"a":NaN},"sign":"s"}',
            b'{"alipay_trade_pay_response":{"a":"\xff"},"sign":"s"}',
            b"[" * 50_000,
            b'{"alipay_trade_pay_response":' + b"[" * 50_000,
        ],
    )
    def test_what_can_be_read_in_two_ways_is_refused(self, body: bytes) -> None:
        with pytest.raises(MalformedAnswerError):
            read_envelope(METHOD, body)


class TestForm:
    @given(st.binary(max_size=200))
    def test_any_bytes_are_refused_or_read(self, body: bytes) -> None:
        with suppress(NoticeRefusedError):
            assert all(parse_form(body))

    def test_decoding(self) -> None:
        assert parse_form(b"a=%E5%81%9C+x&b=&c=1%2B1") == {"a": "停 x", "b": "", "c": "1+1"}


class TestSettings:
    @pytest.mark.parametrize(
        ("changed", "field"),
        [
            ({"gateway_url": "http://openapi.alipay.com/gateway.do"}, "gateway_url"),
            ({"gateway_url": "https://openapi.alipay.com/gateway.do?x=1"}, "gateway_url"),
            ({"app_id": ""}, "app_id"),
            ({"seller_id": "2088 1"}, "seller_id"),
            ({"notify_url": "https://a.example/?x=1"}, "notify_url"),
        ],
    )
    def test_what_cannot_work_is_named(self, changed: dict[str, str], field: str) -> None:
        with pytest.raises(InvalidInputError) as caught:
            _settings(**changed)
        assert caught.value.field == field

    def test_keys_are_checked_and_never_shown(self) -> None:
        assert "PRIVATE KEY" not in repr(_settings())
        with pytest.raises(InvalidInputError) as caught:
            AlipayKeys("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----")
        assert caught.value.field == "alipay_public_keys"
        with pytest.raises(InvalidInputError) as caught:
            AlipayKeys(PUBLIC * 3)
        with pytest.raises(InvalidInputError) as caught:
            GatewayClient(
                _settings(app_key_pem="x"),
                AlipayKeys(PUBLIC),
                ManualClock(datetime.now(UTC)),  # noqa: TID251
            )
        assert caught.value.field == "app_key"


HEADER = (
    "支付宝交易号,商户订单号,业务类型,商品名称,完成时间,"
    "订单金额（元）,退款批次号/请求号,服务费（元）"  # noqa: RUF001
)
CHARGE = "2026112722001\t,n1\t,交易,停车,2026-11-27 16:00:00,12.50,,-0.08"
REFUND = "2026112722001\t,n1\t,退款,停车,2026-11-27 17:00:00,-2.50,r1\t,0.02"
END = "#----业务明细列表结束----"


def _bill(*lines: str, counts: str = "#交易合计：1笔，x", **files: bytes) -> bytes:  # noqa: RUF001
    text = "\r\n".join(["#支付宝业务明细查询", *lines, END, counts, ""])
    return _zip({"明细.csv": text.encode("gbk"), **files})


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


class TestBill:
    def test_rows(self) -> None:
        charge, refund = read_bill(_bill(HEADER, CHARGE, REFUND))
        assert charge == SettlementRow(
            kind=SettlementKind.CHARGE,
            number="n1",
            reference="2026112722001",
            amount=Money(1250, "CNY"),
            fee_minor=8,
            occurred_at=datetime(2026, 11, 27, 8, tzinfo=UTC),
        )
        assert refund == SettlementRow(
            kind=SettlementKind.REFUND,
            number="r1",
            reference="2026112722001",
            amount=Money(250, "CNY"),
            fee_minor=-2,
            occurred_at=datetime(2026, 11, 27, 9, tzinfo=UTC),
        )

    @pytest.mark.parametrize(
        "packed",
        [
            b"",
            b"PK\x03\x04",
            _zip({}),
            _zip({"a.csv": b"\xff\xff" + END.encode("gbk")}),
            _zip({"a.csv": HEADER.encode("gbk")}),
            _zip({str(number): b"" for number in range(9)}),
            _bill(CHARGE),
            _bill(HEADER.replace("业务类型", "其他"), CHARGE),
            _bill(HEADER, CHARGE.replace("12.50", "12.505")),
            _bill(HEADER, CHARGE.replace("12.50", "-12.50")),
            _bill(HEADER, CHARGE.replace("交易", "转账")),
            _bill(HEADER, CHARGE.replace("2026-11-27 16:00:00", "yesterday")),
            _bill(HEADER, CHARGE + ",more"),
            _bill(HEADER, CHARGE, counts="#交易合计：2笔"),  # noqa: RUF001
            _bill(HEADER, CHARGE, again=END.encode("gbk")),
        ],
    )
    def test_anything_else_is_refused_whole(self, packed: bytes) -> None:
        with pytest.raises(MalformedBillError):
            read_bill(packed)

    def test_a_bomb_is_not_unpacked(self) -> None:
        bomb = _zip({"a.csv": b"0" * 50_000_000})
        assert len(bomb) < 100_000
        with pytest.raises(MalformedBillError, match="too large"):
            read_bill(bomb)

    def test_an_archive_that_lies_about_its_size_is_not_unpacked(self) -> None:
        honest = _bill(HEADER, CHARGE)
        size = zipfile.ZipFile(io.BytesIO(honest)).infolist()[0].file_size
        lying = honest.replace(size.to_bytes(4, "little"), (10).to_bytes(4, "little"))
        assert lying != honest
        with pytest.raises(MalformedBillError):
            read_bill(lying)


@cache
def _client() -> GatewayClient:
    clock = ManualClock(datetime(2026, 11, 27, tzinfo=UTC))
    return GatewayClient(_settings(), AlipayKeys(PUBLIC), clock)


@pytest.mark.parametrize(
    ("url", "fetched"),
    [
        ("http://dwbillcenter.alipay.com/f?x=1", "https://dwbillcenter.alipay.com/f?x=1"),
        ("https://dwbillcenter.alipay.com/f", "https://dwbillcenter.alipay.com/f"),
        ("https://openapi.alipay.com/f", "https://openapi.alipay.com/f"),
        ("http://openapi.alipay.com/f", None),
        ("https://dwbillcenter.alipay.com:8443/f", None),
        ("https://dwbillcenter.alipay.com.evil.example/f", None),
        ("https://user@dwbillcenter.alipay.com/f", None),
        ("https://evil.example/?h=dwbillcenter.alipay.com", None),
        ("http://127.0.0.1/latest", None),
        ("http://[::1/", None),
        ("file:///etc/passwd", None),
        ("ftp://dwbillcenter.alipay.com/f", None),
        ("//dwbillcenter.alipay.com/f", None),
    ],
)
def test_bills_come_from_two_hosts_only(url: str, fetched: str | None) -> None:
    assert _client()._bill_address(url) == fetched  # pyright: ignore[reportPrivateUsage]
