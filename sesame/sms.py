"""The SMS gateway and its limits, from the settings: docs/sms-webhook.md."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from notifications.sms import WebhookSmsSender
from parking.drivers.texting import CODES_PER_DAY_MAX, CODES_PER_HOUR_MAX, SmsPolicy, read_countries
from parking.kit.clock import SystemClock
from sesame.settings import Settings


def sms_policy(settings: Settings) -> SmsPolicy:
    """Return where messages are sent to, and how many codes.

    Raises:
        InvalidInputError: SESAME_SMS_COUNTRIES names what is no country.
    """
    return SmsPolicy(
        countries=read_countries(settings.sms_countries, field="SESAME_SMS_COUNTRIES"),
        codes_per_hour_max=settings.sms_codes_per_hour_max or CODES_PER_HOUR_MAX,
        codes_per_day_max=settings.sms_codes_per_day_max or CODES_PER_DAY_MAX,
    )


@asynccontextmanager
async def open_sms(settings: Settings) -> AsyncGenerator[WebhookSmsSender | None]:
    """Open the gateway for the length of the block; `None` where none is configured."""
    if not settings.sms_webhook_url:
        yield None
        return
    secret = settings.sms_webhook_secret or ""
    sender = WebhookSmsSender(settings.sms_webhook_url, secret, SystemClock())
    try:
        yield sender
    finally:
        await sender.aclose()
