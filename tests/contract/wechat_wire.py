"""The WeChat Pay adapter, and a server that knows nothing but the documented scheme."""

import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from parking.kit.clock import ManualClock
from parking.kit.money import Money
from parking.payments.port import AgreementRequest, ChargeOrder, SentOrder, StayDetails
from parking.payments.providers.wechat import WechatProvider, WechatSettings
from tests.contract.wechat_scheme import KeyPair, Recorder, Seen

AT = datetime(2026, 11, 27, 8, tzinfo=UTC)
NOW_S = int(AT.timestamp())
API_KEY = "0123456789abcdef0123456789ABCDEF"
MERCHANT, APP, SERIAL = "1900000109", "wxcbda96de0b165486", "1DDE55AD98ED71D6EDD4A4A16996DE7B"
OPENID, PLATE = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "粤B12345"
NUMBER = "0199c1a2b3c47d5e8f90a1b2c3d4e5f7"
PRICE = Money(1250, "CNY")
STAY = StayDetails(
    number="0199c1a2b3c47d5e8f90a1b2c3d4e5f8",
    plate=PLATE,
    place_id=UUID(int=1),
    place_name="欢乐海岸停车场",
    entered_at=AT - timedelta(hours=2),
    left_at=AT,
)
SENT = SentOrder(number=NUMBER, amount=PRICE, is_checkout=False, sent_at=AT)
PAGE = replace(SENT, is_checkout=True)


@dataclass(frozen=True, slots=True)
class Keys:
    """Both sides' keys, made by openssl, and settings that go with them."""

    folder: Path
    ours: KeyPair
    theirs: KeyPair

    def settings(self, base_url: str = "https://api.mch.example") -> WechatSettings:
        """Return what a merchant of ours would set."""
        return WechatSettings(
            base_url=base_url,
            merchant=MERCHANT,
            app=APP,
            key_pem=self.ours.private.read_text(),
            key_serial=SERIAL,
            api_key=API_KEY,
            platform_keys_pem=f"PUB_KEY_ID_1\n{self.theirs.public.read_text()}",
            service_url="https://pay.parkside.example/parking",
            notice_url="https://api.parkside.example/callbacks/wechat",
        )


@pytest.fixture(scope="session")
def wechat_keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Two key pairs of this run."""
    folder = tmp_path_factory.mktemp("wechat_keys")
    return Keys(folder, KeyPair.make(folder, "merchant"), KeyPair.make(folder, "platform"))


class Wire:
    """The adapter, and a server of the scheme that answers it."""

    def __init__(self, settings: WechatSettings, recorder: Recorder) -> None:
        self.clock = ManualClock(AT)
        self.provider = WechatProvider(settings, self.clock)
        self.recorder = recorder

    async def order(self) -> ChargeOrder:
        started = await self.provider.start_agreement(
            AgreementRequest(
                number=STAY.number,
                description="Parking",
                return_url="https://app.parkside.example/",
                payer_id=OPENID,
                plate=PLATE,
            )
        )
        return ChargeOrder(
            number=NUMBER,
            agreement_reference=started.reference,
            amount=PRICE,
            description="停车 Riverside, 2 h 10 min",
            deadline_s=5,
            stay=STAY,
        )


@pytest.fixture
async def wechat_wire(wechat_keys: Keys) -> AsyncGenerator[Wire]:
    """The adapter against a server of the scheme."""
    recorder = Recorder(wechat_keys.theirs, NOW_S)
    async with recorder.serve() as url:
        opened = Wire(wechat_keys.settings(url), recorder)
        yield opened
        await opened.provider.aclose()


def order_json(state: str = "SUCCESS", **changes: object) -> dict[str, Any]:
    return {
        "sp_mchid": MERCHANT,
        "appid": APP,
        "out_trade_no": NUMBER,
        "trade_state": state,
        "transaction_id": "4200000001",
        "success_time": "2026-11-27T16:00:00+08:00",
        "bank_type": "OTHERS",
        "amount": {"total": 1250, "currency": "CNY"},
        **changes,
    }


def entered(seen: Seen, **changes: object) -> dict[str, Any]:
    asked = json.loads(seen.body)
    kept = {name: asked[name] for name in ("out_parking_no", "plate_number", "plate_color")}
    return {"id": "5K8264ILTKCH16CQ250", **kept, "state": "NORMAL", **changes}


def parking(
    charge: Callable[[], tuple[int, Any]], query: tuple[int, Any] | None = None, **entry: object
) -> Callable[[Seen], tuple[int, Any]]:
    """Return answers of the three calls of a charge."""

    def answer(seen: Seen) -> tuple[int, Any]:
        if seen.target.endswith("/parkings"):
            return 200, entered(seen, **entry)
        if seen.method == "GET":
            return query or (404, {"code": "ORDER_NOT_EXIST", "message": "no"})
        return charge()

    return answer
