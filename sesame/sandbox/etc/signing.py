"""Ed25519 as part 2 of docs/etc-wire.md asks for it, written from that page alone."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from sesame.sandbox.signed_wire import MerchantKey, PlatformKey, Scheme, fingerprint


def new_etc_private_pem() -> bytes:
    """Return a fresh Ed25519 private key."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def etc_public_pem(private_pem: bytes) -> str:
    """Return the public half of a private key."""
    return load_etc_platform_key(private_pem).public_pem


def load_etc_platform_key(pem: bytes) -> PlatformKey:
    """Return a key that `new_etc_private_pem` made."""
    key = load_pem_private_key(pem, None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("the acquirer's key is not an Ed25519 key")
    public = key.public_key()
    return PlatformKey(
        key_id=_key_id(public),
        public_pem=public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        sign=key.sign,
    )


def load_etc_merchant_key(pem: bytes) -> MerchantKey:
    """Return a merchant's public key.

    Raises:
        ValueError: it is not an Ed25519 public key in PEM.
    """
    key = load_pem_public_key(pem)
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("expected an Ed25519 public key in PEM")  # noqa: TRY004 - a file's content
    return MerchantKey(_key_id(key), key.verify)


def _key_id(key: Ed25519PublicKey) -> str:
    return fingerprint(key.public_bytes(Encoding.Raw, PublicFormat.Raw))


SCHEME = Scheme(
    name="SESAME-ETC-ED25519",
    request_header="Sesame-Etc-Signature",
    header="Sesame-Etc-Signature",
    prefix="",
    separator=";",
    quote="",
    time_field="time",
    header_characters_max=512,
    names_merchant=True,
    new_private_pem=new_etc_private_pem,
    load_platform_key=load_etc_platform_key,
    load_merchant_key=load_etc_merchant_key,
)
