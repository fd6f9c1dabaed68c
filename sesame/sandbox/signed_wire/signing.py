"""The platform's half of part 2 of a wire's page, written from those pages alone."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature

TIME_WINDOW_S = 300
NONCE_LENGTHS = range(16, 65)
_KEY_ID_LENGTH = 16


class CallRefusedError(Exception):
    """The caller did not prove who it is, or came too late, or twice.

    Attributes:
        code: The wire's error code.
        nonce: The request's nonce, if it could be read; the answer is signed over it.
    """

    def __init__(self, code: str, nonce: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.nonce = nonce


@dataclass(frozen=True, slots=True)
class MerchantKey:
    """One of the merchant's public keys.

    Attributes:
        verify: Of a signature and a text; raises `InvalidSignature`.
    """

    key_id: str
    verify: Callable[[bytes, bytes], None]


@dataclass(frozen=True, slots=True)
class PlatformKey:
    """One of the platform's private keys."""

    key_id: str
    public_pem: str
    sign: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a signature header claims."""

    merchant: str
    key: str
    time: str
    nonce: str
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How one wire signs.

    Attributes:
        name: Begins every signed text.
        request_header: Where requests carry their signature; `header`: answers and notices.
        prefix: Begins a header; `separator` stands between its fields, `quote` around values.
        time_field: What a header calls the time.
        names_merchant: Whether requests and answers are signed with the merchant's name too, as
            notices always are.
        new_private_pem: Makes a platform key.
        load_platform_key: Of such a PEM.
        load_merchant_key: Of a PEM; raises ValueError for another algorithm's key.
    """

    name: str
    request_header: str
    header: str
    prefix: str
    separator: str
    quote: str
    time_field: str
    header_characters_max: int
    names_merchant: bool
    new_private_pem: Callable[[], bytes]
    load_platform_key: Callable[[bytes], PlatformKey]
    load_merchant_key: Callable[[bytes], MerchantKey]

    def read_claim(self, header: str | None) -> Claim:
        """Return what a request's header claims.

        Raises:
            CallRefusedError: `signature_refused`: there is no such header, or it is malformed.
        """
        if (
            not header
            or len(header) > self.header_characters_max
            or not header.startswith(self.prefix)
        ):
            raise CallRefusedError("signature_refused")
        pairs = [item.partition("=") for item in header[len(self.prefix) :].split(self.separator)]
        values = {name: self._unquoted(value) for name, _, value in pairs}
        fields = {"merchant", "key", self.time_field, "nonce", "signature"}
        nonce = values.get("nonce", "")
        if len(pairs) != len(fields) or set(values) != fields:
            raise CallRefusedError("signature_refused")
        if not nonce.isalnum() or not nonce.isascii() or len(nonce) not in NONCE_LENGTHS:
            raise CallRefusedError("signature_refused")
        try:
            signature = base64.b64decode(values["signature"], validate=True)
        except ValueError as error:
            raise CallRefusedError("signature_refused", nonce) from error
        time = values[self.time_field]
        return Claim(values["merchant"], values["key"], time, nonce, signature)

    def check_request(
        self,
        claim: Claim,
        key: MerchantKey,
        *,
        method: str,
        target: bytes,
        body: bytes,
        now_s: float,
    ) -> None:
        """Return if `key` signed this request just now.

        Args:
            claim: The request's header.
            key: The merchant's key of the claimed id.
            method: As received.
            target: The request target's bytes as received.
            body: The body's bytes as received.
            now_s: The platform's clock, seconds since 1970.

        Raises:
            CallRefusedError: it did not.
        """
        named = f"{claim.merchant}\n" if self.names_merchant else ""
        head = f"{self.name} request\n{method}\n".encode()
        stamp = f"\n{named}{claim.time}\n{claim.nonce}\n".encode()
        try:
            key.verify(claim.signature, head + target + stamp + body)
        except InvalidSignature as error:
            raise CallRefusedError("signature_refused", claim.nonce) from error
        time = claim.time
        if not time.isascii() or not time.isdecimal() or abs(now_s - int(time)) > TIME_WINDOW_S:
            raise CallRefusedError("timestamp_refused", claim.nonce)

    def answer_header(
        self,
        key: PlatformKey,
        merchant: str,
        stamp: tuple[int, str],
        answer: tuple[int, str, bytes],
    ) -> str:
        """Return the header of an answer: its status, the request's nonce, and its body.

        `stamp` is the time and a fresh nonce.
        """
        status, request_nonce, body = answer
        named = f"\n{merchant}" if self.names_merchant else ""
        return self._header(key, merchant, stamp, f"answer\n{status}\n{request_nonce}{named}", body)

    def notice_header(
        self, key: PlatformKey, merchant: str, stamp: tuple[int, str], body: bytes
    ) -> str:
        """Return the header of a notice."""
        return self._header(key, merchant, stamp, f"notice\n{merchant}", body)

    def spoil(self, header: str) -> str:
        """Return the header with a signature that has the right form and is wrong."""
        opening = f"signature={self.quote}"
        start = header.index(opening) + len(opening)
        other = "B" if header[start] == "A" else "A"
        return header[:start] + other + header[start + 1 :]

    def _header(
        self, key: PlatformKey, merchant: str, stamp: tuple[int, str], subject: str, body: bytes
    ) -> str:
        time, nonce = stamp
        text = f"{self.name} {subject}\n{time}\n{nonce}\n".encode() + body
        values = {
            "merchant": merchant,
            "key": key.key_id,
            self.time_field: str(time),
            "nonce": nonce,
            "signature": base64.b64encode(key.sign(text)).decode(),
        }
        quoted = (f"{name}={self.quote}{value}{self.quote}" for name, value in values.items())
        return self.prefix + self.separator.join(quoted)

    def _unquoted(self, value: str) -> str:
        if not self.quote:
            return value
        if len(value) < len(self.quote) * 2 or value[0] != self.quote or value[-1] != self.quote:
            raise CallRefusedError("signature_refused")
        return value[1:-1]


def fingerprint(encoded_key: bytes) -> str:
    """Return a public key's id on the wire."""
    return hashlib.sha256(encoded_key).hexdigest()[:_KEY_ID_LENGTH]
