"""RSA2 from the platform's side, written from the documented scheme alone."""

import base64
import json
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from sesame.sandbox.platform import Json

KEY_BITS = 2048
PARAMETERS_MAX = 50


class CallRefusedError(Exception):
    """The call is not signed by the application.

    Attributes:
        sub_code: The gateway's word for it.
    """

    def __init__(self, sub_code: str) -> None:
        super().__init__(sub_code)
        self.sub_code = sub_code


def read_parameters(query: bytes, body: bytes) -> dict[str, str]:
    """Return the decoded parameters of the address and of the form together.

    Raises:
        CallRefusedError: one comes twice, or they cannot be read.
    """
    joined = b"&".join(part for part in (query, body) if part)
    try:
        pairs = parse_qsl(
            joined.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=PARAMETERS_MAX,
        )
    except ValueError as error:
        raise CallRefusedError("isv.invalid-encoding") from error
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        raise CallRefusedError("isv.duplicate-parameter")
    return parameters


def check_call(parameters: dict[str, str], key: RSAPublicKey) -> None:
    """Return if the application signed these parameters.

    Raises:
        CallRefusedError: it did not.
    """
    text = "&".join(
        f"{name}={value}" for name, value in sorted(parameters.items()) if name != "sign" and value
    )
    try:
        signature = base64.b64decode(parameters.get("sign", ""), validate=True)
        key.verify(signature, text.encode(), PKCS1v15(), SHA256())
    except (ValueError, InvalidSignature) as error:
        raise CallRefusedError("isv.invalid-signature") from error


class PlatformKey:
    """One of Alipay's private keys."""

    def __init__(self, pem: bytes) -> None:
        key = load_pem_private_key(pem, None)
        if not isinstance(key, RSAPrivateKey):
            raise TypeError("the platform's key is not an RSA key")
        self._key = key

    def public_pem(self) -> str:
        """Return what the merchant has to know."""
        public = self._key.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def sign(self, text: bytes) -> str:
        """Return the signature in base64."""
        return base64.b64encode(self._key.sign(text, PKCS1v15(), SHA256())).decode()

    def answer(self, node_name: str, node: Json, *, is_spoiled: bool = False) -> bytes:
        """Return an answer: the node as it is signed, and the signature beside it."""
        # Slashes are escaped, as the real gateway does: who serialises again verifies in vain.
        raw = json.dumps(node, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
        signature = self.sign(raw.encode())
        shown = spoil(signature) if is_spoiled else signature
        return f'{{"{node_name}":{raw},"sign":{json.dumps(shown)}}}'.encode()

    def notice_signature(self, form: dict[str, str]) -> str:
        """Return the signature over a notice's parameters, without `sign` and `sign_type`."""
        left_out = {"sign", "sign_type"}
        text = "&".join(f"{name}={form[name]}" for name in sorted(form) if name not in left_out)
        return self.sign(text.encode())


def spoil(signature: str) -> str:
    """Return a signature that has the right form and is wrong."""
    return ("B" if signature[0] == "A" else "A") + signature[1:]


def new_private_pem() -> bytes:
    """Return a fresh RSA private key."""
    key = generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(private_pem: bytes) -> str:
    """Return the public half of a private key."""
    return PlatformKey(private_pem).public_pem()


def load_app_key(pem: bytes) -> RSAPublicKey:
    """Return the application's public key.

    Raises:
        ValueError: it is not an RSA public key in PEM.
    """
    key = load_pem_public_key(pem)
    if not isinstance(key, RSAPublicKey):
        raise ValueError("expected an RSA public key in PEM")  # noqa: TRY004 - a file's content
    return key
