"""WeChat Pay's scheme from its documentation alone: openssl's command line, and GCM by hand.

Nothing here knows the adapter, the stand-in, or a library that either uses. Signatures are made
and checked by `openssl dgst`. AEAD_AES_256_GCM is written out from NIST SP 800-38D over single
blocks of AES, which `openssl enc -aes-256-ecb` makes.
"""

import asyncio
import base64
import json
import shutil
import subprocess
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BLOCK = 16
_R = 0xE1 << 120

Answerer = Callable[["Seen"], tuple[int, Any]]


def openssl(*arguments: str, content: bytes = b"") -> bytes:
    """Run the command line."""
    command = [shutil.which("openssl") or "openssl", *arguments]
    done = subprocess.run(command, input=content, capture_output=True, check=False)
    if done.returncode:
        raise ValueError(done.stderr.decode())
    return done.stdout


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An RSA key in two files."""

    private: Path
    public: Path

    @classmethod
    def make(cls, folder: Path, name: str) -> "KeyPair":
        pair = cls(folder / f"{name}.pem", folder / f"{name}.pub")
        options = ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
        openssl("genpkey", *options, "-out", str(pair.private))
        openssl("pkey", "-in", str(pair.private), "-pubout", "-out", str(pair.public))
        return pair

    def sign(self, text: bytes) -> str:
        raw = openssl("dgst", "-sha256", "-sign", str(self.private), content=text)
        return base64.b64encode(raw).decode()

    def has_signed(self, text: bytes, signature: str, folder: Path) -> bool:
        path = folder / "signature"
        path.write_bytes(base64.b64decode(signature))
        arguments = ("-sha256", "-verify", str(self.public), "-signature", str(path))
        try:
            return b"Verified OK" in openssl("dgst", *arguments, content=text)
        except ValueError:
            return False

    def certificate(self) -> tuple[str, str]:
        """Return a certificate of the key in PEM, and its serial number as WeChat Pay writes it."""
        options = ("-x509", "-new", "-key", str(self.private), "-subj", "/CN=platform")
        pem = openssl("req", *options, "-days", "30")
        named = openssl("x509", "-noout", "-serial", content=pem).decode()
        return pem.decode(), named.strip().removeprefix("serial=").lstrip("0")


def said(timestamp: int, nonce: str, body: bytes) -> bytes:
    """Return what the platform signs."""
    return f"{timestamp}\n{nonce}\n".encode() + body + b"\n"


def aes_blocks(key: bytes, blocks: bytes) -> bytes:
    """Return each block of 16 bytes under AES-256, by itself."""
    return openssl("enc", "-aes-256-ecb", "-nopad", "-K", key.hex(), content=blocks)


def gcm_seal(key: bytes, nonce: bytes, plain: bytes, associated: bytes) -> bytes:
    """Return the ciphertext and its tag: SP 800-38D, algorithm 4, for nonces of 12 bytes."""
    sealed = _ctr(key, nonce, plain)
    return sealed + _tag(key, nonce, sealed, associated)


def gcm_open(key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
    """Return what was sealed; algorithm 5. Raises ValueError where the tag is another."""
    text, tag = sealed[:-BLOCK], sealed[-BLOCK:]
    if _tag(key, nonce, text, associated) != tag:
        raise ValueError("tag")
    return _ctr(key, nonce, text)


def _ctr(key: bytes, nonce: bytes, text: bytes) -> bytes:
    count = -(-len(text) // BLOCK)
    counters = b"".join(nonce + (2 + i).to_bytes(4, "big") for i in range(count))
    stream = aes_blocks(key, counters) if counters else b""
    return bytes(a ^ b for a, b in zip(text, stream, strict=False))


def _tag(key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
    hash_key, mask = (int.from_bytes(b, "big") for b in _two_blocks(key, nonce))
    lengths = (8 * len(associated)).to_bytes(8, "big") + (8 * len(sealed)).to_bytes(8, "big")
    hashed = 0
    text = _padded(associated) + _padded(sealed) + lengths
    for start in range(0, len(text), BLOCK):
        block = int.from_bytes(text[start : start + BLOCK], "big")
        hashed = _multiply(hashed ^ block, hash_key)
    return (hashed ^ mask).to_bytes(BLOCK, "big")


def _two_blocks(key: bytes, nonce: bytes) -> tuple[bytes, bytes]:
    both = aes_blocks(key, bytes(BLOCK) + nonce + (1).to_bytes(4, "big"))
    return both[:BLOCK], both[BLOCK:]


def _padded(text: bytes) -> bytes:
    return text + bytes(-len(text) % BLOCK)


def _multiply(x: int, y: int) -> int:
    """Return the product in GF(2^128): SP 800-38D, algorithm 1."""
    z = 0
    for i in range(127, -1, -1):
        if (x >> i) & 1:
            z ^= y
        y = (y >> 1) ^ (_R if y & 1 else 0)
    return z


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Recorder:
    """A server that writes down what comes, byte for byte, and signs what it is told to say.

    Attributes:
        age_s: How far back its signatures' timestamps lie.
        serial: Which key it names.
        prefix: Put before its signatures.
    """

    key: KeyPair
    now_s: int
    serial: str = "PUB_KEY_ID_1"
    answer: Answerer = field(default=lambda _seen: (200, {}))
    age_s: int = 0
    prefix: str = ""
    signs: bool = True
    seen: list[Seen] = field(default_factory=list[Seen])

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[str]:
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").split("\r\n")
            method, target, _ = head[0].split(" ")
            pairs = (line.split(": ", 1) for line in head[1:] if line)
            headers = {name.lower(): text for name, text in pairs}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.seen.append(Seen(method, target, headers, body))
            writer.write(self._said(*self.answer(self.seen[-1])))
            await writer.drain()
        writer.close()

    def _said(self, status: int, content: Any) -> bytes:  # noqa: ANN401 - any JSON, or bytes
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        lines = [f"HTTP/1.1 {status} said", f"Content-Length: {len(body)}", "Connection: close"]
        lines += self.headers(body) if self.signs else []
        return "\r\n".join([*lines, "", ""]).encode() + body

    def headers(self, body: bytes) -> list[str]:
        at, nonce = self.now_s - self.age_s, "593BEC0C930BF1AFEB40B4A08C8FB242"
        return [
            f"Wechatpay-Timestamp: {at}",
            f"Wechatpay-Nonce: {nonce}",
            f"Wechatpay-Serial: {self.serial}",
            f"Wechatpay-Signature: {self.prefix}{self.key.sign(said(at, nonce, body))}",
        ]
