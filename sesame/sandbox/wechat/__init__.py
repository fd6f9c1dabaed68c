"""A stand-in for WeChat Pay's API v3: parking, pages, refunds, bills (docs/payments/wechat.md)."""

from sesame.sandbox.wechat.account import Account
from sesame.sandbox.wechat.app import Options, StandIn, create_stand_in
from sesame.sandbox.wechat.signing import new_api_key

__all__ = ["Account", "Options", "StandIn", "create_stand_in", "new_api_key"]
