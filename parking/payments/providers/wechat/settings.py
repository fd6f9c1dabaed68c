"""What a merchant has to know to use WeChat Pay."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from parking.kit.errors import InvalidInputError
from parking.kit.outbound import is_secure_url, require_secure_url

API_URL = "https://api.mch.weixin.qq.com"
ACCOUNT_PAGE_URL = "https://open.weixin.qq.com"
ACCOUNT_API_URL = "https://api.weixin.qq.com"
CALL_TIMEOUT_S = 5.0
API_KEY_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialAccount:
    """The official account (公众号) whose pages learn in WeChat who has opened them.

    Attributes:
        app: Its `appid`, bound to the merchant.
        secret: Its AppSecret.
        page_url: Where WeChat sends the payer on from.
        api_url: Where the payer's openid is asked for.
    """

    app: str
    secret: str = field(repr=False)
    page_url: str = ACCOUNT_PAGE_URL
    api_url: str = ACCOUNT_API_URL

    def __post_init__(self) -> None:
        require_secure_url("account_page_url", self.page_url)
        require_secure_url("account_api_url", self.api_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class WechatSettings:
    """How to reach WeChat Pay, and as whom.

    Attributes:
        merchant: The merchant's number (`mchid`); a service provider's own.
        app: The `appid` that the payers' openids belong to.
        sub_merchant: The merchant that a service provider acts for (`sub_mchid`).
        sub_app: Its `sub_appid`, where it has one.
        key_pem: Our RSA private key, and `key_serial` its certificate's serial number.
        api_key: The APIv3 key, 32 characters: opens notices, and keys the agreements' references.
        platform_keys_pem: WeChat Pay's public keys; see `PlatformKeys`.
        service_url: The page that opens WeChat's parking service for a plate.
        notice_url: Where notices go; WeChat takes https only, without a query.
        is_advance_funded: Whether WeChat pays us where the payer cannot, by contract. Only then is
            an accepted charge as good as money.
        account: Without it nobody pays inside WeChat's own browser.
        has_phone_pages: Whether the merchant has the product for phones' browsers (H5支付).
        base_url: `https://…`; plain `http` only on loopback.
        call_timeout_s: For every call but a charge, which brings its own deadline.
    """

    merchant: str
    app: str
    key_pem: str = field(repr=False)
    key_serial: str
    api_key: str = field(repr=False)
    platform_keys_pem: str
    service_url: str
    notice_url: str
    sub_merchant: str | None = None
    sub_app: str | None = None
    is_advance_funded: bool = False
    account: OfficialAccount | None = None
    has_phone_pages: bool = True
    base_url: str = API_URL
    call_timeout_s: float = CALL_TIMEOUT_S

    def __post_init__(self) -> None:
        require_secure_url("base_url", self.base_url)
        if urlsplit(self.notice_url).query or not is_secure_url(self.notice_url):
            raise InvalidInputError("notice_url", "an https URL without a query")
        if len(self.api_key.encode()) != API_KEY_BYTES:
            raise InvalidInputError("api_key", f"{API_KEY_BYTES} characters, as set at WeChat Pay")
