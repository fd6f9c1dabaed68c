"""Cars with an ETC unit, through an acquirer: our own signed wire, see docs/etc-wire.md."""

from parking.payments.providers.etc.adapter import EtcProvider
from parking.payments.providers.etc.transport import EtcSettings

__all__ = ["EtcProvider", "EtcSettings"]
