"""Web Push, from the settings SESAME_VAPID_KEY_FILE and SESAME_VAPID_CONTACT."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from notifications.web_push import WebPushSender
from parking.drivers.web_push import (
    WebPushTerms,
    encode,
    public_bytes,
    read_services,
    read_vapid_key,
)
from parking.kit.clock import SystemClock
from sesame.providers.variables import content, required
from sesame.settings import Settings

_KEY: Final = "SESAME_VAPID_KEY_FILE"
_HOSTS: Final = "SESAME_WEB_PUSH_HOSTS"


def web_push_terms(settings: Settings) -> WebPushTerms | None:
    """Return what browsers subscribe with; None where nothing is pushed to them.

    Raises:
        InvalidInputError: the key or a host is none.
    """
    key = _key(settings)
    if key is None:
        return None
    services = read_services(settings.web_push_hosts, field=_HOSTS)
    return WebPushTerms(encode(public_bytes(key.public_key())), services)


@asynccontextmanager
async def open_web_push(settings: Settings) -> AsyncGenerator[WebPushSender | None]:
    """Open the connections for the length of the block; None where nothing is pushed.

    Raises:
        InvalidInputError: the key, the contact or a host is of no use.
    """
    key = _key(settings)
    if key is None:
        yield None
        return
    contact = required("SESAME_VAPID_CONTACT", settings.vapid_contact)
    services = read_services(settings.web_push_hosts, field=_HOSTS)
    sender = WebPushSender(key, contact, services, SystemClock())
    try:
        yield sender
    finally:
        await sender.aclose()


def _key(settings: Settings) -> EllipticCurvePrivateKey | None:
    if settings.vapid_key_file is None:
        return None
    return read_vapid_key(content(_KEY, settings.vapid_key_file).encode(), field=_KEY)
