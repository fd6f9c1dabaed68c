"""Alipay: agreement pay and hosted checkout over gateway.do, see docs/payments/alipay.md."""

from parking.payments.providers.alipay.adapter import AlipayProvider
from parking.payments.providers.alipay.settings import AlipaySettings

__all__ = ["AlipayProvider", "AlipaySettings"]
