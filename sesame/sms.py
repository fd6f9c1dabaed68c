"""The SMS gateways and their limits, from the settings: docs/sms.md."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from notifications.aliyun import AliyunAccount, AliyunSmsSender, read_texts
from notifications.sms import WebhookSmsSender
from notifications.sms_route import SmsByCountry
from notifications.twilio import STATUS_PATH, TwilioAccount, TwilioSmsSender
from parking.drivers.port import SmsSender
from parking.drivers.texting import CODES_PER_DAY_MAX, CODES_PER_HOUR_MAX, SmsPolicy, read_countries
from parking.kit.clock import SystemClock
from parking.kit.errors import InvalidInputError
from sesame.providers.variables import content, required
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
async def open_sms(settings: Settings) -> AsyncGenerator[SmsSender | None]:
    """Open the gateways for the length of the block; `None` where none is configured.

    Alibaba Cloud takes numbers in China, and all where it is alone.

    Raises:
        InvalidInputError: a setting is missing or of no use, or two gateways are set for the
            same numbers.
    """
    async with AsyncExitStack() as stack:
        webhook, twilio, aliyun = _webhook(settings), _twilio(settings), _aliyun(settings)
        for sender in (webhook, twilio, aliyun):
            if sender is not None:
                stack.push_async_callback(sender.aclose)
        if webhook is not None and twilio is not None:
            raise InvalidInputError("SESAME_TWILIO_ACCOUNT", "none beside SESAME_SMS_WEBHOOK_URL")
        elsewhere = webhook or twilio
        if aliyun is not None and elsewhere is not None:
            yield SmsByCountry(aliyun, elsewhere)
            return
        yield aliyun or elsewhere


def twilio_auth_token(settings: Settings) -> str | None:
    """Return what signs Twilio's callbacks; None where none are taken.

    Raises:
        InvalidInputError: the file cannot be read.
    """
    if settings.twilio_auth_token_file is None:
        return None
    return content("SESAME_TWILIO_AUTH_TOKEN_FILE", settings.twilio_auth_token_file)


def _webhook(settings: Settings) -> WebhookSmsSender | None:
    if not settings.sms_webhook_url:
        return None
    secret = settings.sms_webhook_secret or ""
    return WebhookSmsSender(settings.sms_webhook_url, secret, SystemClock())


def _twilio(settings: Settings) -> TwilioSmsSender | None:
    if not (settings.twilio_account or settings.twilio_secret_file or settings.twilio_sender):
        return None
    account = required("SESAME_TWILIO_ACCOUNT", settings.twilio_account)
    is_told = settings.twilio_auth_token_file is not None
    status_url = f"{settings.public_url.rstrip('/')}{STATUS_PATH}"
    return TwilioSmsSender(
        TwilioAccount(
            account=account,
            user=settings.twilio_key or account,
            secret=content("SESAME_TWILIO_SECRET_FILE", settings.twilio_secret_file),
            sender=required("SESAME_TWILIO_SENDER", settings.twilio_sender),
            status_url=status_url if is_told else None,
        ),
        url=settings.twilio_url,
    )


def _aliyun(settings: Settings) -> AliyunSmsSender | None:
    files = (settings.aliyun_key_secret_file, settings.aliyun_texts_file)
    if not settings.aliyun_key_id and files == (None, None):
        return None
    name = "SESAME_ALIYUN_TEXTS_FILE"
    try:
        texts = required(name, settings.aliyun_texts_file).read_bytes()
    except OSError as error:
        raise InvalidInputError(name, f"a readable file, {error.strerror}") from error
    account = AliyunAccount(
        key_id=required("SESAME_ALIYUN_KEY_ID", settings.aliyun_key_id),
        key_secret=content("SESAME_ALIYUN_KEY_SECRET_FILE", settings.aliyun_key_secret_file),
        texts=read_texts(texts, field=name),
    )
    return AliyunSmsSender(account, SystemClock(), url=settings.aliyun_url)
