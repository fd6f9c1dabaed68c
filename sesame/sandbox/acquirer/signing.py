"""RSA-SHA256 as part 2 of docs/acquirer-wire.md asks for it, written from that page alone."""

from functools import partial

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

from sesame.sandbox.signed_wire import MerchantKey, PlatformKey, Scheme, fingerprint

KEY_BITS = 2048


def new_private_pem() -> bytes:
    """Return a fresh RSA private key."""
    key = generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(private_pem: bytes) -> str:
    """Return the public half of a private key."""
    return load_platform_key(private_pem).public_pem


def load_platform_key(pem: bytes) -> PlatformKey:
    """Return a key that `new_private_pem` made."""
    key = load_pem_private_key(pem, None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("the platform's key is not an RSA key")
    public = key.public_key()
    return PlatformKey(
        key_id=_key_id(public),
        public_pem=public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        sign=partial(key.sign, padding=PKCS1v15(), algorithm=SHA256()),
    )


def load_merchant_key(pem: bytes) -> MerchantKey:
    """Return a merchant's public key.

    Raises:
        ValueError: it is not an RSA public key in PEM.
    """
    key = load_pem_public_key(pem)
    if not isinstance(key, RSAPublicKey):
        raise ValueError("expected an RSA public key in PEM")  # noqa: TRY004 - a file's content
    verify = partial(key.verify, padding=PKCS1v15(), algorithm=SHA256())
    return MerchantKey(_key_id(key), verify)


def _key_id(key: RSAPublicKey) -> str:
    return fingerprint(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


SCHEME = Scheme(
    name="SESAME-RSA-SHA256",
    request_header="Authorization",
    header="Sesame-Signature",
    prefix="SESAME-RSA-SHA256 ",
    separator=",",
    quote='"',
    time_field="timestamp",
    header_characters_max=1024,
    names_merchant=False,
    new_private_pem=new_private_pem,
    load_platform_key=load_platform_key,
    load_merchant_key=load_merchant_key,
)
