"""What WeChat Pay is asked, field by field."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from parking.kit.money import Money
from parking.payments.port import ChargeOrder, CheckoutOrder, RefundOrder, StayDetails
from parking.payments.providers.wechat.agreements import Service
from parking.payments.providers.wechat.settings import WechatSettings
from parking.payments.providers.wechat.settlement import TIMEZONE

# WeChat's limits are read as bytes of UTF-8, the narrower reading.
DESCRIPTION_BYTES_MAX = 127
REASON_BYTES_MAX = 80
PLACE_BYTES_MAX = 128
DEVICE = "sesame"
# How long an order may be paid by hand: as long as WeChat keeps its code and its prepay_id.
PAGE_LIFETIME = timedelta(hours=2)
_SCENE = "PARKING"
_PHONE_PAGE = "Wap"
_ZONE = ZoneInfo(TIMEZONE)
# WeChat refuses a stay that ends as it begins.
_STAY_MIN = timedelta(seconds=1)


def parking(
    settings: WechatSettings, service: Service, number: str, stay: StayDetails
) -> dict[str, object]:
    """Return a car's entry; the same for the same number, so that it is made once."""
    return _on_behalf(settings) | {
        "out_parking_no": service.parking_number(number),
        "plate_number": service.plate,
        "plate_color": service.colour,
        "notify_url": settings.notice_url,
        "start_time": _time(stay.entered_at),
        "parking_name": clip(stay.place_name, PLACE_BYTES_MAX),
        # What is free is in our price already.
        "free_duration": 0,
    }


def charge(
    settings: WechatSettings,
    service: Service,
    order: ChargeOrder,
    stay: StayDetails,
    parking_id: str,
    now: datetime,
) -> dict[str, object]:
    """Return a charge for a parking."""
    # WeChat takes no end in the future; a stay may be priced until after its payment.
    left_at = max(min(stay.left_at or now, now - _STAY_MIN), stay.entered_at + _STAY_MIN)
    return _accounts(settings) | {
        "description": clip(order.description, DESCRIPTION_BYTES_MAX),
        "out_trade_no": order.number,
        "trade_scene": _SCENE,
        "notify_url": settings.notice_url,
        "amount": _amount(order.amount),
        "parking_info": {
            "parking_id": parking_id,
            "plate_number": service.plate,
            "plate_color": service.colour,
            "start_time": _time(stay.entered_at),
            "end_time": _time(left_at),
            "parking_name": clip(stay.place_name, PLACE_BYTES_MAX),
            "charging_duration": int((left_at - stay.entered_at).total_seconds()),
            "device_id": DEVICE,
        },
    }


def page(
    settings: WechatSettings, order: CheckoutOrder, *, app: str | None = None
) -> dict[str, object]:
    """Return an order that anyone pays who reads its QR code.

    Args:
        settings: Who is paid.
        order: What is paid.
        app: The `appid` that asks; None for the one of the drivers' openids.
    """
    accounts: dict[str, object]
    if settings.sub_merchant is None:
        accounts = {"appid": app or settings.app, "mchid": settings.merchant}
    else:
        accounts = {"sp_appid": app or settings.app, **payee(settings)}
        if settings.sub_app is not None:
            accounts["sub_appid"] = settings.sub_app
    if order.sent_at is not None:
        # WeChat takes no other end for a number that it knows.
        accounts["time_expire"] = _time(order.sent_at + PAGE_LIFETIME)
    return accounts | {
        "description": clip(order.description, DESCRIPTION_BYTES_MAX),
        "out_trade_no": order.number,
        "notify_url": settings.notice_url,
        "amount": _amount(order.amount),
    }


def phone_page(
    settings: WechatSettings, order: CheckoutOrder, payer_address: str
) -> dict[str, object]:
    """Return an order that is paid from a phone's browser."""
    scene = {"payer_client_ip": payer_address, "h5_info": {"type": _PHONE_PAGE}}
    return page(settings, order) | {"scene_info": scene}


def wechat_page(
    settings: WechatSettings, order: CheckoutOrder, *, app: str, openid: str
) -> dict[str, object]:
    """Return an order that one payer pays inside WeChat; the openid is of that app."""
    name = "openid" if settings.sub_merchant is None else "sp_openid"
    return page(settings, order, app=app) | {"payer": {name: openid}}


def refund(settings: WechatSettings, order: RefundOrder) -> dict[str, object]:
    """Return money back from one order."""
    amount = {
        "refund": order.amount.amount_minor,
        "total": order.charge.amount.amount_minor,
        "currency": order.amount.currency,
    }
    return _on_behalf(settings) | {
        "out_trade_no": order.charge.number,
        "out_refund_no": order.number,
        "reason": clip(order.reason, REASON_BYTES_MAX),
        "notify_url": settings.notice_url,
        "amount": amount,
    }


def on_behalf(settings: WechatSettings) -> dict[str, str]:
    """Return whom a service provider acts for; empty for a merchant itself."""
    return {} if settings.sub_merchant is None else {"sub_mchid": settings.sub_merchant}


def payee(settings: WechatSettings) -> dict[str, str]:
    """Return whose a page is."""
    if settings.sub_merchant is None:
        return {"mchid": settings.merchant}
    return {"sp_mchid": settings.merchant, "sub_mchid": settings.sub_merchant}


def clip(text: str, bytes_max: int) -> str:
    """Return as much of the beginning as fits, in whole characters."""
    return text.encode()[:bytes_max].decode(errors="ignore")


def _on_behalf(settings: WechatSettings) -> dict[str, object]:
    return {**on_behalf(settings)}


def _accounts(settings: WechatSettings) -> dict[str, object]:
    accounts: dict[str, object] = {"appid": settings.app, **on_behalf(settings)}
    if settings.sub_app is not None:
        accounts["sub_appid"] = settings.sub_app
    return accounts


def _amount(amount: Money) -> dict[str, object]:
    return {"total": amount.amount_minor, "currency": amount.currency}


def _time(at: datetime) -> str:
    return at.astimezone(_ZONE).isoformat(timespec="seconds")
