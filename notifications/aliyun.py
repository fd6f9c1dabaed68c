"""Text messages through Alibaba Cloud's Short Message Service (dysmsapi, version 2017-05-25).

It sends only texts that it has approved: each of our messages, in each language, has a template
code and a signature there, and the names that the text is filled with.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from notifications.acs3 import authorization, query_of
from notifications.sms_connection import SmsConnection
from parking.drivers.port import (
    SmsMessage,
    SmsNotSentError,
    SmsRefusedError,
    SmsUnansweredError,
)
from parking.kit.clock import Clock
from parking.kit.errors import InvalidInputError

API_URL: Final = "https://dysmsapi.aliyuncs.com"
VERSION: Final = "2017-05-25"
ACTION: Final = "SendSms"
DEFAULT_LANGUAGE: Final = "en"
VALUE_LENGTH_MAX: Final = 35
TEMPLATES_BYTES_MAX: Final = 64 * 1024
_TOO_MANY: Final = 429
_SERVER_FAULT: Final = 500
_EMPTY_BODY: Final = hashlib.sha256(b"").hexdigest()
_CHINA: Final = "+86"
# What passes: limits of a number's minute and hour, systems that are busy, a balance to fill up.
_PASSING: Final = frozenset(
    {
        "isv.BUSINESS_LIMIT_CONTROL",
        "isv.AMOUNT_NOT_ENOUGH",
        "isv.OUT_OF_SERVICE",
        "isv.SYSTEM_ERROR",
        "isp.SYSTEM_ERROR",
        "isp.GATEWAY_VERIFY_FAILED",
        "InternalError",
        "ServiceUnavailable",
    }
)
_THROTTLED: Final = "Throttling"


class AliyunText(BaseModel):
    """One approved text: `parameters` names, in our words, what it is filled with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    template_code: Annotated[str, Field(min_length=1, max_length=40)]
    sign_name: Annotated[str, Field(min_length=1, max_length=40)]
    parameters: Annotated[tuple[str, ...], Field(max_length=20)] = ()


class AliyunTexts(RootModel[dict[str, dict[str, AliyunText]]]):
    """By template, then by language."""

    def find(self, template: str, language: str) -> AliyunText | None:
        """Return the text in a language, or else in English."""
        by_language = self.root.get(template, {})
        return by_language.get(language) or by_language.get(DEFAULT_LANGUAGE)


@dataclass(frozen=True, slots=True)
class AliyunAccount:
    """How to reach the service."""

    key_id: str
    key_secret: str = field(repr=False)
    texts: AliyunTexts


class AliyunSmsSender:
    """Sends each message once; the service has no key of idempotence.

    Args:
        account: Who sends, and which texts.
        clock: For the time under the signature.
        url: Of the service, or of a stand-in.
        draw_nonce: Returns what makes each request another.
    """

    def __init__(
        self,
        account: AliyunAccount,
        clock: Clock,
        *,
        url: str = API_URL,
        draw_nonce: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._account = account
        self._clock = clock
        self._draw_nonce = draw_nonce
        self._connection = SmsConnection(url, "SESAME_ALIYUN_URL")

    async def send(self, message: SmsMessage) -> None:
        """Hand one message over.

        Raises:
            SmsNotSentError: not now.
            SmsRefusedError: never: no text was approved, or the number or the account is at fault.
        """
        text = self._account.texts.find(message.template, message.language)
        if text is None:
            raise SmsRefusedError(f"message {message.id}: no text for {message.template}")
        query = query_of(_parameters(message, text))
        status, answer = await self._connection.post(
            f"{self._connection.url}/?{query}",
            named=str(message.id),
            headers=self._headers(query),
            content=b"",
        )
        if status // 100 != 2 or answer.get("Code") != "OK":  # noqa: PLR2004 - a success's class
            raise _failure(message, status, answer)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connection.aclose()

    def _headers(self, query: str) -> Mapping[str, str]:
        headers = {
            "host": urlsplit(self._connection.url).netloc,
            "x-acs-action": ACTION,
            "x-acs-content-sha256": _EMPTY_BODY,
            "x-acs-date": f"{self._clock.now():%Y-%m-%dT%H:%M:%SZ}",
            "x-acs-signature-nonce": self._draw_nonce(),
            "x-acs-version": VERSION,
        }
        account = self._account
        signed = authorization(account.key_id, account.key_secret, query=query, headers=headers)
        return {**headers, "Authorization": signed, "Accept": "application/json"}


def read_texts(content: bytes, *, field: str) -> AliyunTexts:
    """Return the approved texts of a file: `{"payment_charged": {"zh": {"template_code": …}}}`.

    Raises:
        InvalidInputError: it is something else.
    """
    if len(content) > TEMPLATES_BYTES_MAX:
        raise InvalidInputError(field, f"a file of at most {TEMPLATES_BYTES_MAX} bytes")
    try:
        return AliyunTexts.model_validate_json(content)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        expected = "template codes and sign names by template and language; docs/sms.md"
        raise InvalidInputError(field, f"{expected}; not so at {where!r}") from error


def _parameters(message: SmsMessage, text: AliyunText) -> dict[str, str]:
    values = {name: message.values.get(name, "")[:VALUE_LENGTH_MAX] for name in text.parameters}
    parameters = {
        "OutId": str(message.id),
        "PhoneNumbers": message.phone_number.removeprefix(_CHINA).removeprefix("+"),
        "SignName": text.sign_name,
        "TemplateCode": text.template_code,
    }
    if values:
        parameters["TemplateParam"] = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return parameters


def _failure(message: SmsMessage, status: int, answer: dict[str, Any]) -> SmsNotSentError:
    code = answer.get("Code")
    name = (
        code if isinstance(code, str) and code.replace(".", "").replace("_", "").isalnum() else ""
    )
    told = f"message {message.id}: status {status}, code {name[:80]}"
    if status // 100 == 2 and not name:  # noqa: PLR2004 - a success's class
        return SmsUnansweredError(told)
    is_passing = name in _PASSING or name.startswith(_THROTTLED)
    if status == _TOO_MANY or status >= _SERVER_FAULT or is_passing or not name:
        return SmsNotSentError(told)
    return SmsRefusedError(told)
