"""docs/etc-wire.md as a machine reads it, and its signatures written out once more.

Nothing here is shared with the adapter or the stand-in: it is the page's own witness.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

PAGE = Path(__file__).parents[2] / "docs" / "etc-wire.md"
HEADER = "Sesame-Etc-Signature"
_BLOCK = re.compile(r"^```(\w+) (\w+)\n(.*?)\n```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Message:
    """One HTTP message of the page."""

    start: str
    headers: dict[str, str]
    body: bytes

    def claims(self) -> dict[str, str]:
        """Return the fields of the signature header."""
        return dict(part.split("=", 1) for part in self.headers[HEADER].split(";"))

    def stamp(self) -> tuple[str, str]:
        """Return when and with which nonce it was signed."""
        claims = self.claims()
        return claims["time"], claims["nonce"]


@dataclass(frozen=True, slots=True)
class EtcPage:
    """The page's keys and messages, in order."""

    keys: dict[str, Ed25519PrivateKey]
    pems: dict[str, str]
    exchanges: list[tuple[Message, Message]]
    notice: Message

    def public_pem(self, name: str) -> str:
        """Return the public half of one of the page's keys."""
        key = self.keys[name].public_key()
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def signed_texts(self) -> list[tuple[str, str, bytes]]:
        """Return every signature of the page: whose, the base64, over what."""
        texts: list[tuple[str, str, bytes]] = []
        for request, answer in self.exchanges:
            method, target, _ = request.start.split(" ")
            text = signed_text("request", method, target, "parkside", *request.stamp())
            texts.append(("merchant", request.claims()["signature"], text + request.body))
            status, asked = answer.start.split(" ")[1], request.claims()["nonce"]
            text = signed_text("answer", status, asked, "parkside", *answer.stamp())
            texts.append(("platform", answer.claims()["signature"], text + answer.body))
        text = signed_text("notice", "parkside", *self.notice.stamp())
        texts.append(("platform", self.notice.claims()["signature"], text + self.notice.body))
        return texts


def read_etc_page() -> EtcPage:
    """Return what the page shows."""
    blocks = _BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    pems = {name: text for language, name, text in blocks if language == "pem"}
    messages = [(name, _message(text)) for language, name, text in blocks if language == "http"]
    by_kind = {
        kind: [message for name, message in messages if name == kind]
        for kind in ("request", "answer", "notice")
    }
    (notice,) = by_kind["notice"]
    return EtcPage(
        keys={name: _key(pem) for name, pem in pems.items()},
        pems=pems,
        exchanges=list(zip(by_kind["request"], by_kind["answer"], strict=True)),
        notice=notice,
    )


def key_id(key: Ed25519PrivateKey) -> str:
    """Return the key's id on the wire."""
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def signed_text(purpose: str, *lines: str) -> bytes:
    """Return what is signed before the body."""
    return "".join(f"{line}\n" for line in (f"SESAME-ETC-ED25519 {purpose}", *lines)).encode()


def header(key: Ed25519PrivateKey, stamp: tuple[str, str], text: bytes) -> str:
    """Return a signature header of merchant `parkside`."""
    signature = base64.b64encode(key.sign(text)).decode()
    return (
        f"merchant=parkside;key={key_id(key)};time={stamp[0]};nonce={stamp[1]};"
        f"signature={signature}"
    )


def _key(pem: str) -> Ed25519PrivateKey:
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def _message(text: str) -> Message:
    head, _, body = text.partition("\n\n")
    start, *lines = head.split("\n")
    headers = dict(line.split(": ", 1) for line in lines)
    # A fence cannot show the line feed at the end of a file.
    end = "\n" if headers.get("Content-Type") == "text/csv" else ""
    return Message(start, headers, (body + end).encode())
