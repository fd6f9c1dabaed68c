"""How to reach Alipay, and what was agreed with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from uuid import UUID

from parking.kit.errors import InvalidInputError
from parking.kit.outbound import LOOPBACK_HOSTS, is_secure_url

GATEWAY_URL = "https://openapi.alipay.com/gateway.do"
BILL_HOST = "dwbillcenter.alipay.com"
CALL_TIMEOUT_S = 5.0
# Alipay publishes these for withholding; a merchant's own contract may say more.
CHARGE_MINOR_MAX = 100_00
DAY_MINOR_MAX = 1_000_00
# The documentation forbids the default scene together with a number of ours, and shows this one.
SIGN_SCENE = "INDUSTRY|CARRENTAL"
# The driver signs in the app on this phone; or scans a code from another screen, or gets a text.
APP_CHANNEL = "ALIPAYAPP"
WEB_CHANNEL = "QRCODE"
WEB_CHANNELS = frozenset({WEB_CHANNEL, "QRCODEORSMS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AlipaySettings:
    """How to reach Alipay, and what was agreed with it.

    Attributes:
        app_id: Our application's id.
        seller_id: Our account, `2088…`; a payment notice must name it.
        app_key_pem: The application's RSA private key.
        alipay_public_keys_pem: Alipay's public keys, one PEM block after another: the old and
            the new one while Alipay's key is replaced.
        notify_url: Where notices come to; without parameters.
        gateway_url: `https://…`; plain `http` only on loopback.
        bill_host: The one host, besides the gateway's, that bills are fetched from.
        sign_scene: As in the contract with Alipay.
        sign_channel: `ALIPAYAPP`: the address opens the app; one of `WEB_CHANNELS`: a web page.
            None: the app, but a web page where a stand-in on loopback plays Alipay.
        parking_ids: Alipay's ids of our places; with any, its parking service is told of cars that
            come there and leave, and so mandates name their plate.
        charge_minor_max: The contract's limit of one charge; `None` for none.
        day_minor_max: The contract's limit of a day's charges under one agreement.
        call_timeout_s: For every call but a charge, which brings its own deadline.
    """

    app_id: str
    seller_id: str
    app_key_pem: str = field(repr=False)
    alipay_public_keys_pem: str
    notify_url: str
    gateway_url: str = GATEWAY_URL
    bill_host: str = BILL_HOST
    sign_scene: str = SIGN_SCENE
    sign_channel: str | None = None
    parking_ids: Mapping[UUID, str] = field(default_factory=dict[UUID, str])
    charge_minor_max: int | None = CHARGE_MINOR_MAX
    day_minor_max: int | None = DAY_MINOR_MAX
    call_timeout_s: float = CALL_TIMEOUT_S

    def __post_init__(self) -> None:
        url = urlsplit(self.gateway_url)
        if url.query or url.fragment or not is_secure_url(self.gateway_url):
            raise InvalidInputError("gateway_url", "an https URL, or http on loopback")
        for name in ("app_id", "seller_id"):
            if not getattr(self, name).isalnum():
                raise InvalidInputError(name, "letters and digits")
        if self.sign_channel not in {None, APP_CHANNEL, *WEB_CHANNELS}:
            known = ", ".join(sorted(WEB_CHANNELS))
            raise InvalidInputError("sign_channel", f"{APP_CHANNEL}, {known}")
        if urlsplit(self.notify_url).query:
            raise InvalidInputError("notify_url", "a URL without parameters")

    @property
    def channel(self) -> str:
        """Where the driver signs."""
        if self.sign_channel is not None:
            return self.sign_channel
        is_stand_in = urlsplit(self.gateway_url).hostname in LOOPBACK_HOSTS
        return WEB_CHANNEL if is_stand_in else APP_CHANNEL
