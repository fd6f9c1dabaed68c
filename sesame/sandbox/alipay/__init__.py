"""A stand-in for Alipay's gateway.do, its two pages, its notices and its bills."""

from sesame.sandbox.alipay.app import Options, StandIn, create_stand_in

__all__ = ["Options", "StandIn", "create_stand_in"]
