"""The examples of docs/fapiao-wire.md, and its signatures written out once more."""

import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Final

from parking.invoices.fapiao import signature
from sesame.sandbox.fapiao import ApplicationBody

PAGE: Final = (Path(__file__).parents[2] / "docs" / "fapiao-wire.md").read_text(encoding="utf-8")
SECRET: Final = "0123456789abcdef0123456789abcdef"


def block(kind: str) -> str:
    found = re.search(rf"```http {kind}\n(.*?)\n```", PAGE, re.DOTALL)
    assert found is not None
    return found.group(1)


def headers_of(message: str) -> dict[str, str]:
    lines = message.partition("\n\n")[0].splitlines()[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def sign(*parts: str) -> str:
    code = hmac.new(SECRET.encode(), "\n".join(parts).encode(), hashlib.sha256)
    return f"v1={code.hexdigest()}"


def test_the_call_s_signature_is_the_page_s() -> None:
    message = block("request")
    method, target, _ = message.splitlines()[0].split(" ")
    headers = headers_of(message)
    account, timestamp, nonce = (
        headers[name] for name in ("sesame-account", "sesame-timestamp", "sesame-nonce")
    )
    empty = hashlib.sha256(b"").hexdigest()
    expected = sign("request", method, target, account, timestamp, nonce, empty)
    assert headers["sesame-signature"] == expected
    assert expected == signature.sign_request(
        SECRET,
        method=method,
        target=target,
        account=account,
        timestamp=timestamp,
        nonce=nonce,
        body=b"",
    )


def test_the_answer_s_signature_is_the_page_s() -> None:
    message, body = block("answer"), block("answer").partition("\n\n")[2].encode()
    headers, nonce = headers_of(message), headers_of(block("request"))["sesame-nonce"]
    timestamp = headers["sesame-timestamp"]
    expected = sign("answer", nonce, "200", timestamp, hashlib.sha256(body).hexdigest())
    assert headers["sesame-signature"] == expected
    assert expected == signature.sign_answer(
        SECRET, nonce=nonce, status=200, timestamp=timestamp, body=body
    )


def test_the_page_s_application_is_one() -> None:
    text = re.findall(r"```json\n(.*?)\n```", PAGE, re.DOTALL)[0]
    sent = ApplicationBody.model_validate_json(text)
    assert sent.adds_up()
    assert json.loads(text)["title"]["tax_number"] == "91110000600037341L"
