"""The bodies of the calls, as the documentation gives them."""

import re
from datetime import datetime
from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)")
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def _notice_url(value: str) -> str:
    url = urlsplit(value)
    is_local = url.scheme == "http" and url.hostname in _LOOPBACK
    if url.query or not (url.scheme == "https" or is_local):
        raise ValueError("expected an https URL without a query, or http on loopback")
    return value


def _address(value: str) -> str:
    ip_address(value)
    return value


def _time(value: str | None) -> str | None:
    if value is not None:
        if not _RFC_3339.fullmatch(value):
            raise ValueError("expected yyyy-MM-DDTHH:mm:ss and a time zone")
        datetime.fromisoformat(value)
    return value


Id = Annotated[str, Field(min_length=1, max_length=32)]
Number = Annotated[str, Field(pattern=r"^[0-9A-Za-z_\-*]{1,32}$")]
Plate = Annotated[str, Field(min_length=1, max_length=32)]
Colour = Literal["BLUE", "GREEN", "YELLOW", "BLACK", "WHITE", "LIMEGREEN"]
Fen = Annotated[int, Field(gt=0, lt=2**53)]
NoticeUrl = Annotated[str, Field(max_length=256), AfterValidator(_notice_url)]


class Call(BaseModel):
    """What the merchant asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Amount(Call):
    """An order's amount."""

    total: Fen
    currency: Literal["CNY"] = "CNY"


class ParkingCall(Call):
    """`POST /v3/vehicle/parking/parkings`."""

    sub_mchid: Id | None = None
    out_parking_no: Annotated[str, Field(min_length=1, max_length=64)]
    plate_number: Plate
    plate_color: Colour
    notify_url: NoticeUrl
    start_time: AwareDatetime
    parking_name: Annotated[str, Field(min_length=1, max_length=128)]
    free_duration: Annotated[int, Field(ge=0)]


class ParkingInfo(Call):
    """The stay that a charge is for."""

    parking_id: Id
    plate_number: Plate
    plate_color: Colour
    start_time: AwareDatetime
    end_time: AwareDatetime
    parking_name: Annotated[str, Field(min_length=1, max_length=128)]
    charging_duration: Annotated[int, Field(ge=0)]
    device_id: Id


class ChargeCall(Call):
    """`POST /v3/vehicle/transactions/parking`."""

    appid: Id
    sub_appid: Id | None = None
    sub_mchid: Id | None = None
    description: Annotated[str, Field(min_length=1, max_length=128)]
    out_trade_no: Number
    trade_scene: Literal["PARKING"]
    notify_url: NoticeUrl
    amount: Amount
    parking_info: ParkingInfo


class PageCall(Call):
    """`POST /v3/pay/transactions/native`, and the same for partners; the start of the next two."""

    appid: Id | None = None
    mchid: Id | None = None
    sp_appid: Id | None = None
    sp_mchid: Id | None = None
    sub_appid: Id | None = None
    sub_mchid: Id | None = None
    description: Annotated[str, Field(min_length=1, max_length=127)]
    out_trade_no: Annotated[Number, Field(min_length=6)]
    time_expire: Annotated[str | None, AfterValidator(_time)] = None
    notify_url: NoticeUrl
    amount: Amount


class Payer(Call):
    """Who pays, by the `appid` that asks."""

    openid: Annotated[str | None, Field(min_length=1, max_length=128)] = None
    sp_openid: Annotated[str | None, Field(min_length=1, max_length=128)] = None


class JsapiCall(PageCall):
    """`POST …/transactions/jsapi`."""

    payer: Payer


class PhoneInfo(Call):
    """What kind of page leads to WeChat."""

    type: Literal["iOS", "Android", "Wap"]


class Scene(Call):
    """Where the payer's phone is."""

    payer_client_ip: Annotated[str, AfterValidator(_address)]
    h5_info: PhoneInfo


class PhoneCall(PageCall):
    """`POST …/transactions/h5`."""

    scene_info: Scene


class CloseCall(Call):
    """`POST …/out-trade-no/{out_trade_no}/close`."""

    mchid: Id | None = None
    sp_mchid: Id | None = None
    sub_mchid: Id | None = None


class RefundAmount(Call):
    """What comes back, of what."""

    refund: Fen
    total: Fen
    currency: Literal["CNY"]


class RefundCall(Call):
    """`POST /v3/refund/domestic/refunds`."""

    sub_mchid: Id | None = None
    out_trade_no: Number
    out_refund_no: Annotated[str, Field(pattern=r"^[0-9A-Za-z_\-|*@]{1,64}$")]
    reason: Annotated[str, Field(min_length=1, max_length=80)]
    notify_url: NoticeUrl
    amount: RefundAmount
