"""The calls that lead to a day's trade bill."""

import hashlib
import secrets
from collections import OrderedDict
from datetime import date

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sesame.sandbox.platform import Json, Operation, Turn, settlement_lines
from sesame.sandbox.wechat.bill import FEE_BASIS_POINTS, bill_text, day_ms
from sesame.sandbox.wechat.errors import ApiError
from sesame.sandbox.wechat.gate import Endpoint, Gate, unsigned
from sesame.sandbox.wechat.merchants import Merchant
from sesame.sandbox.wechat.signing import CallRefusedError

BILLS_MAX = 16


class BillCalls:
    """First the file's address and hash, then the file."""

    def __init__(self, merchant: Merchant, gate: Gate) -> None:
        self._merchant = merchant
        self._platform = merchant.platform
        self._gate = gate
        self._bills: OrderedDict[str, bytes] = OrderedDict()

    def routes(self) -> list[Route]:
        """Return the routes."""
        bill = Endpoint(Operation.SETTLEMENT, None, self._bill)
        return [
            self._gate.route("/v3/bill/tradebill", get=bill),
            Route("/v3/billdownload/file", self._download, methods=["GET"]),
        ]

    def _bill(self, request: Request, _asked: Json, _turn: Turn) -> Json:
        self._merchant.require_sub_merchant(request.query_params.get("sub_mchid"))
        try:
            day = date.fromisoformat(request.query_params.get("bill_date", ""))
        except ValueError as error:
            raise ApiError(400, "PARAM_ERROR", "bill_date: expected yyyy-MM-dd") from error
        start_ms, end_ms = day_ms(day)
        if end_ms > self._platform.now_ms() and not self._platform.is_day_closed:
            raise ApiError(400, "STATEMENT_CREATING", "the bill is being made")
        lines = settlement_lines(
            self._platform.store,
            start_ms,
            end_ms,
            differences=self._platform.script.take_differences(),
            fee_basis_points=FEE_BASIS_POINTS,
        )
        if not lines:
            raise ApiError(400, "NO_STATEMENT_EXIST", "there is no bill of that day")
        names = (self._merchant.merchant, self._merchant.sub_merchant)
        content = bill_text(lines, merchant=names[0], sub_merchant=names[1]).encode()
        token = secrets.token_urlsafe(24)
        self._bills[token] = content
        if len(self._bills) > BILLS_MAX:
            self._bills.popitem(last=False)
        return {
            "hash_type": "SHA1",
            "hash_value": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
            "download_url": f"{self._platform.public_url}/v3/billdownload/file?token={token}",
        }

    async def _download(self, request: Request) -> Response:
        try:
            await self._gate.authenticated(request)
        except CallRefusedError as error:
            return unsigned(ApiError(401, "SIGN_ERROR", str(error)))
        content = self._bills.get(request.query_params.get("token", ""))
        if content is None:
            return unsigned(ApiError(400, "INVALID_REQUEST", "ask for the bill again"))
        # WeChat Pay does not sign files: their hash was signed before.
        return Response(content, media_type="text/plain")
