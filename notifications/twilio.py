"""Text messages through Twilio's REST API, and what it says of them later."""

import base64
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from notifications.sms_connection import SmsConnection
from parking.drivers.port import SmsMessage, SmsNotSentError, SmsRefusedError

API_URL: Final = "https://api.twilio.com"
STATUS_PATH: Final = "/callbacks/twilio/status"
_SERVICE_PREFIX: Final = "MG"
_TOO_MANY: Final = 429
_SERVER_FAULT: Final = 500
# Twilio's codes for what passes: queues that are full, and rates that are exceeded.
_PASSING: Final = frozenset({14107, 20429, 30001, 30022, 63017, 63018})


@dataclass(frozen=True, slots=True)
class TwilioAccount:
    """How to reach Twilio.

    Attributes:
        account: The account's SID.
        user: The SID of an API key, or of the account itself.
        secret: The API key's secret, or the account's auth token.
        sender: A number (E.164), or the SID of a messaging service.
        status_url: Where Twilio tells what became of a message; None for nowhere.
    """

    account: str
    user: str
    secret: str = field(repr=False)
    sender: str
    status_url: str | None = None


class TwilioSmsSender:
    """Sends each message once; whoever repeats it is told apart by Twilio only.

    Twilio has no key of idempotence: a repetition after an answer that was lost comes twice.

    Args:
        account: Who sends.
        url: Of Twilio, or of a stand-in.
    """

    def __init__(self, account: TwilioAccount, *, url: str = API_URL) -> None:
        self._account = account
        self._connection = SmsConnection(url, "SESAME_TWILIO_URL")
        token = base64.b64encode(f"{account.user}:{account.secret}".encode()).decode()
        self._headers = {
            "Accept": "application/json",
            "Authorization": f"Basic {token}",
            "Content-Type": "application/x-www-form-urlencoded",
        }

    async def send(self, message: SmsMessage) -> None:
        """Hand one message over.

        Raises:
            SmsNotSentError: not now.
            SmsRefusedError: never: the number, the sender or the account is at fault.
        """
        url = f"{self._connection.url}/2010-04-01/Accounts/{self._account.account}/Messages.json"
        status, answer = await self._connection.post(
            url,
            named=str(message.id),
            headers=self._headers,
            content=urlencode(_form(self._account, message)).encode(),
        )
        if status // 100 != 2 or answer.get("error_code"):  # noqa: PLR2004 - a success's class
            raise _failure(message, status, answer)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connection.aclose()


def _form(account: TwilioAccount, message: SmsMessage) -> dict[str, str]:
    form = {"To": message.phone_number}
    if account.status_url is not None and message.driver_id is not None:
        query = urlencode({"driver": str(message.driver_id), "delivery": str(message.id)})
        form["StatusCallback"] = f"{account.status_url}?{query}"
    is_service = account.sender.startswith(_SERVICE_PREFIX)
    form["MessagingServiceSid" if is_service else "From"] = account.sender
    form["Body"] = message.text
    return form


def _failure(message: SmsMessage, status: int, answer: dict[str, Any]) -> SmsNotSentError:
    code = answer.get("error_code") or answer.get("code")
    told = f"message {message.id}: status {status}, code {code if type(code) is int else None}"
    if status == _TOO_MANY or status >= _SERVER_FAULT or code in _PASSING:
        return SmsNotSentError(told)
    return SmsRefusedError(told)
