"""WeChat Pay: parking without a password, and pages for everyone else (docs/payments/wechat.md)."""

from parking.payments.providers.wechat.adapter import WechatProvider
from parking.payments.providers.wechat.settings import OfficialAccount, WechatSettings

__all__ = ["OfficialAccount", "WechatProvider", "WechatSettings"]
