"""What a bill's page is open on, by what the browser says of itself."""

from dataclasses import replace
from typing import Final

from starlette.requests import Request

from parking.flows.payments.visitor import Visitor

# How the browsers inside the apps of providers name themselves.
_SCANNERS: Final = {"MicroMessenger": "wechat", "AlipayClient": "alipay"}
# WeChat on a computer: it reads no code from its own screen, but pays nothing there either.
_ON_A_DESK: Final = ("WindowsWechat", "MacWechat")
_PHONES: Final = ("Mobi", "Android", "iPhone")


def scanner_of(user_agent: str) -> str | None:
    """Return the provider whose app opened the page, by what its browser calls itself."""
    return next((name for mark, name in _SCANNERS.items() if mark in user_agent), None)


def visitor_of(request: Request) -> Visitor:
    """Return whoever has the page open."""
    agent = request.headers.get("user-agent", "")
    address = None if request.client is None else request.client.host
    visitor = Visitor(is_phone=any(mark in agent for mark in _PHONES), address=address)
    if any(mark in agent for mark in _ON_A_DESK):
        return replace(visitor, is_phone=False)
    return replace(visitor, app=scanner_of(agent))
