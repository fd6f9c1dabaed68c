"""Password-free authorization, and paying before leaving."""

from typing import Annotated
from urllib.parse import urlsplit

import strawberry

from api.acting import Given, outcome_of, refusable
from api.global_ids import decode_id
from api.request import Info
from api.types.mandate import Mandate
from api.types.money import Money, MoneyInput, checked_money
from parking.flows.payments import mandates, prepay
from parking.kit.errors import InvalidInputError

URL_LENGTH_MAX = 500

strawberry.enum(
    prepay.PrepaymentStatus,
    name="PrepaymentStatus",
    description="SUCCEEDED: paid. PENDING: the provider has not answered yet; `sessionUpdated` "
    "tells. CHECKOUT: open `checkoutUrl` and pay there.",
)


@strawberry.type(description="The authorization waits for the driver on the provider's page.")
class PasswordFreeStarted:
    """The authorization has begun."""

    mandate: Mandate


@strawberry.type(description="The authorization has ended: nothing is charged under it any more.")
class PasswordFreeRevoked:
    """The authorization has ended."""

    mandate: Mandate


@strawberry.type(description="What became of the payment.")
class Prepaid:
    """What became of the payment."""

    status: prepay.PrepaymentStatus
    amount: Money
    checkout_url: str | None


@strawberry.input
class AuthorizePasswordFreeInput:
    """What to authorize."""

    provider: str | None = strawberry.field(
        default=None, description="The provider's name; null for the usual one."
    )
    amount_max: MoneyInput | None = strawberry.field(
        default=None, description="The most that one charge may take."
    )
    return_url: str | None = strawberry.field(
        default=None, description="Where the provider sends the driver back to, https only."
    )


@strawberry.input
class RevokePasswordFreeInput:
    """What to revoke."""

    mandate_id: strawberry.ID


@strawberry.input
class PrepayInput:
    """What to pay."""

    session_id: strawberry.ID


@refusable
async def authorize_password_free(
    info: Info, given: Annotated[AuthorizePasswordFreeInput, Given]
) -> PasswordFreeStarted:
    """Begin an authorization."""
    driver_id = await info.context.driver_id()
    view = await mandates.authorize(
        info.context.parking,
        driver_id,
        provider=given.provider,
        return_url=_checked_url(given.return_url),
        amount_max=checked_money(given.amount_max, field="amountMax"),
    )
    return PasswordFreeStarted(mandate=Mandate.of(view))


@refusable
async def revoke_password_free(
    info: Info, given: Annotated[RevokePasswordFreeInput, Given]
) -> PasswordFreeRevoked:
    """End an authorization."""
    driver_id = await info.context.driver_id()
    mandate_id = decode_id(given.mandate_id, kind="Mandate", field="mandateId")
    view = await mandates.revoke(info.context.parking, driver_id, mandate_id)
    return PasswordFreeRevoked(mandate=Mandate.of(view))


@refusable
async def prepay_session(info: Info, given: Annotated[PrepayInput, Given]) -> Prepaid:
    """Pay for a running stay."""
    driver_id = await info.context.driver_id()
    session_id = decode_id(given.session_id, kind="Session", field="sessionId")
    payment = await prepay.prepay(info.context.parking, driver_id, session_id)
    return Prepaid(
        status=payment.status,
        amount=Money.of(payment.amount),
        checkout_url=payment.checkout_url,
    )


@strawberry.type
class PaymentMutations:
    """The mutations of this module."""

    authorize_password_free = strawberry.mutation(
        authorize_password_free,
        graphql_type=outcome_of(PasswordFreeStarted, "AuthorizePasswordFreeResult"),
        description="Begin a password-free authorization. The driver confirms it at the mandate's "
        "`confirmationUrl`; it is charged only once it is ACTIVE.",
    )
    revoke_password_free = strawberry.mutation(
        revoke_password_free,
        graphql_type=outcome_of(PasswordFreeRevoked, "RevokePasswordFreeResult"),
        description="End a password-free authorization at any time, effective at once. Repeating "
        "it changes nothing.",
    )
    prepay = strawberry.mutation(
        prepay_session,
        graphql_type=outcome_of(Prepaid, "PrepayResult"),
        description="Pay now for a running stay; leaving is then free for a while. Repeating it "
        "charges once.",
    )


def _checked_url(url: str | None) -> str | None:
    if url is None:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if len(url) > URL_LENGTH_MAX or parts.scheme != "https" or not parts.hostname:
        raise InvalidInputError(
            "returnUrl", f"an https address of at most {URL_LENGTH_MAX} letters"
        )
    return url
