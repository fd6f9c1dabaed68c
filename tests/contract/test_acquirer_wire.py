"""The page docs/acquirer-wire.md is right, and the adapter keeps to it against any platform."""

import asyncio
import base64
import json
import re
import shutil
import subprocess
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

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
    CheckoutOrder,
    NoticeKind,
    NoticeRefusedError,
    OrderStatus,
    ProviderUnavailableError,
)
from parking.payments.providers.acquirer import AcquirerProvider
from parking.payments.providers.acquirer.signature import SCHEME
from parking.payments.signed_wire import SignedWireSettings, Stamp
from sesame.sandbox.acquirer.signing import SCHEME as STAND_IN
from tests.contract.wire_page import Message, header, key_id, read_page, signed_text
from tests.factories.sent_orders import sent

PAGE = read_page()
MERCHANT, PLATFORM = PAGE.keys["merchant"], PAGE.keys["platform"]
AT = datetime(2026, 11, 27, 8, tzinfo=UTC)
NUMBER = "0199c1a2b3c47d5e8f90a1b2c3d4e5f7"
PRICE = Money(1250, "CNY")
ORDER = {
    "number": NUMBER,
    "kind": "charge",
    "status": "succeeded",
    "guaranteed": False,
    "failure_code": None,
    "reference": "txn_51c0",
    "amount_minor": 1250,
    "currency": "CNY",
}
CHARGE = ChargeOrder(
    number=NUMBER,
    agreement_reference="agr/7f3a",
    amount=PRICE,
    description="停车 Riverside, 2 h 10 min",
    deadline_s=2,
)


def _public_pem(name: str) -> str:
    key = PAGE.keys[name].public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _settings(base_url: str = "https://acquirer.example") -> SignedWireSettings:
    return SignedWireSettings(
        base_url=base_url,
        merchant="parkside",
        merchant_key_pem=PAGE.pems["merchant"],
        platform_keys_pem=_public_pem("platform"),
    )


def _provider(base_url: str = "https://acquirer.example") -> AcquirerProvider:
    return AcquirerProvider(_settings(base_url), ManualClock(AT))


def _request_text(request: Message) -> bytes:
    method, target, _ = request.start.split(" ")
    fields = request.signature()
    return signed_text(
        "request", method, target, fields["timestamp"], fields["nonce"], body=request.body
    )


def _answer_text(request: Message, answer: Message) -> bytes:
    fields = answer.signature()
    status, asked = answer.start.split(" ")[1], request.signature()["nonce"]
    return signed_text(
        "answer", status, asked, fields["timestamp"], fields["nonce"], body=answer.body
    )


def _notice_text(notice: Message) -> bytes:
    fields = notice.signature()
    return signed_text("notice", "parkside", fields["timestamp"], fields["nonce"], body=notice.body)


def _signed_texts() -> list[tuple[str, str, bytes]]:
    """Every signature of the page: whose, the base64, over what."""
    texts: list[tuple[str, str, bytes]] = []
    for request, answer in PAGE.exchanges:
        texts.append(("merchant", request.signature()["signature"], _request_text(request)))
        texts.append(("platform", answer.signature()["signature"], _answer_text(request, answer)))
    notice = PAGE.notice
    return [*texts, ("platform", notice.signature()["signature"], _notice_text(notice))]


class TestPage:
    def test_shows_what_it_says(self) -> None:
        assert len(PAGE.exchanges) == 7
        assert len(_signed_texts()) == 15
        for request, answer in PAGE.exchanges:
            assert request.signature()["key"] == key_id(MERCHANT)
            assert answer.signature()["key"] == key_id(PLATFORM)
            json.loads(answer.body)

    def test_every_signature_is_reproduced(self) -> None:
        for request, answer in PAGE.exchanges:
            fields = request.signature()
            stamp = (fields["timestamp"], fields["nonce"])
            text = _request_text(request)
            assert header(MERCHANT, "parkside", stamp, text) == request.headers["Authorization"]
            fields = answer.signature()
            stamp = (fields["timestamp"], fields["nonce"])
            text = _answer_text(request, answer)
            assert header(PLATFORM, "parkside", stamp, text) == answer.headers["Sesame-Signature"]

    @pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
    def test_openssl_agrees(self, tmp_path: Path) -> None:
        for name in PAGE.keys:
            (tmp_path / f"{name}.pem").write_text(_public_pem(name))
        for index, (name, signature, text) in enumerate(_signed_texts()):
            if index not in {0, 1, 14}:
                continue
            (tmp_path / "signature").write_bytes(base64.b64decode(signature))
            (tmp_path / "text").write_bytes(text)
            arguments = ["-verify", f"{name}.pem", "-signature", "signature", "text"]
            done = subprocess.run(
                ["openssl", "dgst", "-sha256", *arguments],  # noqa: S607 - wherever it is
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
                timeout=20,
            )
            assert done.stdout == "Verified OK\n"

    def test_the_adapter_signs_as_shown(self) -> None:
        key = SCHEME.load_private_key(PAGE.pems["merchant"])
        for request, _ in PAGE.exchanges:
            method, target, _ = request.start.split(" ")
            fields = request.signature()
            stamp = Stamp(fields["timestamp"], fields["nonce"])
            text = SCHEME.text("request", method, target, stamp=stamp, body=request.body)
            written = SCHEME.write("parkside", key, text, stamp)
            assert written == request.headers["Authorization"]

    def test_the_stand_in_accepts_what_is_shown(self) -> None:
        key = STAND_IN.load_merchant_key(_public_pem("merchant").encode())
        for request, _ in PAGE.exchanges:
            method, target, _ = request.start.split(" ")
            claim = STAND_IN.read_claim(request.headers["Authorization"])
            assert (claim.merchant, claim.key) == ("parkside", key.key_id)
            STAND_IN.check_request(
                claim,
                key,
                method=method,
                target=target.encode(),
                body=request.body,
                now_s=AT.timestamp(),
            )

    async def test_the_adapter_understands_the_notice(self) -> None:
        notice = _provider().verify_notices(PAGE.notice.headers, PAGE.notice.body)[0]

        assert notice.notice_id == "ntc_3e11"
        assert notice.kind is NoticeKind.CHARGE_SUCCEEDED
        assert notice.occurred_at == AT
        assert notice.result == ChargeResult(
            number=NUMBER,
            status=OrderStatus.SUCCEEDED,
            provider_reference="txn_51c0",
            amount=PRICE,
        )


Reply = Callable[[str, bytes], bytes]


@asynccontextmanager
async def _platform(reply: Reply) -> AsyncGenerator[tuple[AcquirerProvider, list[str]]]:
    """A platform that answers what a test wants; yields the request lines that it has seen."""
    seen: list[str] = []
    calls: list[asyncio.Event] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lengths = re.findall(r"(?i)^content-length: (\d+)\r$", head, re.MULTILINE)
        body = await reader.readexactly(int(lengths[0])) if lengths else b""
        start, *lines = head.split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if line)
        request = Message(start, headers, body)
        # Raises, and so answers nothing, unless the signature covers what was really sent.
        signature = base64.b64decode(request.signature()["signature"])
        text = _request_text(request)
        MERCHANT.public_key().verify(signature, text, PKCS1v15(), SHA256())
        seen.append(start)
        writer.write(reply(request.signature()["nonce"], head.encode()))

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        finished = asyncio.Event()
        calls.append(finished)
        try:
            await serve(reader, writer)
        finally:
            await _hang_up(writer)
            finished.set()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        provider = _provider(f"http://127.0.0.1:{port}")
        yield provider, seen
        await provider.aclose()
        for finished in calls:
            await finished.wait()


async def _hung_up(reader: asyncio.StreamReader) -> bool:
    """Wait a moment, and return whether the other side closed or reset the connection."""
    try:
        async with asyncio.timeout(0.02):
            return not await reader.read(4096)
    except TimeoutError:
        return False
    except ConnectionError:
        return True


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    # The other side may have hung up first.
    with suppress(ConnectionError):
        await writer.wait_closed()


def _http(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _signed(
    nonce: str, content: object, *, status: int = 200, at: datetime = AT, signed_status: int = 0
) -> bytes:
    body = json.dumps(content).encode()
    stamp = (str(int(at.timestamp())), "0" * 32)
    text = signed_text("answer", str(signed_status or status), nonce, *stamp, body=body)
    return _http(status, body, f"Sesame-Signature: {header(PLATFORM, 'parkside', stamp, text)}")


def _changed(**fields: object) -> Reply:
    return lambda nonce, _: _signed(nonce, {**ORDER, **fields})


UNBELIEVABLE: dict[str, tuple[Reply, str]] = {
    "not HTTP": (lambda _n, _h: b"hello\r\n\r\n", NO_ANSWER),
    "nothing": (lambda _n, _h: b"", NO_ANSWER),
    "cut off": (
        lambda n, _h: _signed(n, ORDER)[:-1],
        NO_ANSWER,
    ),
    "unsigned": (lambda _n, _h: _http(200, json.dumps(ORDER).encode()), UNTRUSTED_ANSWER),
    "unsigned failure": (
        lambda _n, _h: _http(200, json.dumps({**ORDER, "status": "failed"}).encode()),
        UNTRUSTED_ANSWER,
    ),
    "redirect": (
        lambda _n, _h: _http(302, b"", "Location: http://127.0.0.1:1/"),
        UNTRUSTED_ANSWER,
    ),
    "a proxy's error page": (lambda _n, _h: _http(502, b"<html>"), UNTRUSTED_ANSWER),
    "the request's own header": (
        lambda _n, h: _http(
            200,
            json.dumps(ORDER).encode(),
            "Sesame-Signature: " + h.decode().split("Authorization: ")[1].split("\r\n")[0],
        ),
        UNTRUSTED_ANSWER,
    ),
    "for another question": (lambda _n, _h: _signed("f" * 32, ORDER), UNTRUSTED_ANSWER),
    "for another status": (
        lambda n, _h: _signed(n, ORDER, signed_status=201),
        UNTRUSTED_ANSWER,
    ),
    "stale": (
        lambda n, _h: _signed(n, ORDER, at=datetime(2026, 11, 27, 7, 54, 59, tzinfo=UTC)),
        UNTRUSTED_ANSWER,
    ),
    "too long": (lambda n, _h: _signed(n, {**ORDER, "pad": "x" * 70_000}), UNTRUSTED_ANSWER),
    "another number": (_changed(number="T1"), ANSWER_MISMATCH),
    "another amount": (_changed(amount_minor=1), ANSWER_MISMATCH),
    "another currency": (_changed(currency="EUR"), ANSWER_MISMATCH),
    "no amount": (_changed(amount_minor=None, currency=None), ANSWER_MISMATCH),
    "an amount that is text": (_changed(amount_minor="1250"), ANSWER_MISMATCH),
    "an amount with a fraction": (_changed(amount_minor=1250.0), ANSWER_MISMATCH),
    "a status nobody knows": (_changed(status="paid"), ANSWER_MISMATCH),
    "a list": (lambda n, _h: _signed(n, [ORDER]), ANSWER_MISMATCH),
    "an error without a code": (lambda n, _h: _signed(n, {}, status=400), ANSWER_MISMATCH),
    "an error": (
        lambda n, _h: _signed(n, {"code": "invalid_request"}, status=400),
        "invalid_request",
    ),
    "not found by another status": (
        lambda n, _h: _signed(n, {"code": "not_found"}, status=503),
        "not_found",
    ),
}


class TestAdapter:
    @pytest.mark.parametrize("case", UNBELIEVABLE)
    async def test_an_unbelievable_answer_is_unknown(self, case: str) -> None:
        reply, failure_code = UNBELIEVABLE[case]
        async with _platform(reply) as (provider, _):
            charged = await provider.charge(CHARGE)
            queried = await provider.query(sent(NUMBER, PRICE))

        expected = ChargeResult(
            number=NUMBER, status=OrderStatus.UNKNOWN, failure_code=failure_code
        )
        assert charged == queried == expected

    async def test_a_refused_connection_is_unknown(self) -> None:
        async with _platform(lambda _n, _h: b"") as (provider, _):
            pass
        provider = _provider("http://127.0.0.1:1")

        result = await provider.charge(CHARGE)

        assert (result.status, result.failure_code) == (OrderStatus.UNKNOWN, NO_ANSWER)
        await provider.aclose()

    async def test_fields_of_a_later_version_do_no_harm(self) -> None:
        async with _platform(_changed(tip_minor=100)) as (provider, _):
            assert (await provider.charge(CHARGE)).status is OrderStatus.SUCCEEDED

    async def test_the_deadline_covers_the_whole_answer(self) -> None:
        # Every byte is early enough for a timeout that starts again with each.
        finished = asyncio.Event()
        bytes_sent = 0

        async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            nonlocal bytes_sent
            while bytes_sent < 200 and not await _hung_up(reader):
                writer.write(b" ")
                bytes_sent += 1
            await _hang_up(writer)
            finished.set()

        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        provider = _provider(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")

        result = await provider.charge(replace(CHARGE, deadline_s=0.5))
        if bytes_sent:
            await finished.wait()

        assert bytes_sent < 200
        assert (result.status, result.failure_code) == (OrderStatus.UNKNOWN, NO_ANSWER)
        await provider.aclose()
        server.close()

    async def test_the_target_is_signed_as_it_is_sent(self) -> None:
        agreement = {"reference": "agr/7f3a ä", "status": "active"}
        async with _platform(lambda n, _h: _signed(n, agreement)) as (provider, seen):
            state = await provider.query_agreement("agr/7f3a ä")

        assert state.status is AgreementStatus.ACTIVE
        assert seen == ["GET /v1/agreements/agr%2F7f3a%20%C3%A4 HTTP/1.1"]

    async def test_another_agreement_is_unknown(self) -> None:
        agreement = {"reference": "agr/other", "status": "active"}
        async with _platform(lambda n, _h: _signed(n, agreement)) as (provider, _):
            state = await provider.query_agreement("agr/7f3a")

        assert state.status is AgreementStatus.UNKNOWN

    async def test_a_page_for_another_amount_is_not_handed_out(self) -> None:
        page = {
            **ORDER,
            "status": "accepted",
            "amount_minor": 1,
            "url": "https://acquirer.example/pay/1",
            "expires_at": "2026-11-27T08:30:00Z",
        }
        order = CheckoutOrder(
            number=NUMBER, amount=PRICE, description="x", return_url="https://parkside.example/"
        )
        async with _platform(lambda n, _h: _signed(n, page)) as (provider, _):
            with pytest.raises(ProviderUnavailableError):
                await provider.start_checkout(order)

    def test_plain_http_is_for_loopback_only(self) -> None:
        with pytest.raises(InvalidInputError) as caught:
            _settings("http://acquirer.example")

        assert caught.value.field == "base_url"

    @pytest.mark.parametrize(
        "change",
        [
            {"type": "charge.failed"},
            {"type": "refund.succeeded"},
            {"type": "agreement.signed"},
            {"type": "charge.invented"},
            {"id": ""},
            {"occurred_at": "2026-11-27T08:00:00"},
            {"data": {**ORDER, "amount_minor": "1250"}},
            {"data": None},
        ],
    )
    async def test_a_signed_notice_must_also_make_sense(self, change: dict[str, object]) -> None:
        notice = {**json.loads(PAGE.notice.body), **change}
        body = json.dumps(notice).encode()
        stamp = (str(int(AT.timestamp())), "1" * 32)
        text = signed_text("notice", "parkside", *stamp, body=body)

        with pytest.raises(NoticeRefusedError) as caught:
            _provider().verify_notices(
                {"Sesame-Signature": header(PLATFORM, "parkside", stamp, text)}, body
            )

        assert caught.value.reason == "body"

    @pytest.mark.parametrize(
        "made_for",
        [
            signed_text("answer", "200", "a" * 32, "1795766400", "1" * 32, body=b"{}"),
            signed_text("notice", "another", "1795766400", "1" * 32, body=b"{}"),
        ],
        ids=["an answer", "another merchant's notice"],
    )
    async def test_no_other_signature_passes_for_a_notice(self, made_for: bytes) -> None:
        stamp = ("1795766400", "1" * 32)

        with pytest.raises(NoticeRefusedError) as caught:
            _provider().verify_notices(
                {"Sesame-Signature": header(PLATFORM, "parkside", stamp, made_for)}, b"{}"
            )

        assert caught.value.reason == "signature"

    @pytest.mark.parametrize(
        "sent",
        [
            "",
            "Bearer x",
            "SESAME-RSA-SHA256 ",
            'SESAME-RSA-SHA256 merchant="a",merchant="a",key="a",timestamp="1",nonce="1"',
            'SESAME-RSA-SHA256 merchant="a",key="a",timestamp="1",nonce="1",signature=""x"',
            'SESAME-RSA-SHA256 merchant="a",key="a",timestamp="1",nonce="1",signature="'
            + "A" * 1000
            + '"',
        ],
    )
    async def test_a_malformed_header_is_refused(self, sent: str) -> None:
        with pytest.raises(NoticeRefusedError) as caught:
            _provider().verify_notices({"Sesame-Signature": sent}, PAGE.notice.body)

        assert caught.value.reason == "header"

    async def test_a_body_too_long_is_refused(self) -> None:
        with pytest.raises(NoticeRefusedError) as caught:
            _provider().verify_notices(PAGE.notice.headers, b" " * 20_000)

        assert caught.value.reason == "body"
