"""The payment providers of the demo, and what people call them."""

from collections.abc import Mapping
from typing import Final

ACQUIRER: Final = "acquirer"
WECHAT: Final = "wechat"
ALIPAY: Final = "alipay"
CARD: Final = "stripe"
ETC: Final = "etc"
BANK: Final = "gocardless"

NAMES: Final[Mapping[str, str]] = {
    ACQUIRER: "the acquirer",
    WECHAT: "WeChat Pay",
    ALIPAY: "Alipay",
    CARD: "card",
    ETC: "ETC",
    BANK: "bank",
}
# Whose permission is for one car, and who asks whose account it is.
BY_PLATE: Final = frozenset({WECHAT, ETC})
BY_PAYER: Final = frozenset({WECHAT})
