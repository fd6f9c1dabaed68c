"""The books' rows as WeChat Pay shows them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sesame.sandbox.platform import Json

ZONE = ZoneInfo("Asia/Shanghai")
# Refused rather than recorded: WeChat Pay answers these with an error, and forgets the number.
REFUSED_REFUNDS = {
    "exceeds_charge": (400, "INVALID_REQUEST"),
    "currency_mismatch": (400, "INVALID_REQUEST"),
    "not_refundable": (404, "RESOURCE_NOT_EXISTS"),
    "not_enough": (403, "NOT_ENOUGH"),
}
_CHARGE_STATES = {"accepted": "ACCEPTED", "succeeded": "SUCCESS", "failed": "PAY_FAIL"}
_PAGE_STATES = {"accepted": "NOTPAY", "succeeded": "SUCCESS", "failed": "CLOSED"}
_REFUND_STATES = {"accepted": "PROCESSING", "succeeded": "SUCCESS", "failed": "CLOSED"}


def beijing(milliseconds: int) -> str:
    """Return a time as WeChat Pay writes it."""
    at = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return at.astimezone(ZONE).isoformat(timespec="seconds")


def charge_json(row: Json, merchants: Json) -> Json:
    """Return a parking charge; `merchants` says whose it is."""
    extra = row["extra"]
    shown: Json = {
        **merchants,
        "appid": extra["appid"],
        "description": row["description"],
        "create_time": beijing(row["created_ms"]),
        "out_trade_no": row["number"],
        "trade_state": _CHARGE_STATES[row["status"]],
        "trade_state_description": row["failure_code"] or row["status"],
        "trade_scene": "PARKING",
        "parking_info": extra["parking_info"],
        "payer": {"openid": extra["openid"]},
        "amount": _amount(row),
    }
    if row["status"] == "succeeded":
        shown |= _paid(row)
        if "advance" in extra:
            shown["bank_type"] = "BPA"
            shown["user_repaid"] = "Y" if extra["advance"] == "repaid" else "N"
    return shown


def page_json(row: Json, merchants: Json) -> Json:
    """Return an order that is paid by reading a code."""
    shown: Json = {
        **merchants,
        "appid": row["extra"]["appid"],
        "out_trade_no": row["number"],
        "trade_state": _PAGE_STATES[row["status"]],
        "trade_state_desc": row["status"],
        "amount": _amount(row),
    }
    if row["status"] == "succeeded":
        shown |= _paid(row) | {
            "trade_type": row["extra"].get("trade_type", "NATIVE"),
            "payer": {"openid": row["extra"].get("openid", "payer")},
        }
    return shown


def refund_json(row: Json, charge: Json) -> Json:
    """Return a refund of an order."""
    abnormal = row["failure_code"] == "abnormal"
    shown: Json = {
        "refund_id": row["reference"],
        "out_refund_no": row["number"],
        "transaction_id": charge["reference"],
        "out_trade_no": row["parent"],
        "channel": "ORIGINAL",
        "user_received_account": "支付用户零钱",
        "create_time": beijing(row["created_ms"]),
        "status": "ABNORMAL" if abnormal else _REFUND_STATES[row["status"]],
        "amount": {
            "total": charge["amount_minor"],
            "refund": row["amount_minor"],
            "payer_total": charge["amount_minor"],
            "payer_refund": row["amount_minor"],
            "currency": row["currency"],
        },
    }
    if row["status"] == "succeeded":
        shown["success_time"] = beijing(row["settled_ms"])
    return shown


def _paid(row: Json) -> Json:
    return {
        "transaction_id": row["reference"],
        "success_time": beijing(row["settled_ms"]),
        "bank_type": "OTHERS",
    }


def _amount(row: Json) -> Json:
    minor, currency = row["amount_minor"], row["currency"]
    return {"total": minor, "payer_total": minor, "currency": currency}
