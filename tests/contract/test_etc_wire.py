"""The page docs/etc-wire.md is right, and the adapter believes nothing that breaks it."""

import base64
import json
import shutil
import subprocess
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parking.kit.clock import ManualClock
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.payments.port import (
    ANSWER_MISMATCH,
    NO_ANSWER,
    UNTRUSTED_ANSWER,
    AgreementStatus,
    ChargeOrder,
    ChargeResult,
    NoticeKind,
    NoticeRefusedError,
    OrderStatus,
    ProviderUnavailableError,
    SettlementKind,
    SettlementRow,
    StayDetails,
)
from parking.payments.providers.etc import EtcProvider
from parking.payments.providers.etc.settlement import parse_settlement
from parking.payments.providers.etc.signature import SCHEME
from parking.payments.signed_wire import SignedWireSettings, Stamp
from sesame.sandbox.etc.signing import SCHEME as STAND_IN
from tests.contract.etc_page import HEADER, Message, header, key_id, read_etc_page, signed_text
from tests.contract.http_server import listener, serving, url_of
from tests.factories.sent_orders import sent

PAGE = read_etc_page()
MERCHANT, PLATFORM = PAGE.keys["merchant"], PAGE.keys["platform"]
AT = datetime(2026, 11, 27, 8, tzinfo=UTC)
NUMBER = "0199c1a2b3c47d5e8f90a1b2c3d4e5f7"
PRICE = Money(1250, "CNY")
CHARGE = ChargeOrder(
    number=NUMBER,
    agreement_reference="ctr/7f3a",
    amount=PRICE,
    description="停车 Riverside, 2 h 10 min",
    deadline_s=2,
    instrument="OBU0A1B2C3D4E5F6",
    stay=StayDetails(
        number="0199c1a2b3c47d5e8f90a1b2c3d4e500",
        plate="京A12345",
        place_id=UUID(int=1),
        place_name="Riverside",
        entered_at=datetime(2026, 11, 27, 5, 50, tzinfo=UTC),
        left_at=AT,
        antenna="east-exit-1",
    ),
)
TAKEN = {
    "number": NUMBER,
    "status": "succeeded",
    "failure_code": None,
    "trade_number": "trd_51c0",
    "amount_minor": 1250,
    "currency": "CNY",
    "guaranteed": False,
}


def _provider(base_url: str = "https://etc.example") -> EtcProvider:
    settings = SignedWireSettings(
        base_url=base_url,
        merchant="parkside",
        merchant_key_pem=PAGE.pems["merchant"],
        platform_keys_pem=PAGE.public_pem("platform"),
    )
    return EtcProvider(settings, ManualClock(AT))


class TestPage:
    def test_shows_what_it_says(self) -> None:
        assert len(PAGE.exchanges) == 4
        assert len(PAGE.signed_texts()) == 9
        for request, answer in PAGE.exchanges:
            assert request.claims()["key"] == key_id(MERCHANT)
            assert answer.claims()["key"] == key_id(PLATFORM)

    def test_every_signature_is_reproduced(self) -> None:
        for name, signature, text in PAGE.signed_texts():
            assert base64.b64encode(PAGE.keys[name].sign(text)).decode() == signature

    @pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
    def test_openssl_agrees(self, tmp_path: Path) -> None:
        for name in PAGE.keys:
            (tmp_path / f"{name}.pem").write_text(PAGE.public_pem(name))
        for index, (name, signature, text) in enumerate(PAGE.signed_texts()):
            if index not in {0, 1, 8}:
                continue
            assert _openssl(tmp_path, name, base64.b64decode(signature), text) == 0
            assert _openssl(tmp_path, name, base64.b64decode(signature), text + b" ") == 1

    def test_the_adapter_signs_as_shown(self) -> None:
        key = SCHEME.load_private_key(PAGE.pems["merchant"])
        shown = [text for name, _, text in PAGE.signed_texts() if name == "merchant"]
        for (request, _), text in zip(PAGE.exchanges, shown, strict=True):
            written = SCHEME.write("parkside", key, text, Stamp(*request.stamp()))
            assert written == request.headers[SCHEME.request_header]

    def test_the_stand_in_accepts_what_is_shown(self) -> None:
        key = STAND_IN.load_merchant_key(PAGE.public_pem("merchant").encode())
        for request, _ in PAGE.exchanges:
            method, target, _ = request.start.split(" ")
            claim = STAND_IN.read_claim(request.headers[HEADER])
            assert (claim.merchant, claim.key) == ("parkside", key.key_id)
            STAND_IN.check_request(
                claim,
                key,
                method=method,
                target=target.encode(),
                body=request.body,
                now_s=AT.timestamp(),
            )

    def test_the_adapter_understands_the_notice_and_the_file(self) -> None:
        notice = _provider().verify_notices(PAGE.notice.headers, PAGE.notice.body)[0]
        rows = parse_settlement(PAGE.exchanges[3][1].body)

        assert (notice.notice_id, notice.kind) == ("ntc_3e11", NoticeKind.CHARGE_SUCCEEDED)
        assert notice.result == ChargeResult(
            number=NUMBER,
            status=OrderStatus.SUCCEEDED,
            provider_reference="trd_51c0",
            amount=PRICE,
        )
        assert rows[0] == SettlementRow(
            kind=SettlementKind.CHARGE,
            number=NUMBER,
            reference="trd_51c0",
            amount=PRICE,
            fee_minor=3,
            occurred_at=AT,
        )
        assert [(row.kind, row.amount) for row in rows[1:]] == [
            (SettlementKind.REFUND, Money(250, "CNY"))
        ]


def _openssl(folder: Path, name: str, signature: bytes, text: bytes) -> int:
    (folder / "signature").write_bytes(signature)
    (folder / "text").write_bytes(text)
    arguments = ["-pubin", "-inkey", f"{name}.pem", "-rawin", "-in", "text", "-sigfile"]
    done = subprocess.run(
        ["openssl", "pkeyutl", "-verify", *arguments, "signature"],  # noqa: S607 - wherever it is
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=20,
    )
    return done.returncode


Reply = Callable[[Message], Response]


@asynccontextmanager
async def _platform(reply: Reply) -> AsyncGenerator[EtcProvider]:
    """An acquirer that answers what a test wants, to requests that are signed as they were sent."""

    async def respond(request: Request) -> Response:
        target: bytes = request.scope["raw_path"]
        asked = Message(
            f"{request.method} {target.decode()} HTTP/1.1",
            {HEADER: request.headers[HEADER]},
            await request.body(),
        )
        text = signed_text("request", request.method, target.decode(), "parkside", *asked.stamp())
        signature = base64.b64decode(asked.claims()["signature"])
        MERCHANT.public_key().verify(signature, text + asked.body)
        return reply(asked)

    app = Starlette(routes=[Route("/{path:path}", respond, methods=["GET", "POST"])])
    listening = listener()
    with serving(app, listening):
        provider = _provider(url_of(listening))
        yield provider
        await provider.aclose()


def _signed(
    asked: Message,
    content: object,
    *,
    status: int = 200,
    at: datetime = AT,
    signed_status: int = 0,
    nonce: str = "",
) -> Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    stamp = (str(int(at.timestamp())), "0" * 32)
    lines = (str(signed_status or status), nonce or asked.claims()["nonce"], "parkside")
    text = signed_text("answer", *lines, *stamp) + body
    return Response(body, status, headers={HEADER: header(PLATFORM, stamp, text)})


def _changed(**fields: object) -> Reply:
    return lambda asked: _signed(asked, {**TAKEN, **fields})


UNBELIEVABLE: dict[str, tuple[Reply, str]] = {
    "unsigned": (lambda _: Response(json.dumps(TAKEN)), UNTRUSTED_ANSWER),
    "unsigned failure": (
        lambda _: Response(json.dumps({**TAKEN, "status": "failed"})),
        UNTRUSTED_ANSWER,
    ),
    "a proxy's error page": (lambda _: Response("<html>", 502), UNTRUSTED_ANSWER),
    "redirect": (
        lambda _: Response(status_code=302, headers={"Location": "http://127.0.0.1:1/"}),
        UNTRUSTED_ANSWER,
    ),
    "the request's own header": (
        lambda asked: Response(json.dumps(TAKEN), headers=asked.headers),
        UNTRUSTED_ANSWER,
    ),
    "for another question": (lambda asked: _signed(asked, TAKEN, nonce="f" * 32), UNTRUSTED_ANSWER),
    "for another status": (
        lambda asked: _signed(asked, TAKEN, signed_status=201),
        UNTRUSTED_ANSWER,
    ),
    "stale": (
        lambda asked: _signed(asked, TAKEN, at=datetime(2026, 11, 27, 7, 54, 59, tzinfo=UTC)),
        UNTRUSTED_ANSWER,
    ),
    "too long": (lambda asked: _signed(asked, {**TAKEN, "pad": "x" * 70_000}), UNTRUSTED_ANSWER),
    "another number": (_changed(number="T1"), ANSWER_MISMATCH),
    "another amount": (_changed(amount_minor=1), ANSWER_MISMATCH),
    "another currency": (_changed(currency="EUR"), ANSWER_MISMATCH),
    "no amount": (_changed(amount_minor=None, currency=None), ANSWER_MISMATCH),
    "an amount that is text": (_changed(amount_minor="1250"), ANSWER_MISMATCH),
    "a status nobody knows": (_changed(status="paid"), ANSWER_MISMATCH),
    "an error": (
        lambda asked: _signed(asked, {"code": "invalid_request"}, status=400),
        "invalid_request",
    ),
    "not found by another status": (
        lambda asked: _signed(asked, {"code": "not_found"}, status=503),
        "not_found",
    ),
}


class TestAdapter:
    @pytest.mark.parametrize("case", UNBELIEVABLE)
    async def test_an_unbelievable_answer_is_unknown(self, case: str) -> None:
        reply, failure_code = UNBELIEVABLE[case]
        async with _platform(reply) as provider:
            charged = await provider.charge(CHARGE)
            queried = await provider.query(sent(NUMBER, PRICE))

        expected = ChargeResult(
            number=NUMBER, status=OrderStatus.UNKNOWN, failure_code=failure_code
        )
        assert charged == queried == expected

    async def test_a_refused_connection_is_unknown(self) -> None:
        provider = _provider("http://127.0.0.1:1")

        result = await provider.charge(CHARGE)

        assert (result.status, result.failure_code) == (OrderStatus.UNKNOWN, NO_ANSWER)
        await provider.aclose()

    async def test_another_cars_contract_is_unknown(self) -> None:
        contract = {"reference": "ctr/7f3a", "status": "active", "plate": "京B99999"}
        async with _platform(lambda asked: _signed(asked, contract)) as provider:
            other = await provider.query_agreement("ctr/7f3a", plate="京A12345")
            own = await provider.query_agreement("ctr/7f3a", plate="京B99999")

        assert other.status is AgreementStatus.UNKNOWN
        assert own.status is AgreementStatus.ACTIVE

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"end,0\n",
            PAGE.exchanges[3][1].body.removesuffix(b"end,2\n"),
            PAGE.exchanges[3][1].body.replace(b"end,2", b"end,3"),
            PAGE.exchanges[3][1].body.replace(b"1250", b"-1250"),
            PAGE.exchanges[3][1].body.replace(b"1250", b"12.50"),
            PAGE.exchanges[3][1].body.replace(b"correction,", b"gift,"),
            PAGE.exchanges[3][1].body.replace(b"T08:00:00Z", b"T08:00:00"),
            b"\xff",
        ],
    )
    async def test_a_file_is_taken_whole_or_not_at_all(self, content: bytes) -> None:
        async with _platform(lambda asked: _signed(asked, content)) as provider:
            with pytest.raises(ProviderUnavailableError):
                await provider.fetch_settlement(date(2026, 11, 27))

    @pytest.mark.parametrize(
        "change",
        [
            {"type": "deduction.failed"},
            {"type": "correction.succeeded"},
            {"type": "contract.signed"},
            {"type": "charge.succeeded"},
            {"id": ""},
            {"occurred_at": "2026-11-27T08:00:00"},
            {"data": {**TAKEN, "amount_minor": "1250"}},
            {"data": None},
        ],
    )
    def test_a_signed_notice_must_also_make_sense(self, change: dict[str, object]) -> None:
        body = json.dumps({**json.loads(PAGE.notice.body), **change}).encode()
        stamp = (str(int(AT.timestamp())), "1" * 32)
        text = signed_text("notice", "parkside", *stamp) + body

        with pytest.raises(NoticeRefusedError) as caught:
            _provider().verify_notices({HEADER: header(PLATFORM, stamp, text)}, body)

        assert caught.value.reason == "body"

    @pytest.mark.parametrize(
        "text",
        [
            signed_text("answer", "200", "a" * 32, "parkside", "1795766400", "1" * 32) + b"{}",
            signed_text("notice", "another", "1795766400", "1" * 32) + b"{}",
        ],
        ids=["an answer", "another merchant's notice"],
    )
    def test_no_other_signature_passes_for_a_notice(self, text: bytes) -> None:
        stamp = ("1795766400", "1" * 32)

        with pytest.raises(NoticeRefusedError) as caught:
            _provider().verify_notices({HEADER: header(PLATFORM, stamp, text)}, b"{}")

        assert caught.value.reason == "signature"

    @pytest.mark.parametrize("field", ["base_url", "merchant_key", "platform_keys"])
    def test_a_setting_of_no_use_is_named(self, field: str) -> None:
        wrong = {
            "base_url": "http://etc.example",
            "merchant_key": PAGE.public_pem("merchant"),
            "platform_keys": "no key",
        }
        given = {field: wrong[field]}

        with pytest.raises(InvalidInputError) as caught:
            EtcProvider(
                SignedWireSettings(
                    base_url=given.get("base_url", "https://etc.example"),
                    merchant="parkside",
                    merchant_key_pem=given.get("merchant_key", PAGE.pems["merchant"]),
                    platform_keys_pem=given.get("platform_keys", PAGE.public_pem("platform")),
                ),
                ManualClock(AT),
            )

        assert caught.value.field == field
