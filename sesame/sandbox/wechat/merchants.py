"""The one merchant that the stand-in knows, and the platform that it talks to."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from sesame.sandbox.platform import Json, Platform
from sesame.sandbox.wechat.account import Account
from sesame.sandbox.wechat.errors import ApiError
from sesame.sandbox.wechat.signing import PlatformKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """Who may call, and with which keys both sign.

    Attributes:
        keys: WeChat Pay's own; `Platform.delivery` says which one signs.
        merchant_keys: The merchant's, by their certificates' serial numbers.
        app: The `appid` that its drivers' openids belong to.
        account: The official account of its pages, if it has one.
    """

    platform: Platform
    merchant: str
    sub_merchant: str | None
    api_key: str
    keys: tuple[PlatformKey, ...]
    merchant_keys: dict[str, RSAPublicKey]
    app: str
    account: Account | None

    @property
    def apps(self) -> set[str]:
        """Return every `appid` that is bound to the merchant."""
        return {self.app} if self.account is None else {self.app, self.account.app}

    @property
    def key(self) -> PlatformKey:
        """Return the key that signs now."""
        return self.keys[self.platform.delivery.key_position]

    def require_app(self, named: str | None) -> None:
        """Raise ApiError unless the `appid` is bound to the merchant."""
        if named not in self.apps:
            raise ApiError(400, "APPID_MCHID_NOT_MATCH", "the appid is not bound to the mchid")

    def require_sub_merchant(self, named: str | None) -> None:
        """Raise ApiError unless the call is for whom the merchant acts."""
        if named != self.sub_merchant:
            raise ApiError(403, "NO_AUTH", "the sub_mchid is not this merchant's")

    def parking_names(self) -> Json:
        """Return whose a parking or a charge is, in its own words."""
        names: Json = {"sp_mchid": self.merchant}
        return names | self._sub_names()

    def page_names(self) -> Json:
        """Return whose a page or a refund is."""
        is_direct = self.sub_merchant is None
        names: Json = {"mchid" if is_direct else "sp_mchid": self.merchant}
        return names | self._sub_names()

    def _sub_names(self) -> Json:
        return {} if self.sub_merchant is None else {"sub_mchid": self.sub_merchant}
