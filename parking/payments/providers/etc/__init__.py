"""Cars with an ETC unit, through an acquirer: our own signed wire, see docs/etc-wire.md."""

from parking.payments.providers.etc.adapter import EtcProvider

__all__ = ["EtcProvider"]
