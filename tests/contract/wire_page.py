"""docs/acquirer-wire.md as a machine reads it, and its signatures written out once more.

Nothing here is shared with the adapter or the stand-in: it is the page's own witness.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

PAGE = Path(__file__).parents[2] / "docs" / "acquirer-wire.md"
_BLOCK = re.compile(r"^```(\w+) (\w+)\n(.*?)\n```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Message:
    """One HTTP message of the page."""

    start: str
    headers: dict[str, str]
    body: bytes

    def signature(self) -> dict[str, str]:
        """Return the fields of the signature header."""
        header = self.headers.get("Authorization") or self.headers["Sesame-Signature"]
        return dict(re.findall(r'(\w+)="([^"]*)"', header))


@dataclass(frozen=True, slots=True)
class Page:
    """The page's keys and messages, in order."""

    keys: dict[str, RSAPrivateKey]
    pems: dict[str, str]
    exchanges: list[tuple[Message, Message]]
    notice: Message


def read_page() -> Page:
    """Return what the page shows."""
    blocks = _BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    pems = {name: text for language, name, text in blocks if language == "pem"}
    messages = [(name, _message(text)) for language, name, text in blocks if language == "http"]
    by_kind = {
        kind: [message for name, message in messages if name == kind]
        for kind in ("request", "answer", "notice")
    }
    (notice,) = by_kind["notice"]
    return Page(
        keys={name: load_key(pem) for name, pem in pems.items()},
        pems=pems,
        exchanges=list(zip(by_kind["request"], by_kind["answer"], strict=True)),
        notice=notice,
    )


def load_key(pem: str) -> RSAPrivateKey:
    """Return a private key."""
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, RSAPrivateKey)
    return key


def key_id(key: RSAPrivateKey) -> str:
    """Return the key's id on the wire."""
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()[:16]


def signed_text(purpose: str, *lines: str, body: bytes) -> bytes:
    """Return what is signed."""
    return f"SESAME-RSA-SHA256 {purpose}\n".encode() + (
        "".join(f"{line}\n" for line in lines).encode() + body
    )


def header(
    key: RSAPrivateKey, merchant: str, stamp: tuple[str, str], text: bytes, key_name: str = ""
) -> str:
    """Return a signature header; `stamp` is the timestamp and the nonce."""
    signature = base64.b64encode(key.sign(text, PKCS1v15(), SHA256())).decode()
    return (
        f'SESAME-RSA-SHA256 merchant="{merchant}",key="{key_name or key_id(key)}",'
        f'timestamp="{stamp[0]}",nonce="{stamp[1]}",signature="{signature}"'
    )


def _message(text: str) -> Message:
    head, _, body = text.partition("\n\n")
    start, *lines = head.split("\n")
    return Message(start, dict(line.split(": ", 1) for line in lines), body.encode())
