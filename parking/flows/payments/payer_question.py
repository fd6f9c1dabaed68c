"""Asking a provider's app whose it is, by sending the payer through one of its pages.

The answer comes back in an address that anybody could write. So it counts only with a state that
our key made for this bill and for a secret that the asking browser alone has, and only for a while.
"""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from parking.flows.context import ParkingContext
from parking.flows.pay_link import read_pay_token
from parking.kit.crypto import Vault, same_digest
from parking.payments.errors import PayerUnknownError
from parking.payments.port import PayerDevice, PayerFinder, ProviderRefusedError

QUESTION_LIFETIME: Final = timedelta(minutes=10)
SECRET_LENGTH_MAX: Final = 128
CODE_LENGTH_MAX: Final = 512
_NONCE_BYTES = 16
_KIND = "payer_question"


@dataclass(frozen=True, slots=True)
class PayerQuestion:
    """Where the payer is sent.

    Attributes:
        secret: For the payer's browser to keep until it comes back.
    """

    url: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PayerAnswer:
    """What came back with the payer; nothing in it is proven yet."""

    secret: str = field(repr=False)
    state: str
    code: str = field(repr=False)


def ask_payer(context: ParkingContext, token: str, provider: str) -> PayerQuestion:
    """Return where the provider tells us who pays the bill of a token.

    Raises:
        BillUnknownError: the token is not one of ours.
        PayerUnknownError: the provider cannot tell.
    """
    read_pay_token(context.vault, token)
    ends_at = context.clock.now() + QUESTION_LIFETIME
    secret = f"{provider}.{int(ends_at.timestamp())}.{secrets.token_hex(_NONCE_BYTES)}"
    page = _finder(context, provider).payer_page(
        f"{context.public_url}/pay/{token}", _state(context.vault, token, secret)
    )
    return PayerQuestion(page, secret)


async def payer_of(context: ParkingContext, token: str, answer: PayerAnswer) -> tuple[str, str]:
    """Return the provider that was asked, and who pays.

    Raises:
        BillUnknownError: the token is not one of ours.
        PayerUnknownError: nobody asked, not in this browser or too long ago; or the code is of no
            use, such as one that was used.
        ProviderUnavailableError: the provider does not answer.
    """
    read_pay_token(context.vault, token)
    provider, _, rest = answer.secret[:SECRET_LENGTH_MAX].partition(".")
    ends, _, _ = rest.partition(".")
    state = _state(context.vault, token, answer.secret)
    # Whose state it is decides before anything in the secret is believed.
    if not same_digest(state.encode(), answer.state.encode(errors="replace")):
        raise PayerUnknownError(provider)
    if context.clock.now() >= datetime.fromtimestamp(int(ends), UTC):
        raise PayerUnknownError(provider)
    if not 0 < len(answer.code) <= CODE_LENGTH_MAX:
        raise PayerUnknownError(provider)
    try:
        return provider, await _finder(context, provider).find_payer(answer.code)
    except ProviderRefusedError as error:
        raise PayerUnknownError(provider) from error


def _finder(context: ParkingContext, name: str) -> PayerFinder:
    provider = context.providers.get(name)
    if (
        provider is None
        or PayerDevice.APP not in provider.traits.devices
        or not isinstance(provider, PayerFinder)
    ):
        raise PayerUnknownError(name)
    return provider


def _state(vault: Vault, token: str, secret: str) -> str:
    return vault.digest(_KIND, f"{token}|{secret}").hex()
