"""Alipay's signature scheme once more, by the openssl command, written from its description alone.

Sorted `name=value` joined by `&`, SHA-256 with RSA (PKCS #1 v1.5), base64. Requests leave out
`sign` and what is empty; notices leave out `sign` and `sign_type`; of an answer, the raw JSON of
its node is signed.
"""

import asyncio
import base64
import re
import subprocess
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

Reply = Callable[["Call"], bytes]


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """A key pair that the openssl command made."""

    private: Path
    public: Path

    @classmethod
    def make(cls, folder: Path, name: str) -> "KeyFiles":
        files = cls(folder / f"{name}.pem", folder / f"{name}.pub.pem")
        run(
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
            "-out",
            files.private,
        )
        run("pkey", "-in", files.private, "-pubout", "-out", files.public)
        return files

    def sign(self, text: bytes) -> str:
        raw = run("dgst", "-sha256", "-sign", self.private, text=text)
        return base64.b64encode(raw).decode()

    def verifies(self, text: bytes, signature: str) -> bool:
        file = self.public.with_suffix(".signature")
        file.write_bytes(base64.b64decode(signature, validate=True))
        arguments = ("dgst", "-sha256", "-verify", self.public, "-signature", file)
        return run(*arguments, text=text, check=False) == b"Verified OK\n"


def run(*arguments: str | Path, text: bytes = b"", check: bool = True) -> bytes:
    done = subprocess.run(
        ["openssl", *map(str, arguments)],  # noqa: S607 - wherever it is
        input=text,
        capture_output=True,
        check=check,
        timeout=20,
    )
    return done.stdout


def decoded(form: str) -> dict[str, str]:
    """Return a form's parameters, decoded by hand."""
    pairs = [piece.split("=", 1) for piece in form.split("&")]
    assert len({name for name, _ in pairs}) == len(pairs)
    return {plain(name): plain(value) for name, value in pairs}


def encoded(parameters: dict[str, str]) -> bytes:
    """Return a form, with every byte that is not a letter or a digit percent-encoded."""

    def quoted(text: str) -> str:
        return "".join(
            chr(byte) if chr(byte).isascii() and chr(byte).isalnum() else f"%{byte:02X}"
            for byte in text.encode()
        )

    return "&".join(f"{name}={quoted(value)}" for name, value in parameters.items()).encode("ascii")


def request_text(parameters: dict[str, str]) -> bytes:
    return _joined(parameters, {"sign"}, keep_empty=False)


def notice_text(parameters: dict[str, str]) -> bytes:
    return _joined(parameters, {"sign", "sign_type"}, keep_empty=True)


def _joined(parameters: dict[str, str], left_out: set[str], *, keep_empty: bool) -> bytes:
    kept = [
        (name, value)
        for name, value in parameters.items()
        if name not in left_out and (value or keep_empty)
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(kept)).encode()


def plain(quoted: str) -> str:
    raw = re.sub(
        rb"%([0-9A-Fa-f]{2})",
        lambda found: bytes([int(found[1], 16)]),
        quoted.replace("+", " ").encode("ascii"),
    )
    return raw.decode()


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it came over the socket."""

    start: str
    parameters: dict[str, str]

    @property
    def node_name(self) -> str:
        return self.parameters["method"].replace(".", "_") + "_response"


@dataclass(slots=True)
class ScriptedGateway:
    """Answers what a test wants; every call must be signed, or nothing is answered."""

    app: KeyFiles
    reply: Reply
    url: str = ""
    seen: list[Call] = field(default_factory=list[Call])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"(?i)^content-length: (\d+)\r$", head, re.MULTILINE)
            body = (await reader.readexactly(int(length[1]))).decode() if length else ""
            start = head.partition("\r\n")[0]
            query = start.split(" ")[1].partition("?")[2]
            call = Call(start, decoded("&".join(part for part in (query, body) if part)))
            sign = call.parameters["sign"]
            assert self.app.verifies(request_text(call.parameters), sign)
            self.seen.append(call)
            writer.write(self.reply(call))
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def scripted(app: KeyFiles, reply: Reply) -> AsyncGenerator[ScriptedGateway]:
    gateway = ScriptedGateway(app, reply)
    server = await asyncio.start_server(gateway.serve, "127.0.0.1", 0)
    async with server:
        gateway.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/gateway.do"
        yield gateway


def http(body: bytes, status: int = 200, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body
