"""How to reach Stripe, and as whom."""

from dataclasses import dataclass, field
from typing import Final

from parking.kit.errors import InvalidInputError
from parking.kit.outbound import require_secure_url

API_URL: Final = "https://api.stripe.com"
CALL_TIMEOUT_S = 5.0
SECRETS_MAX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeSettings:
    """How to reach Stripe.

    Attributes:
        secret_key: `sk_…` or `rk_…`; whether it is a live or a test key decides whose notices and
            answers are believed.
        webhook_secrets: `whsec_…`; two are valid at once while one replaces the other.
        account: A connected account, `acct_…`, that all calls are made for; None for our own.
        base_url: Another address only for a stand-in; plain `http` only on loopback.
        call_timeout_s: For every call but a charge, which brings its own deadline.
    """

    secret_key: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False)
    account: str | None = None
    base_url: str = API_URL
    call_timeout_s: float = CALL_TIMEOUT_S

    def __post_init__(self) -> None:
        require_secure_url("base_url", self.base_url)
        if not self.secret_key.startswith(("sk_live_", "sk_test_", "rk_live_", "rk_test_")):
            raise InvalidInputError("secret_key", "a secret or restricted key: sk_… or rk_…")
        if not 0 < len(self.webhook_secrets) <= SECRETS_MAX:
            raise InvalidInputError("webhook_secrets", f"1 to {SECRETS_MAX} of them")
        if not all(secret.startswith("whsec_") for secret in self.webhook_secrets):
            raise InvalidInputError("webhook_secrets", "signing secrets of an endpoint: whsec_…")
        if self.account is not None and not self.account.startswith("acct_"):
            raise InvalidInputError("account", "a connected account: acct_…")

    @property
    def livemode(self) -> bool:
        """Whether the key moves real money."""
        return "_live_" in self.secret_key
