"""Trade bills of WeChat Pay."""

import hashlib
import re
from datetime import UTC, date, datetime
from typing import Any

import pytest

from parking.kit.money import Money
from parking.payments.port import (
    ProviderUnavailableError,
    SettlementKind,
    SettlementNotReadyError,
)
from tests.contract.wechat_scheme import Seen
from tests.contract.wechat_wire import (
    PRICE,
    Keys,
    Wire,
)


class TestBill:
    HEAD = (
        "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,"
        "货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,"
        "商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
    )
    TOTALS = (
        "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,"
        "申请退款总金额"
    )
    PAID = (
        "`2026-11-26 23:59:59,`wx1,`1900000109,`0,`,`4200000001,`A1,`oU,`AUTH,`SUCCESS,`OTHERS,"
        "`CNY,`12.50,`0.00,`0,`0,`0.00,`0.00,`,`,`停车, 两小时,`,`0.07500,`0.60%,`12.50,`0.00,`"
    )
    BACK = (
        "`2026-11-26 08:00:00,`wx1,`1900000109,`0,`,`4200000000,`A0,`oU,`AUTH,`REFUND,`OTHERS,"
        "`CNY,`0.00,`0.00,`5030000001,`R1,`2.50,`0.00,`ORIGINAL,`SUCCESS,`停车,`,`-0.01500,`0.60%,"
        "`0.00,`2.50,`"
    )
    SUMS = "`2,`12.50,`2.50,`0.00,`0.06000,`12.50,`2.50"
    DAY = date(2026, 11, 26)

    def whole(self) -> bytes:
        lines = (self.HEAD, self.PAID, self.BACK, self.TOTALS, self.SUMS, "")
        return b"\xef\xbb\xbf" + "\r\n".join(lines).encode()

    def serve(self, wire: Wire, content: bytes, signed: bytes | None = None) -> None:
        """Sign the hash of `signed`, and give out `content`."""
        digest = hashlib.sha1(content if signed is None else signed, usedforsecurity=False)

        def answer(seen: Seen) -> tuple[int, Any]:
            if seen.target.startswith("/v3/billdownload"):
                return 200, content
            host = seen.headers["host"]
            return 200, {
                "hash_type": "SHA1",
                "hash_value": digest.hexdigest(),
                "download_url": f"http://{host}/v3/billdownload/file?token=a%2Fb",
            }

        wire.recorder.answer = answer

    async def test_is_read_row_by_row(self, wechat_wire: Wire, wechat_keys: Keys) -> None:
        self.serve(wechat_wire, self.whole())

        paid, back = await wechat_wire.provider.fetch_settlement(self.DAY)

        assert (paid.kind, paid.number, paid.reference) == (
            SettlementKind.CHARGE,
            "A1",
            "4200000001",
        )
        assert (paid.amount, paid.fee_minor) == (PRICE, 8)
        assert paid.occurred_at == datetime(2026, 11, 26, 15, 59, 59, tzinfo=UTC)
        assert (back.kind, back.number, back.reference) == (
            SettlementKind.REFUND,
            "R1",
            "5030000001",
        )
        assert (back.amount, back.fee_minor) == (Money(250, "CNY"), -2)
        asked, fetched = wechat_wire.recorder.seen
        assert asked.target == "/v3/bill/tradebill?bill_date=2026-11-26&bill_type=ALL"
        fields = dict(re.findall(r'(\w+)="([^"]*)"', fetched.headers["authorization"]))
        lines = ("GET", fetched.target, fields["timestamp"], fields["nonce_str"], "")
        text = "".join(f"{line}\n" for line in lines).encode()
        assert fetched.target == "/v3/billdownload/file?token=a%2Fb"
        assert wechat_keys.ours.has_signed(text, fields["signature"], wechat_keys.folder)

    @pytest.mark.parametrize(
        "change",
        [
            ("`12.50,`0.00,`\r\n", "`12.51,`0.00,`\r\n"),
            (SUMS, SUMS.replace("`2,", "`3,", 1)),
            (SUMS, ""),
            (TOTALS, ""),
            (PAID + "\r\n", ""),
            ("`SUCCESS,`OTHERS", "`STRANGE,`OTHERS"),
            ("`CNY,`12.50", "`USD,`12.50"),
            ("订单金额,申请", "别的,申请"),
            ("2026-11-26 23", "2026-11-26T23"),
            ("`0.07500", "`NaN"),
            ("`0.60%,`12.50", "`0.60%,`12,50"),
        ],
    )
    async def test_that_is_not_whole_is_refused(
        self, wechat_wire: Wire, change: tuple[str, str]
    ) -> None:
        whole = self.whole().decode()
        assert whole.count(change[0]) >= 1
        self.serve(wechat_wire, whole.replace(*change, 1).encode())

        with pytest.raises(ProviderUnavailableError):
            await wechat_wire.provider.fetch_settlement(self.DAY)

    async def test_with_another_hash_is_refused(self, wechat_wire: Wire) -> None:
        self.serve(wechat_wire, self.whole(), signed=self.whole() + b" ")
        with pytest.raises(ProviderUnavailableError, match="hash"):
            await wechat_wire.provider.fetch_settlement(self.DAY)

    async def test_is_never_fetched_from_elsewhere(self, wechat_wire: Wire) -> None:
        wechat_wire.recorder.answer = lambda _seen: (
            200,
            {
                "hash_type": "SHA1",
                "hash_value": "0" * 40,
                "download_url": "http://169.254.169.254/v3/billdownload/file?token=a",
            },
        )
        with pytest.raises(ProviderUnavailableError):
            await wechat_wire.provider.fetch_settlement(self.DAY)
        assert len(wechat_wire.recorder.seen) == 1

    async def test_that_is_being_made_is_asked_for_later(self, wechat_wire: Wire) -> None:
        wechat_wire.recorder.answer = lambda _seen: (
            400,
            {"code": "STATEMENT_CREATING", "message": "-"},
        )
        with pytest.raises(SettlementNotReadyError):
            await wechat_wire.provider.fetch_settlement(self.DAY)

    @pytest.mark.parametrize(("day", "is_ready"), [(DAY, True), (date(2026, 11, 27), False)])
    async def test_of_a_day_without_trade_is_empty_once_the_day_is_over(
        self, wechat_wire: Wire, day: date, *, is_ready: bool
    ) -> None:
        wechat_wire.recorder.answer = lambda _seen: (
            400,
            {"code": "NO_STATEMENT_EXIST", "message": "-"},
        )
        if is_ready:
            assert await wechat_wire.provider.fetch_settlement(day) == ()
        else:
            with pytest.raises(SettlementNotReadyError):
                await wechat_wire.provider.fetch_settlement(day)
