"""Who may call, what the gateway is made of, and how it answers."""

import secrets
from collections import deque
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from pydantic import TypeAdapter, ValidationError

from sesame.sandbox.alipay.signing import PlatformKey
from sesame.sandbox.platform import Json, Platform

TOLD_MAX = 1000
BILLS_MAX = 20
_OBJECT: TypeAdapter[Json] = TypeAdapter(Json)


class RefusedError(Exception):
    """The gateway understood, and says no.

    Attributes:
        sub_code: Its word for why.
    """

    def __init__(self, sub_code: str, code: str = "40004") -> None:
        super().__init__(sub_code)
        self.code = code
        self.sub_code = sub_code


@dataclass(slots=True, kw_only=True)
class Gateway:
    """The books, and who they are for.

    Attributes:
        keys: Alipay's own; `Platform.delivery` says which one signs.
        told: What the parking service was told, oldest first.
        bills: Files that may be fetched, by their tokens.
    """

    platform: Platform
    app_id: str
    seller_id: str
    keys: tuple[PlatformKey, ...]
    app_key: RSAPublicKey
    told: deque[Json] = field(default_factory=lambda: deque[Json](maxlen=TOLD_MAX))
    bills: dict[str, bytes] = field(default_factory=dict[str, bytes])

    @property
    def key(self) -> PlatformKey:
        """Return the key that signs now."""
        return self.keys[self.platform.delivery.key_position]

    def keep_bill(self, content: bytes) -> str:
        """Return the token under which a bill may be fetched."""
        while len(self.bills) >= BILLS_MAX:
            self.bills.pop(next(iter(self.bills)))
        token = secrets.token_urlsafe(18)
        self.bills[token] = content
        return token


def trade_no(now_ms: int) -> str:
    """Return a new id of 28 digits, as Alipay makes them."""
    return f"{now_ms:014d}{secrets.randbelow(10**14):014d}"


def object_of(value: object, *, is_text: bool = False) -> Json:
    """Return a JSON object, read or still as text.

    Raises:
        RefusedError: it is something else.
    """
    try:
        return _OBJECT.validate_json(str(value)) if is_text else _OBJECT.validate_python(value)
    except ValidationError as error:
        raise RefusedError("isv.invalid-parameter", "40002") from error


def text_of(asked: Json, name: str) -> str:
    """Return a parameter.

    Raises:
        RefusedError: it is missing.
    """
    value = asked.get(name)
    if not isinstance(value, str) or not value:
        raise RefusedError("ACQ.INVALID_PARAMETER")
    return value
