"""Who pays inside WeChat: the official account's web authorization (OAuth, snsapi_base).

It is another service of WeChat's than the payments: its answers are not signed, and the account's
secret goes with the question. TLS is the proof, and no address of a call is ever logged.
"""

import asyncio
from typing import Annotated, Final
from urllib.parse import urlencode

import httpx
import structlog
from pydantic import Field, ValidationError

from parking.kit.outbound import open_connections, read_bounded
from parking.payments.port import NO_ANSWER, ProviderRefusedError, ProviderUnavailableError
from parking.payments.providers.wechat.answers import Answer
from parking.payments.providers.wechat.settings import OfficialAccount

ANSWER_BYTES_MAX: Final = 16 * 1024
HTTP_OK: Final = 200
CODE_REFUSED: Final = "code_refused"
NO_ACCOUNT: Final = "no_official_account"
# Invalid, missing, expired and used codes: another visit to WeChat's page brings a better one.
_BAD_CODES = {40029, 41008, 42003, 40163}

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class _TokenAnswer(Answer):
    errcode: int = 0
    openid: Annotated[str | None, Field(pattern=r"^[0-9A-Za-z_-]{1,128}$")] = None


class Payers:
    """Asks the official account's side of WeChat."""

    def __init__(self, account: OfficialAccount | None, *, timeout_s: float) -> None:
        self._known = account
        self._timeout_s = timeout_s
        self._client = open_connections()

    @property
    def _account(self) -> OfficialAccount:
        if self._known is None:
            raise ProviderRefusedError(NO_ACCOUNT)
        return self._known

    def page(self, return_url: str, state: str) -> str:
        """Return WeChat's address; it takes the parameters in this order only."""
        query = urlencode(
            {
                "appid": self._account.app,
                "redirect_uri": return_url,
                "response_type": "code",
                "scope": "snsapi_base",
                "state": state,
            }
        )
        base = self._account.page_url.rstrip("/")
        return f"{base}/connect/oauth2/authorize?{query}#wechat_redirect"

    async def find(self, code: str) -> str:
        """Return the openid; see `PayerFinder.find_payer`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                content = await self._ask(code)
            answer = _TokenAnswer.model_validate_json(content)
        except (TimeoutError, httpx.HTTPError, ValidationError) as error:
            # Of the error only its kind: it may say the address, which has the secret.
            _log.warning("wechat_payer_unknown", cause=type(error).__name__)
            raise ProviderUnavailableError(NO_ANSWER) from None
        if answer.openid is not None and not answer.errcode:
            return answer.openid
        _log.warning("wechat_payer_unknown", code=answer.errcode)
        if answer.errcode in _BAD_CODES:
            raise ProviderRefusedError(CODE_REFUSED)
        raise ProviderUnavailableError(f"errcode_{answer.errcode}")

    async def aclose(self) -> None:
        """Give back the connections."""
        await self._client.aclose()

    async def _ask(self, code: str) -> bytes:
        query = {
            "appid": self._account.app,
            "secret": self._account.secret,
            "code": code,
            "grant_type": "authorization_code",
        }
        url = f"{self._account.api_url.rstrip('/')}/sns/oauth2/access_token"
        request = self._client.build_request("GET", url, params=query)
        response = await self._client.send(request, stream=True)
        content = await read_bounded(response, ANSWER_BYTES_MAX)
        if response.status_code != HTTP_OK:
            raise httpx.RequestError("status")
        return content
