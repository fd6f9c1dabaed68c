"""How to reach GoCardless, and as whom."""

from dataclasses import dataclass, field

from parking.kit.errors import InvalidInputError
from parking.kit.outbound import require_secure_url

CALL_TIMEOUT_S = 10.0
SECRET_LENGTH_MIN = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class GoCardlessSettings:
    """How to reach GoCardless.

    Attributes:
        base_url: `https://api.gocardless.com`, or its sandbox; plain `http` only on loopback.
        access_token: Of the account that collects.
        webhook_secret: Of the endpoint that GoCardless posts events to.
    """

    base_url: str
    access_token: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    call_timeout_s: float = CALL_TIMEOUT_S

    def __post_init__(self) -> None:
        require_secure_url("base_url", self.base_url)
        if not self.access_token.isprintable() or not self.access_token.strip():
            raise InvalidInputError("access_token", "the token of an account")
        if len(self.webhook_secret) < SECRET_LENGTH_MIN:
            raise InvalidInputError("webhook_secret", f"{SECRET_LENGTH_MIN} characters or more")
