"""What the gateway does with agreements, and what the parking service is told."""

import hashlib
import secrets

from sesame.sandbox.alipay.gateway import Gateway, RefusedError, text_of
from sesame.sandbox.alipay.values import clock_time
from sesame.sandbox.platform import Json, NewAgreement, NotFoundError, Turn

MISSING = "USER_AGREEMENT_NOT_EXIST"
PERSONAL_PRODUCT_CODE = "GENERAL_WITHHOLDING_P"
ENDS = "2115-02-01 00:00:00"


def query(gateway: Gateway, asked: Json, _turn: Turn, _notify_url: str) -> Json:
    """`alipay.user.agreement.query`: only what is signed and not ended is there."""
    return agreement_json(_signed(gateway, asked))


def unsign(gateway: Gateway, asked: Json, _turn: Turn, _notify_url: str) -> Json:
    """`alipay.user.agreement.unsign`."""
    gateway.platform.agreements.cancel(_signed(gateway, asked)["reference"])
    return {}


def new_agreement(asked: Json, notify_url: str, return_url: str) -> NewAgreement:
    """Return the agreement of a signing page.

    Raises:
        RefusedError: a parameter is missing, or another than what was contracted.
    """
    number = text_of(asked, "external_agreement_no")
    if asked.get("personal_product_code") != PERSONAL_PRODUCT_CODE:
        raise RefusedError("PRODUCT_CODE_NOT_SUPPORTED_ERROR")
    # Documented: with a number of the merchant's, the default scene is not allowed.
    if text_of(asked, "sign_scene") == "DEFAULT|DEFAULT":
        raise RefusedError("INVALID_PARAMETER")
    return NewAgreement(
        number=number,
        parameters=asked,
        description="Parking without a password",
        return_url=return_url,
        reference=number,
        extra={"notice_url": notify_url, "sign_scene": asked["sign_scene"]},
    )


def confirmed(_row: Json) -> Json:
    """Return what signing adds: the number that charges name."""
    return {"agreement_no": f"20{secrets.randbelow(10**18):018d}"}


def agreement_json(row: Json) -> Json:
    """Return an agreement as the wire shows it."""
    return {
        "agreement_no": row["extra"].get("agreement_no"),
        "external_agreement_no": row["number"],
        "personal_product_code": PERSONAL_PRODUCT_CODE,
        "sign_scene": row["extra"]["sign_scene"],
        "status": "NORMAL" if row["status"] == "active" else "UNSIGN",
        "alipay_logon_id": row["payer_hint"],
        "sign_time": clock_time(row["signed_ms"]),
        "valid_time": clock_time(row["signed_ms"]),
        "invalid_time": ENDS,
    }


def entered(gateway: Gateway, asked: Json, _turn: Turn, _notify_url: str) -> Json:
    """`alipay.eco.mycar.parking.enterinfo.sync`."""
    for name in ("parking_id", "car_number", "in_time"):
        text_of(asked, name)
    gateway.told.append({"event": "entered", **asked})
    return {"serial_no": _serial_no(asked)}


def left(gateway: Gateway, asked: Json, _turn: Turn, _notify_url: str) -> Json:
    """`alipay.eco.mycar.parking.exitinfo.sync`."""
    for name in ("parking_id", "car_number", "out_time"):
        text_of(asked, name)
    if asked.get("serial_no") not in {None, _serial_no(asked)}:
        raise RefusedError("INVALID_PARAMETER")
    gateway.told.append({"event": "left", **asked})
    return {}


def _serial_no(asked: Json) -> str:
    """Return the parking service's own number of a stay: the same however often it is told."""
    names = ("parking_id", "car_number", "out_serial_no")
    text = "|".join(str(asked.get(name)) for name in names)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _signed(gateway: Gateway, asked: Json) -> Json:
    try:
        row = gateway.platform.agreements.by_number(text_of(asked, "external_agreement_no"))
    except NotFoundError as error:
        raise RefusedError(MISSING) from error
    if row["status"] != "active":
        raise RefusedError(MISSING)
    return row
